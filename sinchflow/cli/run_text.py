"""Runs as people read them: lists, and the whole story of one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from sinchflow.cli.output import cell, table
from sinchflow.errors import UsageError
from sinchflow.sinch.words import shown

_HEAD = ("id", "began", "flow", "contact", "status", "what of it")
_LONGEST_LINE = 200
_WIDEST_STEP = 24


def since_of(text: str | None, option: str) -> datetime | None:
    """The time that an option names: how long ago (`2h`), or an ISO 8601 time. Raises UsageError."""
    from sinchflow.expression.durations import parse_duration

    if text is None:
        return None
    if (ago := parse_duration(text.strip())) is not None:
        return datetime.now(UTC) - ago
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f'{option} "{text}": write how long ago (30m, 2h, 1d) or a time (2026-03-02T22:30)') from None
    return time.astimezone(UTC)  # without an offset: as this machine's clock has it


def at(time: str, now: datetime, zone: tzinfo | None = None) -> str:
    """A time in the zone, else in the machine's; the day only where it is not today."""
    local, today = datetime.fromisoformat(time).astimezone(zone), now.astimezone(zone)
    return f"{local:%H:%M:%S}" if local.date() == today.date() else f"{local:%Y-%m-%d %H:%M:%S}"


def listed(runs: list[dict[str, Any]], now: datetime, zone: tzinfo | None = None) -> str:
    """A table of runs. zone: see `at`."""
    return table(
        _HEAD,
        (
            (run["id"], at(run["started_at"], now, zone), run["flow"], run["contact"], status(run),
             _what(run, now, zone))
            for run in runs
        ),
    )  # fmt: skip


def status(run: dict[str, Any]) -> str:
    """How the run stands, in a word or two."""
    retried = f" (retry {run['retries']})" if run["retries"] else ""
    return f"{run['doing'] or run['status']}{retried}"


def _what(run: dict[str, Any], now: datetime, zone: tzinfo | None) -> str:
    if run["status"] == "running":
        return "; ".join(waits(run, now, zone))
    place = f" ({run['place']})" if run["place"] else ""
    return f"{run['reason'] or ''}{place}"


def waits(run: dict[str, Any], now: datetime, zone: tzinfo | None = None) -> Iterator[str]:
    """What an open run waits for, and until when. zone: see `at`."""
    for wait in run["waits_for"]:
        until = "" if wait["until"] is None else f" until {at(wait['until'], now, zone)}"
        yield f"{wait['step']}: {wait['for']}{until}"


def story_lines(run: dict[str, Any], now: datetime) -> Iterator[str]:
    """All that is known of a run."""
    ended = "" if run["ended_at"] is None else f" {at(run['ended_at'], now)}, {_lasted(run)} after it began"
    yield f"run {run['id']} of {cell(run['flow'])}: {status(run)}{ended}"
    yield from (f"  {name.ljust(8)} {value}" for name, value in _facts(run, now) if value)
    yield ""
    yield from trace_text(run["trace"], now)
    if run["sends"]:
        yield ""
        head = ("send", "state", "to", "tries", "message_id", "message", "reason")
        yield table(
            head,
            (
                (each["id"], each["state"], each["to"], each["attempts"], each["message_id"], each["message"],
                 each["reason"])
                for each in run["sends"]
            ),
        )  # fmt: skip
    if not run["are_all_sends"]:
        yield "there are more messages than are shown"


def _facts(run: dict[str, Any], now: datetime) -> Iterator[tuple[str, str]]:
    yield "reason", shown(run["reason"] or "", 2_000)
    yield "failed at", run["place"] or ""
    for each in waits(run, now):
        yield "waits", shown(each)
    event = run["event"]
    kind = "(its event is kept no more)" if event is None else f"{event['kind']} {event['id']}"
    yield "began", f"{at(run['started_at'], now)} with {kind}"
    if event is not None:
        for name, value in event["fields"].items():
            if name in ("content", "status", "path", "inputs"):
                yield "", f"{name}: {shown(str(value), _LONGEST_LINE)}"
    yield "contact", run["contact"] or ""
    yield "flow", f"{run['file'] or '(its document is kept no more)'}  digest {run['digest'][:12]}"
    for name in ("inputs", "vars", "outputs"):
        yield name, ", ".join(f"{key}={shown(str(value), 80)}" for key, value in run[name].items())
    if (parent := run["parent"]) is not None:
        yield "begun by", _relative(parent)
    for child in run["children"]:
        yield "began run", _relative(child)
    if run["status"] == "failed":
        yield "retry", run["cannot_retry"] or f"sinchflow runs retry {run['id']}"


def _relative(run: dict[str, Any]) -> str:
    reason = f": {shown(run['reason'], 100)}" if run["reason"] else ""
    return f"{run['id']} of {cell(run['flow'])}, {run['status']}{reason}"


def _lasted(run: dict[str, Any]) -> str:
    from sinchflow.runtime.status import span

    lasted: timedelta = datetime.fromisoformat(run["ended_at"]) - datetime.fromisoformat(run["started_at"])
    return f"{lasted.total_seconds():.1f} s" if lasted < timedelta(minutes=1) else span(lasted)


def _took(seconds: float) -> str:
    from sinchflow.runtime.status import span

    return f"{seconds:g} s" if seconds < 60 else span(timedelta(seconds=seconds))


def trace_text(records: list[dict[str, Any]], now: datetime, zone: tzinfo | None = None) -> Iterator[str]:
    """A whole trace, aligned. zone: see `at`."""
    names = [_named(record) for record in records]
    width = max((len(name) for name in names), default=0)
    place = max((len(record["place"] or "") for record in records), default=0)
    if not records:
        yield "  (its trace is kept no more)"
    for name, record in zip(names, records, strict=True):
        yield from trace_lines(record, now, name.ljust(width), (record["place"] or "").ljust(place), zone)


def _named(record: dict[str, Any]) -> str:
    action = f" ({record['action']})" if record["action"] not in (None, record["step"]) else ""
    return cell(f"{record['step']}{action}", _WIDEST_STEP)


def trace_lines(
    record: dict[str, Any], now: datetime, name: str = "", place: str = "", zone: tzinfo | None = None
) -> Iterator[str]:
    """One record of a trace; what has several lines is shown as such."""
    took = "" if record["took_s"] is None else _took(record["took_s"])
    what = {"command": "asks", "outcome": "got", "left_out": "…"}.get(record["what"], record["what"])
    first, *rest = record["text"].split("\n")
    when = f"{at(record['at'], now, zone)}  {took.rjust(9)}"
    head = f"{when}  {name or _named(record)}  {place}{'  ' if place else ''}{what:<8}"
    yield f"{head} {shown(first, 500)}".rstrip()
    yield from (" " * 12 + "| " + shown(line, 500) for line in rest)
