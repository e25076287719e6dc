"""Does a deviation continue what the workload does? Who did it, how, and in which sequences.

Closeness is 0.7 lineage + 0.2 call profile + 0.1 known sequences, over the parts that are known. Lineage leads,
because after a benign change sequences are new whoever makes them (drift-model 2.4: bigram novelty has AUC 0.50
there).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from classifier.drift.finding import Signal, Term
from classifier.drift.severity import RAW_PEER, is_secret, of_host, severity
from classifier.drift.sighting import Sighting
from classifier.envelope.envelope import Envelope
from classifier.envelope.lineage import base, plain_lineage
from classifier.envelope.strangers import ALONE

RUNTIMES = frozenset({"containerd-shim", "containerd-shim-runc-v", "runc", "crun", "conmon", "dockerd"})
SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})
KIN = 0.6  # nearness from which a peer's name is one more of a known owner
WEIGHTS = {"lineage": 0.7, "profile": 0.2, "sequences": 0.1}


def continuity(
    s: Sighting,
    envelope: Envelope,
    limits: tuple[float, float],
    *,
    named: bool = False,
    helpers: Collection[str] = (),
) -> tuple[Signal, tuple[Term, ...]]:
    """The signal and its parts.

    Args:
        limits: Closeness below which the pattern is broken, and from which it is continued; between them it cannot be
            told.
        named: A believed event names the behaviour, so that a secret or a bare address is as good as any other
    peer; who uses it is still asked.
    """
    if s.why == ALONE:
        return Signal(None, 0.0, f"learned, and so no stranger to itself; {s.broken}"), ()
    terms = tuple(
        t for t in (_lineage(s, envelope, named, helpers), _profile(s, envelope), _sequences(s)) if t is not None
    )
    if not terms:
        return Signal(None, 0.0, "nothing is known of who did it"), ()
    weight = sum(WEIGHTS[t.name] for t in terms)
    value = round(sum(WEIGHTS[t.name] * t.value for t in terms) / weight, 4)
    words = f"closeness {value:g}, broken below {limits[0]:g}, continued from {limits[1]:g}: "
    words += ", ".join(f"{t.words} ({t.value:g})" for t in terms)
    if interactive(s):
        return Signal(None, value, words + "; put beside the workload by its runtime, as a person would"), terms
    holds = True if value >= limits[1] else False if value < limits[0] else None
    if holds and s.why == "new" and s.behaviour.startswith("egress:") and s.near < KIN and not named:
        return Signal(None, value, words + "; but no name of this owner is known"), terms
    return Signal(holds, value, words), terms


def interactive(s: Sighting) -> bool:
    """Whether a runtime put this program beside the workload's own, as `kubectl exec` does."""
    if s.behaviour.startswith("exec:"):
        return plain_lineage(s.behaviour.partition("<")[2]) in RUNTIMES
    chain = s.lineage.split("<")
    return len(chain) > 1 and chain[-1] in RUNTIMES and chain[-2] in SHELLS


def _profile(s: Sighting, envelope: Envelope) -> Term | None:
    p = envelope.profiles.p_value(s.calls)
    return None if p is None else Term("profile", p, f"{p:.0%} of learned windows have calls as unusual")


def _sequences(s: Sighting) -> Term | None:
    if not s.grams:
        return None
    known = round(1 - s.novel / s.grams, 4)
    return Term("sequences", known, f"{s.novel} of {s.grams} sequences are new")


def _lineage(s: Sighting, envelope: Envelope, named: bool, helpers: Collection[str]) -> Term | None:
    if s.why == "new":
        return _of_exec(s, envelope) if s.behaviour.startswith("exec:") else _of_other(s, envelope, named, helpers)
    if s.why == "owner":
        return Term("lineage", 0.0, f"{s.lineage} never did this, {_some(envelope.items[s.behaviour].lineages)} does")
    item = envelope.items.get(s.behaviour)
    foreign = item is not None and item.lineages and s.lineages and not item.lineages & set(s.lineages)
    if s.why == "schedule" and not foreign:
        usual = item is not None and not item.unusual(s.peak_out, envelope.policy.volume_floor)
        words = "outside the hours of the week in which it was ever seen"
        return (
            Term("lineage", 0.7, f"{words}, by its owner and as much as ever")
            if usual
            else Term("lineage", 0.45, words)
        )
    if foreign:
        return Term("lineage", 0.0, f"known behaviour, but by {s.lineage} instead of {_some(item.lineages)}")
    return Term("lineage", 0.2 if s.note else 1.0, s.note or "known behaviour by a known owner")


def _of_exec(s: Sighting, envelope: Envelope) -> Term:
    path, _, parent = s.behaviour.removeprefix("exec:").partition("<")
    known = envelope.names
    folder, owner = path.rpartition("/")[0], plain_lineage(parent)
    if severity(s.behaviour) >= 2:
        return Term(
            "lineage", 0.2 if owner in known.images else 0.0, f"{path} is a shell, a tool or brought in, under {owner}"
        )
    if (owner, folder) in known.runs:
        return Term("lineage", 1.0, f"{owner} runs others from {folder}")
    if owner in known.owners or owner in known.images:
        return Term("lineage", 0.8, f"{owner} is known")
    value, words = (0.4, "known") if base(path) in known.programs else (0.0, "new")
    return Term("lineage", value, f"{base(path)} is {words}, {owner} never ran anything")


def _of_other(s: Sighting, envelope: Envelope, named: bool, helpers: Collection[str]) -> Term | None:
    if s.behaviour.startswith("syscall:"):
        return Term("lineage", 0.1, "never made before")
    image = s.lineage.split("<")[0] or base(s.image)
    if not image:
        return None
    kind = s.behaviour.split(":", 1)[0]
    same = (kind, image) in envelope.names.doers
    images = envelope.names.images
    chain = [base(i) for i in s.lineage.split("<")]
    # A new program among its owner's others was judged by its start; what it then does is half known.
    child = chain[0] in helpers and len(chain) > 1 and chain[1] in images and chain[1] not in SHELLS
    value = 1.0 if same else 0.6 if image in images else 0.5 if child else 0.0
    special = not named and (is_secret(s.behaviour) or RAW_PEER.match(s.behaviour) or of_host(s.behaviour))
    capped = min(value, 0.4) if special else value
    known = "known" if value > 0.5 else f"new, {chain[1]} started it" if child else "new"
    what = f"{image} does {kind} already" if same else f"{image} is {known}"
    return Term(
        "lineage",
        capped,
        what + (", never with a secret, a bare address or files of the host" if capped < value else ""),
    )


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:3]) + (f" and {len(ordered) - 3} more" if len(ordered) > 3 else "")
