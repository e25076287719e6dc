"""Every fault with the tests that show it, and every point of loss of the peers with its counterpart here.

The tests say what was lost and who was told, with the fixture `fault`; what is written here is what does not change.
"""

from __future__ import annotations

from dataclasses import dataclass

BOUNDS = "tests/kernel/test_bounds.py"
HERE = "tests/faults"


@dataclass(frozen=True, slots=True)
class Fault:
    """One row."""

    name: str
    fault: str
    done: str  # what was done
    tests: tuple[str, ...]  # ids of pytest; without a parameter: all of them


@dataclass(frozen=True, slots=True)
class Peer:
    """A point at which another tool loses, read from its source (November 2026)."""

    peer: str
    point: str
    told: str
    ours: tuple[str, ...]  # names of faults


FAULTS = (
    Fault(
        "ring-full",
        "Ring buffers full",
        "rings of one page; the loop stands still while 60 programs run, 100 files are opened and 10,000 calls made",
        (f"{BOUNDS}::test_a_storm_against_tiny_rings_is_partial_and_its_counts_are_exact",),
    ),
    Fault(
        "first-record-lost",
        "The first record of a container lost with a full ring",
        "rings of one page; the loop stands still while 20 containers begin",
        (f"{BOUNDS}::test_cgroups_whose_first_record_was_lost_are_told_all_the_same",),
    ),
    Fault(
        "capture-ring-full",
        "Ring of a full capture full",
        "a ring of four pages under 400,000 calls",
        ("tests/kernel/test_capture.py::test_a_full_ring_loses_rows_by_number_and_the_file_says_so",),
    ),
    Fault(
        "map-full",
        "Tables of files, conversations and processes full",
        "60 files into 16 rows, 30 peers into 8 rows, 9 processes into 4 rows",
        (
            f"{BOUNDS}::test_full_tables_of_files_and_flows_count_what_they_lose",
            f"{BOUNDS}::test_a_full_table_of_processes_is_said",
        ),
    ),
    Fault(
        "slots-full",
        "Slot table full",
        "three containers into two slots, and a fourth when one is free again",
        (f"{BOUNDS}::test_one_cgroup_more_than_slots_is_a_gap",),
    ),
    Fault(
        "spool-full",
        "Spool full",
        "a spool of 2 MB, nobody listens, 1,500 windows of 4 KB with their identity",
        ("tests/wire/test_bus.py::test_a_full_spool_forgets_the_oldest_windows_and_keeps_who_is_who",),
    ),
    Fault(
        "spool-damaged",
        "Spool damaged on disk",
        "a segment cut in the middle, changed at its end, emptied",
        ("tests/wire/test_bus.py::test_a_damaged_spool_gives_what_is_whole_and_says_so",),
    ),
    Fault(
        "disk-full-sensor",
        "Disk full under the sensor",
        "the spool on a file system of 1 MB, nobody listens, 4,000 windows",
        (f"{HERE}/test_carrier.py::test_a_spool_on_a_full_disk_loses_by_number_and_says_so",),
    ),
    Fault(
        "disk-full-classifier",
        "Disk full under the classifier",
        "its database on a file system of 4 MB that fills; killed and started there; then room is made",
        (
            "tests/service/test_service.py::test_a_full_disk_is_reported_nothing_accepted_is_lost_and_it_recovers_by_itself",
            "tests/service/test_service.py::test_it_starts_on_a_full_disk_and_stops_there_too",
        ),
    ),
    Fault(
        "database-locked",
        "Database locked by somebody",
        "another process holds a write lock while a sensor sends",
        ("tests/service/test_service.py::test_a_lock_held_by_somebody_passes",),
    ),
    Fault(
        "bus-down",
        "Bus down for ten minutes",
        "",
        (f"{HERE}/test_carrier.py::test_ten_minutes_without_a_classifier_lose_nothing",),
    ),
    Fault(
        "classifier-slow",
        "Classifier slower than the sensor",
        "",
        (
            f"{HERE}/test_carrier.py::test_a_slow_classifier_loses_nothing_while_there_is_a_spool",
            f"{HERE}/test_carrier.py::test_a_slow_classifier_and_no_spool_is_a_gap_and_no_envelope_says_converged",
        ),
    ),
    Fault(
        "clock-step",
        "Clock steps of an hour, both ways",
        "",
        (
            f"{HERE}/test_clock.py::test_a_step_of_the_clock_loses_and_repeats_nothing",
            f"{HERE}/test_clock.py::test_a_step_between_two_starts_of_the_sensor_counts_everything_once",
        ),
    ),
    Fault(
        "suspend",
        "Suspend",
        "",
        (f"{HERE}/test_clock.py::test_an_hour_of_sleep_is_one_long_window_and_no_loss",),
    ),
    Fault(
        "pid-reuse",
        "A pid used again",
        "",
        (f"{HERE}/test_processes.py::test_a_pid_that_is_used_again_is_another_process",),
    ),
    Fault(
        "cgroup-reuse",
        "Slots and cgroup ids used again",
        "nine containers one after the other through four slots; after a reboot, the same 100 ids with other owners",
        (
            f"{BOUNDS}::test_more_cgroups_over_time_than_slots_are_all_told",
            f"{HERE}/test_owners.py::test_a_cgroup_id_after_a_reboot_is_another_replica",
        ),
    ),
    Fault(
        "process-gone",
        "Process gone before it is read",
        "",
        (f"{HERE}/test_processes.py::test_processes_that_are_gone_before_anybody_looks_have_their_names",),
    ),
    Fault(
        "fork-storm",
        "10,000 forks a second",
        "",
        (f"{HERE}/test_processes.py::test_a_storm_of_forks_is_counted_to_the_last",),
    ),
    Fault(
        "many-containers",
        "10,000 containers",
        "",
        (
            f"{HERE}/test_owners.py::test_ten_thousand_containers_each_keep_their_own",
            f"{HERE}/test_processes.py::test_many_short_containers_pass_through_few_slots",
        ),
    ),
    Fault(
        "control-names",
        "A name of 4 KiB of control characters",
        "",
        (f"{HERE}/test_names.py::test_names_of_four_kilobytes_of_control_characters_are_cut_and_say_so",),
    ),
    Fault(
        "long-argv",
        "argv of 128 KiB",
        "",
        (f"{HERE}/test_names.py::test_an_argument_of_128_kilobytes_is_cut_and_says_so",),
    ),
    Fault(
        "lying-dns",
        "DNS answers that lie",
        "five answers, three times each: one byte, noise, a cut one, a loop of pointers, control characters; then a true one",
        ("tests/kernel/test_network.py::test_hostile_answers_name_nothing_and_harm_nobody",),
    ),
    Fault(
        "torn-trace",
        "A torn trace",
        "ten records, cut in the fourth at four places; a block damaged; a block taken out",
        (
            "tests/wire/test_trace.py::test_a_cut_file_gives_everything_before_the_cut",
            "tests/wire/test_trace.py::test_salvage_passes_over_damage_and_counts_it",
            "tests/wire/test_trace.py::test_a_block_taken_out_is_noticed",
        ),
    ),
    Fault(
        "newer-format",
        "A newer format",
        "a trace, a frame on the bus, a database and a snapshot of a version that does not exist yet",
        (
            "tests/wire/test_trace.py::test_a_newer_format_is_answered_with_a_remedy",
            "tests/wire/test_codec.py::test_what_cannot_be_read_is_answered",
            "tests/service/test_service.py::test_a_database_that_cannot_be_used_gets_an_answer_and_exit_code_3",
            "tests/service/test_service.py::test_a_snapshot_of_another_version_is_put_aside_and_said",
        ),
    ),
    Fault(
        "no-bpffs",
        "A bpffs that is not mounted",
        "a mount namespace without it; the sensor starts there",
        (f"{HERE}/test_machine.py::test_without_a_bpffs_the_sensor_mounts_one",),
    ),
    Fault(
        "no-btf",
        "BTF missing",
        "a mount namespace in which the kernel shows none",
        (f"{HERE}/test_machine.py::test_what_a_machine_lacks_is_said_with_its_remedy[btf]",),
    ),
    Fault(
        "no-headers",
        "Kernel headers missing",
        "a mount namespace without /usr/src and /lib/modules",
        (f"{HERE}/test_machine.py::test_what_a_machine_lacks_is_said_with_its_remedy[headers]",),
    ),
    Fault(
        "second-sensor",
        "A second sensor started",
        "of the same name, in the same folder and in another",
        ("tests/kernel/test_loader.py::test_a_second_sensor_of_the_same_name_is_refused",),
    ),
    Fault(
        "kill-classifier",
        "`kill -9` of the classifier, 140 times",
        "",
        (f"{HERE}/test_kills.py::test_kills_of_the_classifier_change_nothing",),
    ),
    Fault(
        "kill-both",
        "`kill -9` of sensor, classifier and both, 60 times",
        "",
        (f"{HERE}/test_kills.py::test_kills_of_sensor_classifier_and_both_lose_and_repeat_nothing",),
    ),
    Fault(
        "late-identity",
        "A container that nobody has named yet",
        "",
        (
            f"{HERE}/test_owners.py::test_an_identity_that_comes_late_gets_everything_once",
            f"{HERE}/test_owners.py::test_what_found_no_room_to_wait_for_its_owner_is_a_loss_of_that_owner",
        ),
    ),
    Fault(
        "end-of-container",
        "Calls made just before a container ends",
        "7 calls as markers, spread in time up to the end, twice; the counters are read once more before their slot is given back",
        ("tests/kernel/test_syscalls.py::test_markers_spread_in_time_are_all_reported_and_the_set_is_the_kernels",),
    ),
    Fault(
        "later-replica",
        "What a replica does that began when all was learned",
        "",
        (f"{HERE}/test_converged.py::test_what_a_later_replica_does_is_learned_and_judged",),
    ),
    Fault(
        "envelope-full",
        "An envelope at its largest",
        "",
        (f"{HERE}/test_converged.py::test_what_finds_no_room_in_an_envelope_is_told",),
    ),
    Fault(
        "never-converged",
        "Loss or a gap in an envelope that had converged",
        "",
        (
            f"{HERE}/test_converged.py::test_no_envelope_with_a_loss_says_converged",
            f"{HERE}/test_converged.py::test_whatever_comes_when_a_loss_is_never_converged",
        ),
    ),
)

