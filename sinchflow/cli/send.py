"""`sinchflow send`: a message to one or many recipients, without flow or daemon."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from sinchflow.cli.invocation import AsJson, OneAccount, root_of
from sinchflow.cli.output import print_json, table
from sinchflow.cli.screen import console
from sinchflow.errors import ProviderError, UsageError

if TYPE_CHECKING:
    from sinchflow.cli.sending import Delivery, Fate

_LOOK = "look with `sinchflow message` or the provider's report before sending again"


class Format(StrEnum):
    """What the message travels as."""

    SMS = "SMS"
    MMS = "MMS"
    TTS = "TTS"


class SourceType(StrEnum):
    """What the sender is."""

    INTERNATIONAL = "INTERNATIONAL"
    ALPHANUMERIC = "ALPHANUMERIC"
    SHORTCODE = "SHORTCODE"


def send(
    context: typer.Context,
    to: Annotated[list[str], typer.Argument(metavar="TO...", help="Numbers; one TO may be a list with commas.")],
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="The text, in quotes; - reads it from stdin.")],
    *,
    account: OneAccount = "default",
    source_number: Annotated[
        str | None,
        typer.Option("--source-number", metavar="SENDER", help="Send from it.", show_default="the account's"),
    ] = None,
    source_number_type: Annotated[
        SourceType | None,
        typer.Option(
            "--source-number-type",
            metavar="TYPE",
            case_sensitive=False,
            help="What SENDER is: INTERNATIONAL, ALPHANUMERIC or SHORTCODE.",
        ),
    ] = None,
    no_delivery_report: Annotated[
        bool, typer.Option("--no-delivery-report", help="Ask for no reports on what becomes of it.")
    ] = False,
    callback_url: Annotated[
        str | None, typer.Option("--callback-url", metavar="URL", help="Replies and reports are posted there.")
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option("--metadata", metavar="KEY=VALUE", help="Comes back with replies and reports; up to 10 times."),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", metavar="FORMAT", case_sensitive=False, help="SMS, MMS or TTS (read aloud).")
    ] = Format.SMS,
    media: Annotated[
        list[str] | None,
        typer.Option("--media", metavar="URL", help="A picture of an MMS; may be given several times."),
    ] = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="TEXT", help="The subject of an MMS.")] = None,
    scheduled: Annotated[
        str | None,
        typer.Option(
            "--scheduled", metavar="TIME", help="Not before; like 2026-12-03T10:00, in the project's timezone."
        ),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="TIME", help="Discard it then (message_expiry_timestamp).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send a message to one or many recipients.

    National numbers are read in the project's country. Many recipients travel in batches, at the pace of the account's
    limits; one bad number loses only its own message. A text or number that begins with - goes after --.

    \b
    Exit codes: 0 all accepted; 1 some refused or no numbers; 4 the provider cannot be reached or takes nothing.

    \b
    Examples:
      sinchflow send +61491570156 "Your order is ready."
      sinchflow send 0491570156,0491570157 0491570158 "We close at 3 pm today." --metadata campaign=early
      sinchflow send +61491570156 "Our menu" --format MMS --media https://example.com/menu.png
      date | sinchflow send +61491570156 - --json
    """
    from sinchflow.cli.provider import Provider, reach
    from sinchflow.cli.sending import Delivery, Fate, Letter, messages_of

    letter = Letter(
        to=_numbers(to),
        message=_text(message),
        source_number=source_number,
        source_number_type=None if source_number_type is None else source_number_type.value,
        delivery_report=not no_delivery_report,
        callback_url=callback_url,
        metadata=_pairs(metadata or ()),
        format=format_.value,
        media=tuple(media or ()),
        subject=subject,
        scheduled=scheduled,
        message_expiry_timestamp=expires,
    )
    provider = Provider(root_of(context))
    connection = provider.connection(account)
    asked = messages_of(letter, connection, provider.project)
    batch = connection.limits.batch
    delivery = Delivery(asked.bodies, batch)
    try:
        with _progress(len(asked.bodies), batch) as progress:
            reach(connection, lambda calls: delivery.run(calls, progress))
    except KeyboardInterrupt:
        delivery.interrupt()
    fates = [
        *(fate for _, fate in sorted(delivery.fates.items())),
        *(Fate(to=each.to, state="skipped", reason=each.reason) for each in asked.skipped),
    ]
    _tell(fates, as_json=as_json)
    _end(delivery, fates)


def _numbers(named: Sequence[str]) -> tuple[str, ...]:
    """The recipients as written. Raises UsageError when the last of them looks like a part of the text."""
    if not any(char.isdigit() for char in named[-1]):
        raise UsageError(f'"{named[-1]}" is no number; if it belongs to the text, put the whole text in quotes')
    return tuple(number for each in named for part in each.split(",") if (number := part.strip()))


def _text(message: str) -> str:
    if message != "-":
        return message
    try:
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UsageError("the text on stdin is not UTF-8") from error


def _pairs(written: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for each in written:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise UsageError(f'--metadata "{each}": write it as KEY=VALUE')
        if key in pairs:
            raise UsageError(f'--metadata "{each}": {key} is given twice')
        pairs[key] = value
    return pairs


@contextmanager
def _progress(count: int, batch: int) -> "Iterator[Callable[[int], None]]":
    """What shows how many messages are settled: a bar on a terminal, when there is more than one batch."""
    if count <= batch or not sys.stderr.isatty():
        yield lambda _settled: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(is_error=True), transient=True) as bar:
        task = bar.add_task("sending", total=count)
        yield lambda settled: bar.update(task, completed=settled)


def _tell(fates: "Sequence[Fate]", *, as_json: bool) -> None:
    if as_json:
        from sinchflow.cli.sending import fates_as_data

        print_json(fates_as_data(fates))
    elif any(fate.state != "not sent" for fate in fates):
        rows = (
            (fate.to, fate.message.get("message_id"), fate.message.get("status") or fate.state, fate.reason)
            for fate in fates
        )
        print(table(("to", "message_id", "status", "reason"), rows))


def _end(delivery: "Delivery", fates: "Sequence[Fate]") -> None:
    """Raises what the command ends with, unless all were accepted."""
    counts = Counter(fate.state for fate in fates)
    if len(fates) > 1:
        print(", ".join(f"{count} {state}" for state, count in counts.items()), file=sys.stderr)
    if delivery.trouble is not None:
        raise ProviderError("; ".join((delivery.trouble, *_in_doubt(counts["unknown"]), *_left(counts["not sent"]))))
    if counts["accepted"] < len(fates):
        raise typer.Exit(1)


def _in_doubt(count: int) -> Iterator[str]:
    if count:
        yield f"{_messages(count)} may or may not have gone out: {_LOOK}"


def _left(count: int) -> Iterator[str]:
    if count:
        yield f"{_messages(count)} not sent"


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
