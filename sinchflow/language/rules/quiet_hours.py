"""Messages that quiet hours always hold back, and waits that pass while people sleep."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sinchflow.expression.durations import parse_duration
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar, items_of
from sinchflow.language.outline import Outline, StepView
from sinchflow.language.quiet import Quiet, clock, times_of
from sinchflow.language.rules.rule import Rule, Settings

_SENDS = ("reply", "send_sms")
#: After these it is another time of day, or somebody has just written: then an answer goes out at any hour.
_PAUSES = ("delay", "wait_for_reply", "wait_for_receipt")
#: What looks at the time of day: who writes that has thought of the night.
_LOOKS = ("now(", "calendars")
#: Who waits for less does not mean to give people time: "we are calling the next on the list".
_SHORTEST_WAIT = timedelta(hours=1)


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    quiet = settings.quiet
    if quiet is None or not outline.has_all_triggers or _is_for_staff(outline, quiet):
        return
    yield from _scheduled(outline, quiet)
    if any(word in outline.document.text for word in _LOOKS) or {"inbound_sms", "opt_out"} & {*outline.kinds}:
        return
    yield from _ticks(outline, quiet)
    first = _first_steps(outline)
    if "schedule" not in outline.kinds:
        for step in first:
            yield from _given_up(outline, step, quiet)
    if first and "urgent" not in outline.document.text:
        yield from _outlasted(outline, first[-1], quiet)


def _is_for_staff(outline: Outline, quiet: Quiet) -> bool:
    contact = outline.root.get("contact")
    if isinstance(contact, Scalar) and contact.text in quiet.staff:
        return True
    return quiet.staff_list is not None and f"lists.{quiet.staff_list}" in outline.document.text


def _first_steps(outline: Outline) -> list[StepView]:
    """The steps of the time of day at which the flow starts, with the first that takes time."""
    for at, step in enumerate(outline.steps):
        if step.action in _PAUSES or step.action is None:
            return outline.steps[: at + 1]
    return outline.steps


def _ticks(outline: Outline, quiet: Quiet) -> Iterator[Diagnostic]:
    """Schedules that are due while it is quiet."""
    if not quiet.is_everywhere or not any(_is_held(step, quiet) for step in _first_steps(outline)):
        return
    for node, times in _schedules(outline, quiet):
        time = next((each for each in times if quiet.has(each)), None)
        if time is not None:
            what = f"its messages wait until {clock(quiet.hours.to)}"
            if quiet.hours.action == "drop":
                what = "none of its messages is sent then"
            message = f"at {clock(time)}, when this flow starts, it is quiet ({quiet}): {what}"
            hint = "choose a time outside policy.quiet_hours, or send with urgent: true"
            yield finding(outline.document.origin_of(node), RULE.id, message, hint, "warning")


def _schedules(outline: Outline, quiet: Quiet) -> Iterator[tuple[Scalar, list[int]]]:
    """Cron texts that go by the project's clock, and when they are due."""
    for trigger in outline.triggers:
        filters = trigger.filters
        cron = filters.get("cron") if trigger.kind == "schedule" and filters is not None else None
        zone = filters.get("timezone") if filters is not None else None
        is_local = zone is None or (isinstance(zone, Scalar) and zone.text == quiet.timezone)
        if isinstance(cron, Scalar) and is_local:
            yield cron, times_of(cron.text)


def _is_held(step: StepView, quiet: Quiet) -> bool:
    """Whether the step sends a message that quiet hours hold back."""
    if step.action not in _SENDS:
        return False
    node = step.actions[0][1]
    if not isinstance(node, Mapping):
        return True
    recipients = [item.text if isinstance(item, Scalar) else "" for item in items_of(node.get("to"))]
    is_for_staff = bool(recipients) and all(each in quiet.staff for each in recipients)
    return not (_is_urgent(node.get("urgent")) or node.entry("scheduled") or is_for_staff)


def _is_urgent(node: Node | None) -> bool:
    return node is not None and not (isinstance(node, Scalar) and node.value is False)


