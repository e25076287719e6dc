"""What every kernel answered to one page: probe by kernel by what it saw, and whether all of it is as it should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests import pages

HEAD = """# Kernels

Written by `make kernel`, which boots Debian's kernels under qemu with this machine's own files as their root, runs the
kernel tests in them and makes known loads; edit `tests/vm`, not this page. Emulation is for correctness: no times here.
What the loads and the tests attach is compiled on the machine itself, with the offsets that the guest tells, and verified, loaded
and attached by the guest's kernel; the hooks and all that the units load are compiled in the guest.

A cell is what was seen of the load. **Red** means that it differs from what was done.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One kernel."""

    series: str  # "6.1", or "this machine"
    release: str
    doctor: dict  # as `driftline doctor --json` says it
    facts: tuple[dict, ...]
    hooks: tuple[dict, ...] = ()  # empty: not tried, the kernel of this machine is not ours to hook
    tests: str = ""  # pytest's last line
    services: tuple[dict, ...] = ()
    cut: tuple[str, ...] = ()  # boots that did not come to their end
    guest: bool = False  # whether the rows below `facts` were asked at all

    @property
    def red(self) -> list[str]:
        """What is not as it should be, in words."""
        found = [f"{f['load']}: {f['seen']}" for f in self.facts if f["seen"] != f["wanted"]]
        found += [f"{h['hook']}: {h['seen']}" for h in self.hooks if h["seen"] != h["wanted"]]
        found += [f"{s['claim']}: {s['seen']}" for s in self.services if not s["holds"]]
        if "failed" in self.tests or "error" in self.tests:
            found.append(f"tests: {self.tests}")
        asked = ("facts", "hooks", "tests", "services") if self.guest else ("facts",)
        found += [f"no {name}" for name in asked if not getattr(self, name)]
        return found + [f"{what} did not come to its end" for what in self.cut]


def sum_of(lines: list[str], *, ended: bool) -> str:
    """pytest's own sum without its time.

    >>> sum_of(["....", "99 passed, 1 skipped in 12.34s"], ended=True)
    '99 passed, 1 skipped'
    """
    if not ended or not lines or " in " not in lines[-1]:
        return "error: no end within the time"
    return lines[-1].strip("= ").rpartition(" in ")[0]


def page(columns: list[Column]) -> str:
    """The whole page.

    >>> page([Column("6.1", "6.1.0-9", {"rows": []}, ({"probe": "files", "load": "3 opens", "wanted": 3, "seen": 3},))])[:9]
    '# Kernels'
    """
    return "\n".join([HEAD, *_facts(columns), *_hooks(columns), *_facilities(columns), *_services(columns)])


def _facts(columns: list[Column]) -> Iterator[str]:
    yield "## The same loads, seen by driftline's probes\n"
    rows = [[f["probe"], f["load"], *(_fact(c, n) for c in columns)] for n, f in enumerate(columns[0].facts)]
    rows.append(["", "kernel tests", *(c.tests or "in `make test`" for c in columns)])
    yield from _table(("probe", "load"), columns, rows)


def _fact(column: Column, index: int) -> str:
    if index >= len(column.facts):
        return "**Red**: no answer"
    fact = column.facts[index]
    return _text(fact["seen"]) if fact["seen"] == fact["wanted"] else f"**Red**: {_text(fact['seen'])}"


def _hooks(columns: list[Column]) -> Iterator[str]:
    yield "## Better hooks, and what stands in for them\n"
    yield "The same load seen by hooks that only an ordinary kernel has, tried in the guests beside driftline's own; and what runs"
    yield "where driftline takes one of two, for the probe of files ([probes.md](probes.md#which-hook-is-taken)).\n"
    rows = [
        [hook["hook"], f"{hook['wanted']:,} {hook['load']}", *(_hook(c, index) for c in columns), hook["stand_in"]]
        for index, hook in enumerate(max((c.hooks for c in columns), key=len))
    ]
    yield from _table(("hook", "must see"), columns, rows, "driftline uses")


def _hook(column: Column, index: int) -> str:
    if not column.hooks:
        return "not tried"
    if index >= len(column.hooks):
        return "**Red**: no answer"
    hook = column.hooks[index]
    return f"{hook['seen']:,}" if hook["seen"] == hook["wanted"] else f"**Red**: {_text(hook['seen'])}"


def _facilities(columns: list[Column]) -> Iterator[str]:
    yield "## What `driftline doctor` says\n"
    said = [{row["probe"]: row for row in c.doctor["rows"]} for c in columns]
    yield from _table(
        ("probe or facility",), columns, ([name, *(_state(s.get(name)) for s in said)] for name in said[0])
    )


def _state(row: dict | None) -> str:
    if row is None:
        return "**Red**: not named"
    if row["state"] == "no":
        return f"not on this kernel; {row['stand_in']}"
    words = (row["state"], row.get("hook"), row["stand_in"] if row["state"] == "stand-in" else "")
    return ": ".join(_text(w) for w in words if w)


def _services(columns: list[Column]) -> Iterator[str]:
    tried = [c for c in columns if c.services]
    if not tried:
        return
    yield "## Both units under systemd, observing the whole guest\n"
    said = [{s["claim"]: s for s in c.services} for c in tried]
    yield from _table(
        ("claim",), tried, ([claim, *(_service(s.get(claim)) for s in said)] for claim in max(said, key=len))
    )


def _service(found: dict | None) -> str:
    if found is None:
        return "not asked of this kernel"
    return _text(found["seen"]) if found["holds"] else f"**Red**: {_text(found['seen'])}"


def _table(first: Iterable[str], columns: list[Column], rows: Iterable[list[str]], *last: str) -> Iterator[str]:
    yield from pages.table([*first, *(f"{c.series} ({c.release})" for c in columns), *last], rows)
    yield ""


def _text(value: object) -> str:
    """Lists and tables in one cell."""
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_text(v)}" for k, v in sorted(value.items())) or "nothing"
    if isinstance(value, list | tuple):
        return ", ".join(_text(v) for v in value) or "nothing"
    return f"{value:,}" if isinstance(value, int) else str(value)
