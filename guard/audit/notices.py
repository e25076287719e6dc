"""What is no finding to rows: spans without sight, refused news, what people overrode, what retention took."""

from __future__ import annotations

from typing import Any

from guard.audit.canon import digest
from guard.audit.ledger import Draft
from wire import codec
from wire.records import Deploy, Event, Gap, Pin, Record


def of(record: Record, key: str) -> Draft | None:
    """The row of a record that stands by itself; None for one that needs none."""
    if isinstance(record, Gap):
        what = f"{record.node} was not observed: {record.reason}"
        return _draft(
            record, key, "sensing_gap", "gap", record.end, what, gap=_gap(record.node, record.start, record.end)
        )
    if isinstance(record, Deploy):
        words = f"a deploy event about {record.workload} was refused: {record.refused}"
        told = {
            name: getattr(record, name) for name in ("id", "kind", "source", "actor", "refused", "revision", "trust")
        }
        return _draft(
            record, key, "deploy_refused", record.refused, record.received, words, record.workload, deploy=told
        )
    if isinstance(record, Pin):
        done = "took back" if not record.value else f"set to {record.value!r}"
        words = f"{record.actor} {done}: {record.what} of {record.workload}"
        told = {name: getattr(record, name) for name in ("what", "value", "actor", "note", "until")}
        return _draft(record, key, "override", record.what, record.time, words, record.workload, pin=told)
    return None


def gap(key: str, *, what: str, time: float, words: str, workload: str = "", record: Record | None = None,
        **content: Any) -> Draft:  # fmt: skip
    """A row that says that something is not seen, or is seen again."""
    return _draft(record, key, "sensing_gap", what, time, words, workload, **content)


def hole(first: int, last: int, now: float) -> Draft:
    """The classifier's feed let go of entries before they were written."""
    words = f"{last - first + 1} entries of the classifier's feed were let go before they were written down"
    return gap(f"hole/{first}-{last}", what="feed_hole", time=now, words=words, entries={"first": first, "last": last})


def other_key(before: str, after: str, now: float) -> Draft:
    """Another key signs from here on."""
    words = f"heads are signed by the key {after[:16]} from here on, before by {before[:16]}"
    return _draft(
        None, f"key/{before}/{after}/{now:.0f}", "key", "changed", now, words, keys={"from": before, "to": after}
    )


def untold(key: str, body: bytes, why: str, now: float) -> Draft:
    """An entry of the feed that could not be made a row; its bytes are kept as they were."""
    told = {
        "words": f"an entry could not be told: {why}",
        "records": [{"id": key, "kind": "feed", "digest": digest(body)}],
    }
    return Draft(f"untold/{key}", "untold", "failed", now, told, frames=((key, now, body),))


def retention(last: int, rows: int, records: int, days: float, now: float) -> Draft:
    """What retention took: the hashes stay, and prove what stood there to whoever has it."""
    words = (
        f"bodies of {rows} rows up to AR-{last:06d} and {records} records were removed after {days:g} days; hashes stay"
    )
    told = {"last": last, "rows": rows, "records": records, "days": days}
    return _draft(None, f"retention/{last}", "retention", "removed", now, words, removed=told)


def _gap(node: str, start: float | None, end: float | None) -> dict[str, Any]:
    return {"node": node, "start": start, "end": end}


def _draft(record: Record | None, key: str, kind: str, what: str, time: float, words: str, workload: str = "",
           **content: Any) -> Draft:  # fmt: skip
    frame = codec.encode(record) if record is not None else None
    id = record.id if isinstance(record, Event | Deploy) else key
    cited = [] if frame is None else [{"id": id, "kind": codec.NAMES[type(record)], "digest": digest(frame)}]
    kept = () if frame is None else ((id, time, frame),)
    return Draft(key, kind, what[:100], time, {"words": words, "records": cited, **content}, workload, frames=kept)
