"""A report as HTML: one file that asks for nothing, runs nothing, and shows any name as what it is."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from html.parser import HTMLParser

import pytest

from console.report.page import page
from tests.console.report import fifteen, hostile

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Tree(HTMLParser):
    """Tags, attributes and texts of a page; and that every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open, self.drawings = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *a) for a in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "svg":
            self.drawings.append(attrs)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *a) for a in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module", params=["fifteen", "hostile"])
def html(request):
    return page({"fifteen": fifteen, "hostile": hostile}[request.param].report())


def test_the_page_asks_for_nothing_and_runs_nothing(html):
    tree = Tree(html)
    assert tree.open == []
    assert not {"script", "img", "iframe", "object", "embed", "link", "form", "base", "style2"} & set(tree.tags)
    names = {name for _, name, _ in tree.attributes}
    assert not [n for n in names if n.startswith("on")] and not names & {"src", "srcset", "style", "action"}
    assert all(value.startswith("#") for _, name, value in tree.attributes if name == "href")
    assert "url(" not in html.partition("</style>")[0] and "@import" not in html


def test_the_policy_allows_the_one_style_sheet_only(html):
    css = html.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_the_page_can_be_heard_as_well_as_seen(html):
    tree = Tree(html)
    assert ("html", "lang", "en") in tree.attributes and "title" in tree.tags
    assert all(("role", "img") in a or ("aria-hidden", "true") in a for a in tree.drawings)
    tables, captions = tree.tags.count("table"), tree.tags.count("caption")
    assert tables == captions > 0
    scopes = [v for tag, n, v in tree.attributes if tag == "th" and n == "scope"]
    assert scopes.count("col") == 5 * tables and scopes.count("row") > 0
    levels = [int(t[1]) for t in tree.tags if re.fullmatch(r"h[1-6]", t)]
    assert levels[0] == 1 and all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_links_lead_to_a_place_on_the_page(html):
    tree = Tree(html)
    ids = [v for _, n, v in tree.attributes if n == "id"]
    assert len(ids) == len(set(ids))
    assert {v[1:] for _, n, v in tree.attributes if n == "href"} <= set(ids)


def test_sums_events_and_reasons_are_on_the_page():
    text = " ".join(Tree(page(fifteen.report())).texts)
    for words in ("15 changes = 6 expected evolution", "event dep-419 (dependency change by renovate)",
                  "no matching event within 24 h before and 0.5 h after", "refused: bad signature",
                  "What cannot be seen from a node", "Appendix: normal variance, 1"):  # fmt: skip
        assert words in text, words


def test_hostile_names_stay_texts():
    html = page(hostile.report())
    html.encode("utf-8")  # a lone surrogate would not
    tree = Tree(html)
    assert "alert" not in "".join(v or "" for _, n, v in tree.attributes if n not in ("aria-label",))
    assert "<script" not in html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]", html)
    assert "A" * 700 not in html and len(html) < 600_000


def test_no_workload_is_said():
    empty = fifteen.made([], [], {}, span=fifteen.SPAN, policy=fifteen.Policy(), source="x")
    assert "No workload was seen" in page(empty)


def luminance(colour):
    """Of a colour such as #1b1f24 or #fff, as WCAG 2 defines it."""
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(2 * d for d in digits)
    channels = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "paper"])
def test_every_text_colour_stands_out_enough(theme):
    css = page(fifteen.report()).partition("<style>")[2].partition("</style>")[0]
    colours = dict(re.findall(r"--(\w+):(#\w+)", re.findall(r":root\{([^}]*)\}", css)[theme]))
    for ground in ("bg", "card"):
        for ink in ("ink", "soft", "risky", "review", "evolution", "event"):
            light, dark = sorted((luminance(colours[ground]), luminance(colours[ink])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


def test_each_change_says_which_rule_gave_its_label():
    """A row risky with a probability of 0.02 looked like a mistake: the truth table had decided it."""
    texts = Tree(page(fifteen.report())).texts
    assert texts.count("Label by") == len(list(fifteen.report().parts[0].rows))