def _given_up(outline: Outline, step: StepView, quiet: Quiet) -> Iterator[Diagnostic]:
    """A message that is not worth waiting for its time, and nothing says what then."""
    given, root = step.node.get("timeout"), outline.root
    if given is None or quiet.hours.action == "drop" or not _is_held(step, quiet):
        return
    if step.node.entry("on_error") or step.scope.has_error or root.entry("on_error"):
        return
    timeout = _duration(given)
    if timeout is not None and timeout < timedelta(minutes=quiet.minutes):
        message = f'within quiet hours ({quiet}) the message waits for their end: after "{_text(given)}" the run fails'
        hint = "say what then with on_error, wait for longer, or send with urgent: true"
        yield finding(outline.document.origin_of(given), RULE.id, message, hint, "warning")


def _outlasted(outline: Outline, step: StepView, quiet: Quiet) -> Iterator[Diagnostic]:
    """A wait for an answer that ends while it is still quiet."""
    wait = step.actions[0][1] if step.action == "wait_for_reply" else None
    if not isinstance(wait, Mapping) or wait.entry("from"):
        return
    given = wait.get("timeout")
    timeout = _duration(given)
    if given is None or timeout is None or not _SHORTEST_WAIT <= timeout < timedelta(minutes=quiet.minutes):
        return
    minutes = int(timeout.total_seconds() // 60)
    begin = quiet.hours.from_ - 1
    if outline.kinds != ("schedule",) and minutes * 2 < quiet.minutes:
        return  # when it is asked is not known; who waits for a few hours may well ask by day only
    if outline.kinds == ("schedule",):
        # A message that is held back goes out when quiet ends, and so does the wait begin.
        times = [time for _, times in _schedules(outline, quiet) for time in times if not quiet.has(time)]
        late = next((time for time in times if quiet.has(time + minutes) and _is_mostly(quiet, time, minutes)), None)
        if late is None or not quiet.is_everywhere:
            return
        begin = late
    message = (
        f"most of this wait can be quiet ({quiet}): a question of {clock(begin)} is given up at "
        f"{clock(begin + minutes)}, while people sleep"
    )
    hint = f"wait for longer than they last, {quiet.minutes // 60 + 1}h, or ask earlier in the day"
    yield finding(outline.document.origin_of(given), RULE.id, message, hint, "warning")


def _is_mostly(quiet: Quiet, begin: int, minutes: int) -> bool:
    """Whether the greater part of a wait that ends in quiet hours is quiet."""
    return (quiet.hours.from_ - begin) % 1440 * 2 < minutes


def _scheduled(outline: Outline, quiet: Quiet) -> Iterator[Diagnostic]:
    """Times written out at which the provider sends: the gate looks at when it is handed over."""
    for text in outline.texts:
        if text.place == "send.scheduled" and not text.is_template:
            time = _local(text.scalar.text, quiet.timezone)
            if time is not None and quiet.is_everywhere and quiet.has(time.hour * 60 + time.minute):
                message = f"it is quiet then: {time:%H:%M} in {quiet.timezone} is within quiet hours ({quiet})"
                hint = "quiet hours hold back what is sent at once, but not what is scheduled: choose another time"
                yield finding(outline.document.origin_of(text.scalar), RULE.id, message, hint, "warning")


def _local(text: str, timezone: str) -> datetime | None:
    """The time on the project's clock; None where it cannot be told."""
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(ZoneInfo(timezone)) if time.tzinfo is not None else None
    except (ValueError, OSError, LookupError, OverflowError):
        return None


def _duration(node: Node | None) -> timedelta | None:
    return parse_duration(node.text) if isinstance(node, Scalar) else None


def _text(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else ""


RULE = Rule(
    id="quiet-hours",
    reason=(
        "In quiet hours messages wait for the morning, and people for the night to pass. A flow that always starts "
        "then, or waits for an answer for less than the night, does not do what it seems to say."
    ),
    failing="""\
# file: sinchflow.yaml
timezone: Australia/Melbourne
policy:
  quiet_hours: {from: 21:00, to: 08:00}
# file: flows/sample.yaml
on:
  schedule: {cron: "0 22 * * sun"}
contact: "+61491570156"
steps:
  - reply: The bins go out tomorrow.
""",
    corrected="""\
# file: sinchflow.yaml
timezone: Australia/Melbourne
policy:
  quiet_hours: {from: 21:00, to: 08:00}
# file: flows/sample.yaml
on:
  schedule: {cron: "0 19 * * sun"}
contact: "+61491570156"
steps:
  - reply: The bins go out tomorrow.
""",
    check=_check,
)
