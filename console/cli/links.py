"""`driftline finding chain` and `driftline trace chain`: from a trigger to its effects, and how each link is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from console.cli.configured import EXISTING, asked, trace_options
from console.cli.failure import Failure
from console.cli.fold import tell
from console.cli.output import emit_json, emit_table, json_option, moment, note, say, track

Values = Mapping[str, Any]
EDGES, ORIGINS = 64, 32  # that are shown; --json has all
NAME = 48  # characters of an event
LIKELY = 8  # events that may be the trigger
CAUGHT = ("user_turn", "inbound")


@click.command()
@click.argument("id")
@trace_options
@json_option
@click.pass_context
def finding_chain(ctx: click.Context, id: str, as_json: bool, **where: Any) -> None:
    """Show what led to a finding and what came of it: trigger, model calls, tool calls, effects, and what is missing.

    \b
    Example:
      driftline finding chain 3f9a1c --json
    """
    from console.cli.findings import by_id

    source = asked(ctx, **where)
    found = by_id(source, id, lambda whole: source.get("findings", whole, "chain"))
    _emit(found, as_json=as_json)


@click.command()
@click.argument("file", type=EXISTING)
@click.argument("events", nargs=-1, metavar="[EVENT]...")
@json_option
def trace_chain(file: str, events: tuple[str, ...], as_json: bool) -> None:
    """Show the chain around events of a trace, by their ids; without ids, that of the last tool call.

    \b
    Example:
      driftline trace chain incident.trace n1/7f3a/112
    """
    from classifier.links.view import of_events
    from wire.records import Event
    from wire.trace import read

    told = [r for r in track(read(file), "reading") if isinstance(r, Event)]
    known = {e.id for e in told}
    if missing := [i for i in events if i not in known]:
        raise Failure(f"{file}: holds no event {missing[0]}", f'see "driftline trace show {file} --kind event"')
    wanted = events or tuple(e.id for e in told if e.kind in ("tool", "mcp"))[-1:]
    if not wanted:
        raise Failure(f"{file}: holds no tool call", "give the id of an event")
    _emit(of_events(told, wanted), as_json=as_json)


def _emit(found: Values, *, as_json: bool) -> None:
    if as_json:
        emit_json(found)
        return
    said = found.get("said") or {}
    _head(found, said)
    _layers(found)
    _edges(found, said)
    _origins(found)
    _signs(found, said)
    for words in found.get("lost") or ():
        note(str(words))


def _head(found: Values, said: Values) -> None:
    say(f"{found.get('behaviour') or 'no tool was called'}  {found.get('complete')} layers")
    trigger = found.get("trigger") or {}
    facts = {
        "trigger": f"{trigger.get('kind')}  {moment(trigger.get('time')) or ''}".rstrip(),
        "words": str(trigger.get("excerpt") or ""),
        "digest": str(trigger.get("digest") or ""),
        "known": _known(trigger),
        "why not": "" if trigger.get("kind") in CAUGHT else str(trigger.get("why")),
        "or": ", ".join(_name(i, said) for i in (trigger.get("possible") or ())[:LIKELY]),
        "also": ", ".join(_name(i, said) for i in (trigger.get("also") or ())[:LIKELY]),
        "looked": _looked(found.get("looked") or {}),
        "agents": ", ".join(map(str, found.get("agents") or ())),
    }
    for name, words in facts.items():
        if words:
            tell(words, begin=f"{name:<9}  ")
    for edge in found.get("possible") or ():
        tell(f"{_name(edge.get('source'), said)}: {edge.get('why')}", begin="possible   ")


def _known(trigger: Values) -> str:
    """By what a trigger is known; of a finding its state, too, and whether links say so or time."""
    if trigger.get("kind") not in CAUGHT:
        return ""
    how = f"{trigger.get('state')}, by {trigger.get('by')}; " if trigger.get("state") else ""
    return f"{how}{trigger.get('basis')}: {trigger.get('why')}"


def _looked(looked: Values) -> str:
    if not looked:
        return ""
    span = f"{moment(looked.get('from'))} to {moment(looked.get('until'))}" if looked.get("events") else "nowhere"
    return f"{span}, {looked.get('events')} events; {looked.get('why')}"


def _layers(found: Values) -> None:
    say("\nLayers")
    rows = ((la.get("name"), la.get("state"), la.get("events"), la.get("reason")) for la in found.get("layers") or ())
    emit_table(("layer", "state", "events", "why not whole"), rows)


def _edges(found: Values, said: Values) -> None:
    edges = list(found.get("edges") or ())
    if not edges:
        say("\nNothing is linked to these events")
        return
    say("\nLinks")
    rows = (
        (
            moment((said.get(e.get("target")) or {}).get("time")),
            e.get("kind"),
            _name(e.get("source"), said),
            _name(e.get("target"), said),
            e.get("method"),
            e.get("basis"),
            f"{e.get('why')}{_others(e, said)}",
        )
        for e in edges[:EDGES]
    )
    emit_table(("time", "link", "from", "to", "by", "basis", "why"), rows)
    if edges[EDGES:]:
        say(f"  and {len(edges) - EDGES} more; --json lists them")


def _others(edge: Values, said: Values) -> str:
    others = [_name(i, said) for i in edge.get("ambiguous") or ()]
    return f"; AMBIGUOUS with {', '.join(others)}" if others else ""


def _origins(found: Values) -> None:
    origins = list(found.get("origins") or ())
    if not origins:
        return
    say("\nWhere values in arguments came from")
    rows = (
        (
            o.get("call"),
            o.get("kind"),
            o.get("value"),
            f"{o.get('source')}({o.get('why')})" if o.get("why") else o.get("source"),
            ", ".join(o.get("also") or ()),
        )
        for o in origins[:ORIGINS]
    )
    emit_table(("call", "kind", "value", "from", "also in"), rows)
    if origins[ORIGINS:]:
        say(f"  and {len(origins) - ORIGINS} more; --json lists them")


def _signs(found: Values, said: Values) -> None:
    signs = found.get("signs") or {}
    if signs:
        say("\nCalls that may be somebody else's order (signs, no proof)")
        rows = (
            (_name(i, said), s.get("weight"), ", ".join(s.get("signs") or ())) for i, s in list(signs.items())[:ORIGINS]
        )
        emit_table(("call", "weight", "signs"), rows)


def _name(id_: Any, said: Values) -> str:
    fact = said.get(id_) or {}
    what = str(fact.get("what") or "")
    return f"{what[:NAME]}{'…' * (len(what) > NAME)} [{id_}]" if fact else str(id_)
