"""One list for both sides."""

from wire.frameworks import FRAMEWORKS, LOCAL, TALKING


def test_who_loads_weights_is_not_taken_for_who_talks():
    assert not TALKING & LOCAL
    assert {"openai", "anthropic", "mcp", "@modelcontextprotocol/sdk"} <= TALKING
    assert "torch" in FRAMEWORKS - TALKING


def test_names_are_spelled_as_their_indexes_do():
    assert all(name == name.lower() and "_" not in name and " " not in name for name in FRAMEWORKS)
