"""What stands in files: heads and digests of weights, and each version of a skill or a prompt, in its time."""

from __future__ import annotations

from classifier.envelope.state import freeze, thaw
from classifier.inventory.history import history
from classifier.inventory.moment import changes, difference, shown
from classifier.inventory.stock import AWAITED, Stock
from tests.factories import event, identity, use, window

DAY = 86400.0
SKILL = "/app/skills/refund/SKILL.md"
A, B = "a" * 64, "b" * 64


def opened(made, path, *, time=1.0, pid=7, number=1):
    made.note(
        event(number, "open", f"open:data:{path}", time=time, path=path, pid=pid, id=f"o{number}{path}"),
        identity(number),
        DAY,
    )


def content(made, path, *, time=2.0, number=1, **data):
    said = event(number, "content", time=time, id=f"c{number}{time}", path=path, of=f"o{number}{path}", **data)
    made.note(said, identity(number), DAY)


def past(made, now=1000.0):
    return history(thaw(freeze(made)), "w", now, DAY)


def versions(made, at):
    return {(i["version"], i["basis"]) for i in shown(past(made), at)["items"]}


def test_a_head_of_weights_and_its_late_digest_stand_beside_the_model():
    made, path = Stock(), "/models/b/model.safetensors"
    opened(made, path)
    content(made, path, named="model-b", architecture="llama", parameters=8 << 30, size=99)
    for number in range(AWAITED):
        opened(made, f"/v/lib/site-packages/p{number}/__init__.py", time=3.0)
    content(made, path, time=900.0, sha256=A)
    more = next(i for i in past(made).items if i.kind == "model").more
    assert (more["named"], more["architecture"], more["parameters"], more["sha256"]) == (
        "model-b",
        "llama",
        str(8 << 30),
        A,
    )


def test_weights_that_were_replaced_say_so():
    made, path = Stock(), "/models/b/model.safetensors"
    opened(made, path)
    content(made, path, sha256=A)
    content(made, path, time=50.0, sha256=B)
    [model] = past(made).items
    assert (model.more["sha256"], model.more["sha256_before"]) == (B, A)


def test_one_file_of_several_is_not_the_digest_of_the_model():
    made, path = Stock(), "/models/b/model-00001-of-00003.safetensors"
    opened(made, path)
    content(made, path, sha256=A, parameters=5, named="b")
    [model] = past(made).items
    assert "sha256" not in model.more and (model.more["shard_sha256"], model.more["shard_parameters"]) == (A, "5")


def test_an_edited_skill_is_a_change_with_both_digests():
    made = Stock()
    opened(made, SKILL)
    content(made, SKILL, sha256=A)
    content(made, SKILL, time=500.0, sha256=B)
    assert versions(made, 1.5) == versions(made, 400.0) == {(f"sha256:{A[:16]}", "verified")}
    assert versions(made, 600.0) == {(f"sha256:{B[:16]}", "verified")}
    [change] = difference(past(made), 400.0, 600.0)
    assert (change["change"], change["before"], change["version"]) == (
        "changed",
        f"sha256:{A[:16]}",
        f"sha256:{B[:16]}",
    )
    assert [(c.change, c.version[7]) for c in changes(past(made), 300.0)] == [("added", "b"), ("removed", "a")]


def test_one_that_was_edited_back_is_the_old_one_again():
    made = Stock()
    opened(made, SKILL)
    for time, digest in ((2.0, A), (500.0, B), (700.0, A)):
        content(made, SKILL, time=time, sha256=digest)
    assert [versions(made, at) for at in (400.0, 600.0, 800.0)] == [
        {(f"sha256:{d[:16]}", "verified")} for d in (A, B, A)
    ]


def test_a_version_ends_with_the_process_that_had_the_file_open():
    made = Stock()
    opened(made, SKILL)
    content(made, SKILL, sha256=A)
    made.note(event(1, "exit", time=300.0, pid=7), identity(), DAY)
    assert versions(made, 200.0) and not versions(made, 400.0)
    made.observe(window(1, use(f"open:data:{SKILL}", data={"path": SKILL}), start=600.0), identity(), DAY)
    assert versions(made, 650.0) == {(f"sha256:{A[:16]}", "verified")}


def test_two_replicas_may_have_two_versions():
    made = Stock()
    for number, digest in ((1, A), (2, B)):
        opened(made, SKILL, number=number)
        content(made, SKILL, number=number, sha256=digest)
    opened(made, SKILL, number=3)
    found = {(i["version"][:8], tuple(i["replicas"])) for i in shown(past(made), 400.0)["items"]}
    assert found == {("sha256:a", ("n1/1",)), ("sha256:b", ("n1/2",)), ("unknown", ("n1/3",))}


def test_a_file_that_was_opened_before_its_owner_had_a_name_has_its_version():
    made, before = Stock(), Stock()
    opened(before, SKILL)
    made.adopt(before)
    content(made, SKILL, sha256=A)
    assert versions(made, 400.0) == {(f"sha256:{A[:16]}", "verified")}


def test_what_could_not_be_read_has_no_version_and_says_why():
    made = Stock()
    opened(made, SKILL)
    content(made, SKILL, unread="too large")
    [skill] = past(made).items
    assert (skill.version, skill.more["unread"]) == ("unknown", "too large")


def test_content_of_what_nobody_opened_is_nothing():
    made = Stock()
    content(made, SKILL, sha256="x" * 64)
    opened(made, SKILL)
    content(made, SKILL, sha256="not hex")
    assert [i.version for i in past(made).items] == ["unknown"]
