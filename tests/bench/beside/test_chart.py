"""The picture is made of the figures alone, and says what stands in it."""

import xml.etree.ElementTree as xml

import pytest

from bench.beside import chart
from tests.bench.beside.samples import results


def test_the_same_figures_give_the_same_bytes():
    assert chart.draw(results()) == chart.draw(results())


def test_other_figures_give_another_picture():
    changed = results()
    changed["samples"]["nginx, strace -f -c, inside"] = [9e9] * 7
    assert chart.draw(changed) != chart.draw(results())


def test_it_is_one_svg_without_a_date():
    drawn = chart.draw(results())
    assert xml.fromstring(drawn).tag.endswith("svg")
    assert b"<dc:date>" not in drawn


def test_axes_marks_and_what_did_not_run_are_labelled(monkeypatch):
    """Text is drawn as paths, so that it looks the same everywhere; here it is asked of the canvas."""
    said = []

    def words(canvas):
        for ax in canvas.axes:
            said.extend(t.get_text() for t in (*ax.texts, ax.title, *ax.get_yticklabels()))
            said.append(ax.get_title(loc="left"))
        said.append(canvas.get_supxlabel())
        said.extend(t.get_text() for t in canvas.legends[0].get_texts())
        assert canvas.axes[0].get_xscale() == "log"
        return b""

    monkeypatch.setattr(chart, "_svg", words)
    chart.draw(results())
    assert {"driftline", "strace -f -c", "did not run", chart.WORDS, "what the tool watches"} <= set(said)
    assert "getppid, 103 ns without" in said


@pytest.mark.parametrize("load", ["getppid", "nginx"])
def test_a_single_load_is_a_picture_too(load):
    whole = results()
    one = {k: v for k, v in whole["samples"].items() if k.startswith(load)}
    assert b"</svg>" in chart.draw(whole | {"samples": one})
