"""Command lines without their secrets, whatever is in them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.observe.secrets import readable, redacted

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_-def"


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        pytest.param(["app", "--password=hunter2"], ["--password=[redacted 7]"], id="option-with-value"),
        pytest.param(["app", "--db-password", "my pass"], ["--db-password", "[redacted 7]"], id="next-argument"),
        pytest.param(["env", "AWS_SECRET_ACCESS_KEY=wJal/rX"], ["AWS_SECRET_ACCESS_KEY=[redacted 7]"], id="variable"),
        pytest.param(["/usr/bin/mysql", "-phunter2", "db"], ["-p[redacted 7]", "db"], id="attached"),
        pytest.param(["sshpass", "-p", "pw", "ssh", "h"], ["-p", "[redacted 2]", "ssh", "h"], id="short-option"),
        pytest.param(["curl", "-u", "joe:pw", "h"], ["-u", "joe:[redacted 2]", "h"], id="user-pair"),
        pytest.param(["x", "AKIAIOSFODNN7EXAMPLE"], ["[redacted 20]"], id="aws"),
        pytest.param(["x", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"], ["[redacted 40]"], id="github"),
        pytest.param(["x", "sk-proj-abcdefghijklmnop"], ["[redacted 24]"], id="openai"),
        pytest.param(["x", JWT], [f"[redacted {len(JWT)}]"], id="jwt"),
        pytest.param(["curl", "-H", "Authorization: Bearer zzz"], ["-H", "Authorization: [redacted 10]"], id="header"),
        pytest.param(["git", "clone", "https://tok@h/x"], ["clone", "https://[redacted 3]@h/x"], id="url-token"),
        pytest.param(["psql", "postgres://a:b c@h/d"], ["postgres://a:b c@h/d"], id="no-url"),
        pytest.param(["curl", "https://h/?token=abc&x=1"], ["https://h/?token=[redacted 3]&x=1"], id="query"),
        pytest.param(["curl", "-d", '{"password": "a b"}'], ["-d", '{"password": [redacted 5]}'], id="json"),
        pytest.param(
            ["sh", "-c", "mysql -pa db; mkdir -p b"], ["-c", "mysql -p[redacted 1] db; mkdir -p b"], id="shell"
        ),
        pytest.param(["mkdir", "-p", "/x"], ["-p", "/x"], id="harmless-p"),
        pytest.param(["ssh", "-p", "22", "h"], ["-p", "22", "h"], id="port"),
        pytest.param(["app", "--password-file=/run/x"], ["--password-file=/run/x"], id="a-place-and-no-secret"),
        pytest.param(
            ["app", "--max-tokens=5", "--tokenizer", "gpt2"], ["--max-tokens=5", "--tokenizer", "gpt2"], id="models"
        ),
        pytest.param(["cat", "/etc/passwd"], ["/etc/passwd"], id="path"),
        pytest.param([], [], id="empty"),
    ],
)
def test_what_looks_like_a_secret_is_replaced_by_its_length(argv, found):
    assert redacted(argv)[1:] == found


@pytest.mark.parametrize(
    ("last", "found"), [("https://joe:hunt", "https://joe:[redacted 4]"), ("AKIAI", "[redacted 5]")]
)
def test_the_beginning_of_a_secret_that_was_cut_is_one(last, found):
    assert redacted(["x", last], cut=True)[1] == found
    assert redacted(["x", last])[1] == last


def test_a_marker_keeps_its_space_when_the_argument_is_escaped():
    assert readable("a\\x20[redacted\\x2023]") == "a\\x20[redacted 23]"


HOSTILE = st.text(st.sampled_from("-=:@/ \"'\\aZ09._\n\ue000\ue001"), max_size=80)
WORDS = st.sampled_from(["token", "password", "eyJ", "sk-", "://", "mysql -p", "Bearer ", "[redacted 3]", "AKIA"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(HOSTILE | WORDS, max_size=12).map("".join), max_size=6), st.booleans())
def test_nothing_in_a_command_line_breaks_it(argv, cut):
    found = redacted(argv, cut=cut)
    assert len(found) == len(argv)
    assert not any(c in a for a in found for c in "\ue000\ue001")


@settings(max_examples=100, deadline=None)  # one that went back and forth would not end
@given(st.sampled_from(["pass_", "a_b.", "token-", "://", "eyJ.", "mysql -", "x-key", "sk-a-", "password "]))
def test_long_repetition_costs_no_more_than_its_length(part):
    redacted(["sh", "-c", (part * 4096)[:4096]], cut=True)
