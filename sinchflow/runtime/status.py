"""The daemon's state as one object, for the screen at 2 am and for programs: what is live, and what the journal tells.

Pure: whoever asks has gathered the parts. The same object comes of a journal without a daemon, with less in it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sinchflow.journal.survey import Survey

#: A send whose outcome is not known is looked up; longer than this is out of the ordinary.
_LONG_UNKNOWN = timedelta(hours=1)
#: A message that waits longer than this for its call waits because of something.
_LONG_QUEUED = timedelta(minutes=15)
#: An accepted event is routed within a second, or within 30 s when its contact's runs are at work.
_LONG_UNROUTED = timedelta(minutes=2)
#: Room that a busy daemon's journal may fill within a day.
_LITTLE_ROOM_BYTES = 1_000_000_000

#: What helps when a daemon may be there and does not tell.
_NOT_ASKED = "ask as the user that it runs as; when it hangs, its log says more: restart it"
#: What helps, by the subject of a trouble.
REMEDIES = {
    "provider": "sinchflow doctor; messages wait and leave by themselves once it answers",
    "journal": "sinchflow doctor; free disk space: webhooks are refused, and Sinch repeats them",
    "reload": "sinchflow validate",
    "quarantine": "sinchflow events reparse --all, once the webhook's template is mended",
    "webhooks": "sinchflow doctor; sinchflow keys list",
    "drift": "sinchflow drift, then sinchflow apply",
    "catch_up": "sinchflow doctor",
    "look_up": "sinchflow doctor; sinchflow sends list --state unknown",
    "opt_outs": "sinchflow doctor",
    "retention": "sinchflow runs list --status running; raise retention.max_size in sinchflow.yaml",
    "restored": "sinchflow restore --release, or sinchflow restore --cancel",
}


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs a hand: what it is, the command that helps, and whether it is an alarm."""

    subject: str
    what: str
    command: str
    is_red: bool = True


def status(
    *,
    now: datetime,
    looked: Survey | str,
    live: Mapping[str, Any] | None,
    troubles: Mapping[str, str],
    missing: str = "",
    is_gone: bool = True,
) -> dict[str, Any]:
    """All of it. looked: at the journal, or why that failed. live: the daemon's own part; None: no daemon runs.

    missing: why there is none, with what helps. is_gone: false where one may be there that cannot be asked.
    """
    survey = looked if isinstance(looked, Survey) else None
    paused = None if survey is None else survey.settings.get("paused")
    found: dict[str, Any] = {
        "at": now.isoformat(timespec="seconds"),
        "paused": None if paused is None else msgspec.json.decode(paused),
        "troubles": dict(troubles),
        **({"daemon": None} if live is None else live),
        **({"journal": {"unreadable": str(looked)}} if survey is None else _of_survey(survey)),
    }
    for part in ("events", "runs"):  # the journal's counts and those in memory, side by side
        if live is not None and part in live and survey is not None:
            found[part] = {**getattr(survey, part), **live[part]}
    needs = [*_needs(found, now, missing, is_gone=is_gone)]
    found["needs"] = msgspec.to_builtins(needs)
    found["is_red"] = any(need.is_red for need in needs)
    return found


def _of_survey(survey: Survey) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(survey)
    del plain["settings"]
    return plain


def _needs(found: Mapping[str, Any], now: datetime, missing: str, *, is_gone: bool) -> Iterator[Need]:
    if missing:
        yield Need(subject="daemon", what=missing, command="sinchflow run" if is_gone else _NOT_ASKED)
    if (paused := found["paused"]) is not None:
        yield Need(subject="paused", what=in_words(paused, now), command="sinchflow resume")
    for subject, words in sorted(found["troubles"].items()):
        kind = subject.partition(":")[0]
        if kind not in ("paused", "quarantine"):  # said with a count elsewhere
            yield Need(subject=subject, what=first_finding(words), command=REMEDIES.get(kind, "sinchflow doctor"))
    unreadable = found["journal"].get("unreadable")
    if unreadable and not missing and "journal" not in found["troubles"]:
        yield Need(subject="journal", what=unreadable, command="sinchflow doctor")
    if unreadable:
        return
    yield from _sends(found, now)
    yield from _others(found, now)


