"""Orders to a stage: what begins, ends and is answered; and the files that a replica finds."""

from __future__ import annotations

import io
import json
import sys

import pytest

from console.demo import ground, orders
from console.demo.breach import script, stage, town


@pytest.fixture
def obeyed(monkeypatch, capsys, tmp_path):
    """Gives orders; says what was begun, what was ended, and every answer."""

    def give(*told, more=lambda order: {"number": order.get("number")}):
        begun, ended = [], []
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(json.dumps(order) + "\n" for order in told)))
        monkeypatch.setattr(ground, "end", lambda process, cgroup: ended.append((process, cgroup)))

        def begin(app, revision, cgroup):
            begun.append((app, revision, cgroup))
            return len(begun)

        orders.obey(tmp_path, begin, more)
        return begun, ended, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return give


def start(number):
    return {"start": "agent", "revision": "v1", "number": number}


def test_a_replica_begins_in_its_own_cgroup_and_every_order_has_one_answer(obeyed, tmp_path):
    begun, _, answers = obeyed(start(1), start(2))
    assert begun == [("agent", "v1", tmp_path / f"agent/v1-{n}") for n in (1, 2)]
    assert answers == [{"ready": True}, {"number": 1}, {"number": 2}]


def test_what_was_ended_is_ended_once_and_the_rest_with_the_input(obeyed, tmp_path):
    _, ended, _ = obeyed(start(1), start(2), {"stop": "agent", "revision": "v1", "number": 1})
    assert ended == [(1, tmp_path / "agent/v1-1"), (2, tmp_path / "agent/v1-2")]


def test_what_a_story_orders_besides_begins_nothing(obeyed):
    here = town.Town()
    told = ({"open": True}, {"job": "weekly-export"}, {"inject": True}, {"ask": "state"})
    begun, _, answers = obeyed(*told, more=lambda order: stage.obey(order, here))
    assert begun == [] and here.open and answers[3] == {"ticket": here.jobs[1]["id"]}
    assert [here.jobs[0], here.jobs[1]["text"]] == [{"job": "weekly-export"}, script.INJECTED]
    assert answers[4] == {"reads": 0, "begun": 0.0, "bytes": 0}


def test_an_image_is_made_once_and_its_files_name_the_place_where_they_are_found(tmp_path):
    made = ground.image(tmp_path / "a-v1", {"agent.py": 'open("/app/settings.json")', "ca.pem": "MII/app+"})
    assert (made / "agent.py").read_text() == f'open("{ground.APP}/settings.json")'
    assert (made / "ca.pem").read_text() == "MII/app+"
    assert ground.image(made, {"agent.py": "other"}) == made and "settings" in (made / "agent.py").read_text()


def test_an_agent_gets_the_certificate_of_its_model_and_not_the_key(tmp_path):
    (tmp_path / "model.pem").write_text("-----BEGIN PRIVATE KEY-----\nx\n-----BEGIN CERTIFICATE-----\ny\n")
    files = stage.files("v2", tmp_path / "model.pem")
    assert files["ca.pem"] == "-----BEGIN CERTIFICATE-----\ny\n"
    assert {"agent.py", "tools.py", "export.py", "prompt.md"} < files.keys()
    assert json.loads(files["settings.json"]) == stage.REVISIONS["v2"]
