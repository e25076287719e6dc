"""What is sealed for a key is opened by that key and no other, and errors hold no part of a key or a text."""

import pytest

from sensor.originals import sealing
from sensor.originals.sealing import SealingError, new_key, opener, sealer

TEXT = b"card 5500 0000 0000 0004"


@pytest.mark.parametrize("text", [b"x", TEXT, b"\xff\x00" * 70_000], ids=["one-byte", "words", "over-a-block"])
def test_a_sealed_text_is_opened_by_its_key(text):
    private, public = new_key()
    sealed = sealer([public])(text)
    assert sealed.startswith(b"age-encryption.org/v1\n")
    assert len(text) == 1 or text not in sealed
    assert opener(f"# public key: {public}\n{private}\n")(sealed) == text


def test_any_of_several_recipients_opens_it():
    pairs = [new_key(), new_key()]
    sealed = sealer([public for _, public in pairs])(TEXT)
    assert [opener(private)(sealed) for private, _ in pairs] == [TEXT, TEXT]


def test_two_seals_of_one_text_do_not_show_that_it_is_one():
    seal = sealer([new_key()[1]])
    assert seal(TEXT) != seal(TEXT)


def test_another_key_and_a_changed_file_open_nothing():
    private, public = new_key()
    sealed = bytearray(sealer([public])(TEXT))
    with pytest.raises(SealingError, match="does not open it"):
        opener(new_key()[0])(bytes(sealed))
    sealed[-1] ^= 1
    with pytest.raises(SealingError, match="does not open it"):
        opener(private)(bytes(sealed))


@pytest.mark.parametrize(
    "text", ["", "age1", "ssh-ed25519 AAAA", new_key()[1][:-1] + "b"], ids=["empty", "head", "ssh", "typo"]
)
def test_what_is_no_public_key_is_refused(text):
    with pytest.raises(SealingError, match="no public key of age"):
        sealer([text])


def test_a_private_key_among_the_recipients_is_refused_and_not_repeated():
    private, _ = new_key()
    with pytest.raises(SealingError, match="take it off this machine") as refused:
        sealer([private])
    assert private not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "# only a comment\n", "no key", new_key()[1]], ids=["empty", "comment", "words", "public"]
)
def test_what_is_no_key_file_is_refused(text):
    with pytest.raises(SealingError, match="no key file of age"):
        opener(text)


def test_without_the_library_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyrage", None)
    with pytest.raises(SealingError, match=r"install driftline\[originals\]"):
        sealing.sealer(["age1x"])
