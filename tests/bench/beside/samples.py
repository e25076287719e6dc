"""A section's raw samples as a run leaves them: two loads, one tool that did not run at one of them."""

from bench.beside.figures import PEERS
from bench.beside.peers import FLOOR, OURS, WITHOUT

SLOWER = {"strace -f -c": 100.0, "perf trace -s": 20.0}


def results(**changes):
    samples, cpu, seen = {}, {}, {}
    for load, ns in (("getppid", 100.0), ("nginx", 50_000.0)):
        for peer in (WITHOUT, *PEERS):
            if (load, peer) == ("nginx", "bpftrace"):
                continue
            for where in ("inside", "outside"):
                factor = SLOWER.get(peer, 1.5) if where == "inside" and peer != WITHOUT else 1.0
                samples[f"{load}, {peer}, {where}"] = [ns * factor * (1 + n / 100) for n in range(7)]
            if peer not in (WITHOUT, FLOOR):
                cpu[f"{load}, {peer}"] = [0.01] * 7
                seen[f"{load}, {peer}"] = [[7000, 7001, 0]] if peer in OURS else [[1000, 1000, None]] * 7
    made = {
        "samples": samples,
        "cpu": cpu,
        "seen": seen,
        "failed": {"nginx, bpftrace": "ERROR: it is `broken`"},
        "attach": {"strace -f -c": [0.3, 0.5, 0.4]},
        "others": 0,
        "busy": [0.1, 2.5, 0.3],
        "skipped": [],
    }
    return made | changes
