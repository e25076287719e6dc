"""Who descends from whom."""

from sensor.observe.lineage import DEPTH, Lineage


def test_a_chain_is_bounded():
    tree = Lineage()
    for i in range(DEPTH + 5):
        tree.exec(1, f"/bin/p{i}")
    assert tree.of(1).count("<") == DEPTH - 1


def test_an_exited_process_is_known_until_all_is_read():
    tree = Lineage()
    tree.exec(1, "/bin/sh")
    tree.exit(1)
    assert tree.of(1) == "sh"
    tree.settle()
    assert (tree.of(1), tree.path(1)) == ("-", "")


def test_a_found_process_with_its_parents_image_is_a_fork_of_it():
    tree = Lineage()
    tree.adopt(1, "/bin/sh", 0)
    tree.adopt(2, "/bin/sh", 1)
    tree.adopt(3, "/bin/ls", 2)
    assert (tree.of(2), tree.of(3)) == ("sh", "ls<sh")


def test_what_is_known_is_not_overwritten_by_a_finding():
    tree = Lineage()
    tree.exec(1, "/bin/a")
    tree.adopt(1, "/bin/b", 0)
    assert tree.of(1) == "a"


def test_a_script_that_env_hands_on_keeps_its_place_in_the_chain():
    tree = Lineage()
    tree.exec(1, "/usr/bin/python3.11"), tree.fork(1, 2)
    assert tree.exec(2, "/app/export.py", script=True) == "python3.11"
    assert (tree.keep(2, "/app/export.py"), tree.of(2), tree.path(2)) == (
        "export.py",
        "export.py<python3.11",
        "/app/export.py",
    )


def test_a_script_whose_start_was_lost_is_known_from_its_second_exec_on():
    tree = Lineage()
    assert (tree.keep(2, "/app/export.py"), tree.of(2)) == ("export.py", "export.py")


def test_what_varies_in_a_scripts_name_is_no_lineage_of_its_own():
    tree = Lineage()
    tree.exec(1, "/tmp/tmpab12cd34.sh", script=True)
    tree.adopt(2, "/tmp/tmpxy98zw76.sh", 0, script=True)
    assert tree.of(1) == tree.of(2) == "tmp*.sh"


def test_full_the_dead_go_first_and_those_that_have_children_stay():
    """Lost exits filled it for good, and nobody new was known from then on."""
    tree = Lineage(limit=100)
    tree.exec(1, "/bin/server")
    for child in range(2, 500):
        tree.fork(1, child)
    assert tree.of(1) == tree.of(499) == "server"
    assert tree.of(2) == "-"
    assert tree.dropped == 399


def test_a_number_that_is_used_again_has_nothing_of_the_process_before():
    """A runtime outside bears it with the pid of one that has just ended: it was taken for that one's child (#5)."""
    for begin in (lambda t: t.exec(7, "/bin/env"), lambda t: t.fork(99, 7), lambda t: t.adopt(7, "/bin/env", 99)):
        tree = Lineage()
        tree.exec(7, "/bin/true")
        tree.exit(7)
        begin(tree)
        tree.settle()
        assert tree.of(7) in ("env", "-")


def test_a_fork_whose_parent_nobody_knows_takes_the_place_of_one_whose_end_was_lost():
    tree = Lineage()
    tree.exec(7, "/bin/true")
    tree.fork(99, 7)
    assert tree.of(7) == "-"
