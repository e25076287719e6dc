"""The golden traces: each a small story, its findings beside it. `python -m tests.golden.stories` writes both anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from classifier.drift.finding import findings_json
from tests.classifier.story import ATTACK, NEW_PEER, POLICY, TOOL, born, days, learned, play, rollout
from wire.records import Record
from wire.trace import Writer, read

HERE = Path(__file__).parent


def rollout_and_theft() -> list[Record]:
    """A declared rollout, then an undeclared shell with a token and a stranger on one replica."""
    new = {3: (NEW_PEER, TOOL), 4: (NEW_PEER, TOOL)}
    story = [*learned(1, 2), rollout(40.5), born(3, revision="r2", time=41.0), born(4, revision="r2", time=41.0)]
    story += days(41, 60, 1, 2, 3, 4, uses=new)
    return [*story, *days(60, 61, 3, 4, uses={3: (NEW_PEER, TOOL, *ATTACK), 4: new[4]}), *days(61, 70, 3, 4, uses=new)]


def theft_without_a_deploy() -> list[Record]:
    """The same theft on a workload that nobody has touched."""
    return [*learned(1, 2), *days(40, 41, 1, 2, uses={1: ATTACK}), *days(41, 50, 1, 2)]


def forged_event() -> list[Record]:
    """A workload posts its own deploy event and then does what it announced."""
    lie = rollout(40.5, id="forged", trust="none", refused="bad signature")
    return [*learned(1, 2), lie, *days(41, 45, 1, 2, uses={1: (NEW_PEER,)}), *days(45, 60, 1, 2)]


def autoscaling() -> list[Record]:
    """Two replicas become twelve and two again: nothing to say."""
    many = range(1, 13)
    story = [*learned(1, 2), *(born(n, time=40.0) for n in range(3, 13)), *days(40, 50, *many)]
    return [*story, *days(50, 60, 1, 2)]


STORIES: dict[str, Callable[[], list[Record]]] = {
    "rollout-and-theft": rollout_and_theft,
    "theft-without-a-deploy": theft_without_a_deploy,
    "forged-event": forged_event,
    "autoscaling": autoscaling,
}


def main() -> None:
    for name, story in STORIES.items():
        with Writer(HERE / f"{name}.trace") as trace:
            for record in story():
                trace.add(record)
        (HERE / f"{name}.findings.json").write_text(
            findings_json(play(read(HERE / f"{name}.trace"), POLICY).findings())
        )


if __name__ == "__main__":
    main()
