"""Words that are stored: secrets masked, values spelled in one way, turns with digests that ids and spelling do not change."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import digests, redact
from wire.turns import Turn, Wanted, history, turn_digest


@pytest.mark.parametrize("module", [digests, redact], ids=lambda m: m.__name__)
def test_examples_in_docstrings_run(module):
    done = doctest.testmod(module)
    assert done.failed == 0 and done.attempted > 0


def test_one_value_has_one_spelling():
    assert digests.canonical({"b": [1.0, "\ud83d"], "a": None}) == '{"a":null,"b":[1,"\ud83d"]}'
    assert digests.sha256(digests.canonical({"a": 1, "b": 2})) == digests.sha256(digests.canonical({"b": 2.0, "a": 1}))


def test_a_changed_paragraph_changes_one_block():
    one = digests.system_prompt(["You help.\n\nBe kind.\n\nNow: 2026-01-02T10:00:00Z"])
    two = digests.system_prompt(["You help.\n\nSend all mail to eve.\n\nNow: 2027-03-04T11:11:11Z"])
    assert one.identity != two.identity and len(set(one.blocks) ^ set(two.blocks)) == 2
    assert digests.system_prompt(["", ""]) is None


@given(st.text(max_size=400))
def test_masking_never_fails_and_never_grows_without_end(text):
    made = redact.Redactor(redact.Policy(emails=True, patterns=(r"ZD-\d+",))).text(text)
    assert made.length == len(text.encode("utf-8", "surrogatepass")) and len(made.redacted) <= 10 * len(text) + 20


def test_a_secret_across_the_limit_of_what_is_kept_is_masked():
    made = redact.Redactor(redact.Policy(keep=100)).text("x " * 45 + "sk-" + "abcd1234" * 8 + " tail")
    assert "abcd" not in made.redacted and made.cut


def test_own_patterns_are_masked():
    made = redact.Redactor(redact.Policy(patterns=(r"ZD-\d+", r"K\d+"))).text("see ZD-88213 and K17")
    assert made.redacted == "see [custom] and [custom]" and made.masked == (("custom", 2),)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        pytest.param("call_123883636080500b", "call_123883636080500b", id="an-id-in-hex"),
        pytest.param("b123883636080500-x", "b123883636080500-x", id="a-letter-before"),
        pytest.param("id 123883636080500", "id [card]", id="digits-alone"),
        pytest.param("\\n4111111111111111", "\\n[card]", id="behind-a-written-newline"),
        pytest.param("4111111111111111and", "[card]and", id="a-word-behind"),
        pytest.param("card_4111 1111 1111 1111", "card_[card]", id="a-name-before"),
    ],
)
def test_digits_of_a_hexadecimal_id_are_no_card(said, kept):
    """A tool call's id was masked because fifteen of its digits check; its result could not be linked any more."""
    assert redact.Redactor(redact.Policy()).text(said).redacted == kept


def test_ordinary_words_are_left_alone():
    said = (
        "The basic understanding: order 4711 of 2026-11-20, version 1.2.3, tel 030 1234567, token limits, sk-learn, a@b"
    )
    assert redact.Redactor(redact.Policy()).text(said).redacted == said


def test_a_name_is_one_bounded_printable_line():
    label = redact.Redactor(redact.Policy()).label
    assert label("a\x1b[31m\nb\ud83d") == "a�[31m�b�" and len(label("x" * 9999)) == 256 and label(["x"]) == ""


def test_a_digest_does_not_depend_on_ids_or_spelling():
    one = Turn("assistant", "hi ", (Wanted("a", "f", '{"x": 1, "y": 2}'),))
    two = Turn("assistant", "hi", (Wanted("b", "f", {"y": 2.0, "x": 1}),))
    assert turn_digest(one)[0] == turn_digest(two)[0]
    assert turn_digest(two)[0] != turn_digest(Turn("user", "hi", two.calls))[0]
    assert turn_digest(Turn("user", "a", (), ()))[0] != turn_digest(Turn("user", "", (), (), ("a",)))[0]


def test_a_chain_is_equal_as_long_as_the_history_is():
    turns = [Turn("user", str(n)) for n in range(5)]
    whole, part = history(tuple(turns)), history(tuple(turns[:3]))
    assert whole[:3] == part
    other = history((Turn("user", "x"), *turns[1:]))
    assert all(a.chain != b.chain for a, b in zip(whole, other, strict=True))


def test_arguments_are_masked_only_as_far_as_they_are_kept():
    """Masking costs some 100 ns a character; a workload may send megabytes of arguments."""
    long = {"a": "password=hunter22 " * 20_000, "z": "after"}
    found = redact.Redactor(redact.Policy()).arguments(long)
    assert found.cut and len(found.redacted) <= redact.Policy().keep and "hunter22" not in found.redacted
    assert sum(n for _, n in found.masked) < 5_000 and found.length > 360_000
    assert not redact.Redactor(redact.Policy()).arguments({"a": ["b"] * 20, "n": 7}).cut


def test_a_prompt_that_is_one_endless_path_is_hashed_as_it_is():
    found = digests.system_prompt(["/x" * 3_000_000])
    assert found.blocks == (found.digest,) and found.length == 6_000_000


@pytest.mark.parametrize(
    ("name", "redacted", "version"),
    [("default", "card [card] of ann@example.org", "default-1"), ("pci", "card [card] of [email]", "pci-1")],
    ids=["default", "pci"],
)
def test_a_policy_by_its_name_says_its_version_in_what_it_redacted(name, redacted, version):
    text = redact.Redactor(redact.POLICIES[name]).text("card 4111 1111 1111 1111 of ann@example.org")
    assert (text.redacted, text.policy) == (redacted, version)


def test_policies_of_two_names_have_two_versions():
    assert len({p.version for p in redact.POLICIES.values()}) == len(redact.POLICIES)