PEERS = (
    Peer("Kubescape", "ring buffer of a gadget", "log line; profile not marked", ("ring-full",)),
    Peer("Kubescape", "perf array of the network gadget", "no (the count is a constant 0)", ("ring-full", "map-full")),
    Peer("Kubescape", "ordered queue of 100,000", "log line; container not marked", ("spool-full", "classifier-slow")),
    Peer("Kubescape", "channel to the workers", "yes: partial, counter", ("classifier-slow",)),
    Peer("Kubescape", "event of a container that is not registered yet", "no", ("late-identity", "first-record-lost")),
    Peer("Kubescape", "bitmap of system calls drained after the save", "no", ("end-of-container",)),
    Peer("Kubescape", "marked as seen before it is accepted", "no", ("first-record-lost", "kill-both")),
    Peer("Kubescape", "disk queue: eviction, split depth, retries", "counters; may end complete", ("spool-full",)),
    Peer("Kubescape", "first replica completes the profile", "no", ("later-replica",)),
    Peer("Security Profiles Operator", "ring buffer", "no counter", ("ring-full",)),
    Peer("Security Profiles Operator", "tables of namespaces and pids full", "trace pipe", ("slots-full", "map-full")),
    Peer("Inspektor Gadget", "table of seccomp advice full", "no", ("slots-full",)),
    Peer("Inspektor Gadget", "table of packets full", "no", ("map-full",)),
    Peer("KubeArmor", "lost samples of perf", "log line", ("ring-full",)),
    Peer("KubeArmor", "replay of a container not yet known, up to ten times", "debug log", ("late-identity",)),
    Peer("KubeArmor", "channel to gRPC full", "printed once a batch", ("classifier-slow",)),
    Peer("NeuVector", "netlink overrun; process gone from /proc", "no", ("fork-storm", "process-gone")),
    Peer("kguardian", "ring buffers, an event per system call", "no", ("ring-full",)),
    Peer("Tetragon", "ring and queue", "yes: counters by cause", ("ring-full", "spool-full", "classifier-slow")),
    Peer("Datadog", "tags not resolved; profile at its largest", "yes: counters", ("late-identity", "envelope-full")),
)