def _sends(found: Mapping[str, Any], now: datetime) -> Iterator[Need]:
    sends = found["sends"]
    if count := sends["held"]["count"]:
        which = _count(
            count, "message is held: nobody knows whether it", "messages are held: nobody knows whether they"
        )
        yield Need(
            subject="held",
            what=f"{which} went out",
            command="sinchflow sends list --state held, then sinchflow sends resolve",
        )
    if count := found["held_calls"]:
        yield Need(
            subject="held_calls",
            what=f"{_count(count, 'run is', 'runs are')} held at an `http` call: nobody knows whether it was done",
            command="sinchflow runs list --status held, then sinchflow runs resolve",
        )
    unknown = _age(sends["unknown"]["oldest_at"], now)
    if unknown > _LONG_UNKNOWN:
        yield Need(
            subject="unknown",
            what=f"{_count(sends['unknown']['count'], 'message is', 'messages are')} still looked up "
            f"(the oldest for {span(unknown)})",
            command="sinchflow sends list --state unknown",
        )
    queued = _age(sends["queued"]["oldest_at"], now)
    if queued > _LONG_QUEUED and found["paused"] is None and found["daemon"] is not None:
        yield Need(
            subject="queued",
            what=f"{_count(sends['queued']['count'], 'message waits', 'messages wait')} for a call "
            f"(the oldest for {span(queued)})",
            command="sinchflow sends list --state queued",
            is_red=False,
        )


def _others(found: Mapping[str, Any], now: datetime) -> Iterator[Need]:
    unrouted = _age(found["events"]["oldest_at"], now)
    if unrouted > _LONG_UNROUTED and found["daemon"] is not None:
        yield Need(
            subject="backlog",
            what=f"{_count(found['events']['unrouted'], 'event waits', 'events wait')} to be routed "
            f"(the oldest for {span(unrouted)})",
            command="look at the log; sinchflow runs list shows what is at work",
        )
    if count := found["quarantine"]["count"]:
        yield Need(
            subject="quarantine",
            what=f"{_count(count, 'webhook body', 'webhook bodies')} could not be read "
            f"({found['quarantine']['last_reason']})",
            command=REMEDIES["quarantine"],
        )
    free = found["journal"]["free_bytes"]
    if free is not None and free < _LITTLE_ROOM_BYTES:
        yield Need(
            subject="disk",
            what=f"{size(free)} are free on the journal's disk",
            command="free some space, or lower retention in sinchflow.yaml",
        )
    if unread := [name for name, read_at in found.get("opt_out_lists", {}).items() if read_at is None]:
        yield Need(
            subject="opt_outs",
            what=f"Sinch's list of opt-outs cannot be read (account {', '.join(unread)}): what was known still holds",
            command=REMEDIES["opt_outs"],
            is_red=False,
        )
    failed = found["runs"]["failed_lately"]
    if failed["count"]:
        flows = ", ".join(f"{name} {count}" for name, count in [*failed["flows"].items()][:5])
        yield Need(
            subject="failed",
            what=f"{_count(failed['count'], 'run', 'runs')} failed in the last 24 hours ({flows})",
            command="sinchflow runs list --status failed, then sinchflow runs retry",
            is_red=False,
        )
    if count := found.get("internal_errors"):
        yield Need(
            subject="internal",
            what=f"{_count(count, 'internal error', 'internal errors')} since the start",
            command="look for `internal error` in the log, and report it",
            is_red=False,
        )


def in_words(paused: Mapping[str, Any], now: datetime) -> str:
    """Since when sends are paused, by whom and why."""
    since = datetime.fromisoformat(paused["since"])
    who = f" by {paused['by']}" if paused.get("by") else ""
    why = f": {paused['reason']}" if paused.get("reason") else ""
    return f"sends are paused since {since.astimezone():%Y-%m-%d %H:%M} ({span(now - since)}){who}{why}"


def first_finding(words: str) -> str:
    """The line of a long reason that says the most: the first finding, `file:line:col: …`, of a refused reload."""
    lines = [line for line in words.splitlines() if line.strip()]
    return lines[1] if len(lines) > 1 and lines[0].endswith(":") else lines[0] if lines else ""


def span(duration: timedelta) -> str:
    """About how long, for people: `3 d 4 h`, `12 min`, `40 s`."""
    seconds = max(0, round(duration.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def size(size_bytes: int) -> str:
    """About how much, for people: `1.2 GB`."""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1_000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1_000
    return f"{amount:.1f} TB"


def _age(time: str | None, now: datetime) -> timedelta:
    return timedelta() if time is None else now - datetime.fromisoformat(time)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
