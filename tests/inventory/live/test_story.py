"""Three moments around a change of model and a side-loaded tool server: three answers, live and from the trace."""

import pytest

from tests.inventory.live import story
from tests.kernel import lab
from tests.observe.capability import possible

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def told():
    possible(lab.missing())
    with story.folder() as folder:
        return story.tell(folder)


def test_the_afternoon_is_told_as_it_was(told):
    assert story.problems(told) == []


def test_three_moments_are_three_answers(told):
    answers = [(m.models, m.servers) for m in told.moments]
    assert len(told.moments) == 3 and answers[0] != answers[1] != answers[2]


def test_what_each_process_of_the_agent_reads_is_there_at_each_moment(told):
    """The second one opened its prompt in the very window in which the first one ended."""
    assert all(story.names(m.found, "prompt") == ["system.md"] for m in told.moments)


def test_a_tool_server_that_was_heard_says_its_version_and_its_tools(told):
    [server] = [i for i in told.moments[2].found["items"] if i["name"] == "mcp-files"]
    assert (server["version"], server["basis"]) == ("3.1", "verified")
    assert "mcp-files-search" in story.names(told.moments[2].found, "tool")


def test_what_is_wrong_would_be_said(told):
    assert story.schema({"bomFormat": "Other"}) and story.schema({})
