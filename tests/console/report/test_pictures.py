"""Pictures of a report: well-formed, with a text for who cannot see them, one mark a change."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from console.report import pictures
from tests.console.report import fifteen, hostile


def parsed(svg):
    return ElementTree.fromstring(svg)


@pytest.fixture
def part():
    return fifteen.report().parts[0]


@pytest.mark.parametrize("width", [pictures.WIDE, pictures.NARROW])
def test_the_timeline_has_a_mark_for_every_change(part, width):
    svg = parsed(pictures.timeline(part, fifteen.SPAN, width))
    assert [len(svg.findall(f".//{tag}[@class='{name}']")) for tag, name in (
        ("circle", "evolution"), ("path", "risky"), ("rect", "review"), ("rect", "revision"), ("rect", "gap"),
    )] == [6, 5, 4, 4, 1]  # fmt: skip
    assert svg.get("role") == "img" and svg.get("aria-label").startswith("Timeline of 15 changes")


def test_everything_lies_within_the_picture(part):
    for width in (pictures.WIDE, pictures.NARROW):
        svg = parsed(pictures.timeline(part, fifteen.SPAN, width))
        for tag in svg.iter():
            assert 0 <= float(tag.get("x", 0)) <= width and 0 <= float(tag.get("cx", 0)) <= width


def test_events_that_changed_nothing_are_drawn_in_another_way(part):
    svg = parsed(pictures.timeline(part, fifteen.SPAN))
    assert len(svg.findall(".//line[@class='event']")) == 6 and len(svg.findall(".//line[@class='event idle']")) == 2


def test_a_bar_has_a_part_for_each_outcome_and_says_its_numbers():
    svg = parsed(pictures.bar({"risky": 0.96, "benign": 0.036, "evolution": 0.004}))
    assert [r.get("width") for r in svg.findall("rect")] == ["96.0", "3.6", "0.4"]
    assert svg.get("aria-label") == "Probability: risky 0.960, benign 0.036, evolution 0.004"
    assert pictures.bar({}) == ""


def test_convergence_is_drawn_where_there_is_a_series(part):
    assert parsed(pictures.convergence(part)).find(".//path[@class='curve']") is not None
    assert pictures.convergence(fifteen.made([], [], {"w": {}}, span=fifteen.SPAN, policy=fifteen.Policy(), source="")
                                .parts[0]) == ""  # fmt: skip


def test_hostile_names_leave_the_pictures_well_formed():
    report = hostile.report()
    for width in (pictures.WIDE, pictures.NARROW):
        for svg in (
            pictures.timeline(report.parts[0], report.span, width),
            pictures.convergence(report.parts[0], width),
        ):
            assert {t.tag for t in parsed(svg).iter()} <= {"svg", "title", "text", "rect", "path", "line", "circle"}
