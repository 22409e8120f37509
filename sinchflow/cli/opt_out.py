"""`sinchflow opt-out`, `opt-in` and `opt-outs`: the provider's list of numbers that want no messages."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from sinchflow.cli.invocation import AsJson, OneAccount, root_of
from sinchflow.cli.output import cell, print_json, table
from sinchflow.errors import ProviderError, UsageError

if TYPE_CHECKING:
    from sinchflow.cli.provider import Provider
    from sinchflow.sinch.client import Calls

_Numbers = Annotated[list[str], typer.Argument(metavar="NUMBER...", help="Numbers; national ones as `country` says.")]


def opt_out(
    context: typer.Context, numbers: _Numbers, account: OneAccount = "default", as_json: AsJson = False
) -> None:
    """Put numbers on Sinch's list: messages to them are rejected from then on. Those on it stay.

    \b
    Example:
      sinchflow opt-out +61491570156 +61491570157
    """
    from sinchflow.cli.provider import Provider
    from sinchflow.sinch import authorisation

    async def put(calls: "Calls", done: list[str]) -> None:
        for start in range(0, len(wanted), authorisation.MOST_PER_CALL):
            portion = wanted[start : start + authorisation.MOST_PER_CALL]
            await authorisation.opt_out(calls, portion)
            done += portion

    provider = Provider(root_of(context))
    wanted = _e164(numbers, provider.project.country)
    _change(provider, account, put, is_opted_out=True, as_json=as_json)


def opt_in(context: typer.Context, numbers: _Numbers, account: OneAccount = "default", as_json: AsJson = False) -> None:
    """Take numbers off Sinch's list, for people who want messages again. Those not on it are no mistake.

    \b
    Example:
      sinchflow opt-in +61491570156
    """
    from sinchflow.cli.provider import Provider
    from sinchflow.sinch import authorisation

    async def take_off(calls: "Calls", done: list[str]) -> None:
        for number in wanted:
            await authorisation.opt_in(calls, number)
            done.append(number)

    provider = Provider(root_of(context))
    wanted = _e164(numbers, provider.project.country)
    _change(provider, account, take_off, is_opted_out=False, as_json=as_json)


def opt_outs(context: typer.Context, account: OneAccount = "default", as_json: AsJson = False) -> None:
    """List the numbers that Sinch sends no messages to, one a line.

    \b
    Examples:
      sinchflow opt-outs
      sinchflow opt-outs --json
    """
    from sinchflow.cli.provider import Provider, reach
    from sinchflow.sinch.authorisation import opted_out

    listed = reach(Provider(root_of(context)).connection(account), opted_out)
    if as_json:
        print_json({"numbers": listed})
    else:
        print("\n".join(cell(number) for number in listed) or "nobody has opted out")


def _e164(written: Iterable[str], country: str | None) -> list[str]:
    """The numbers, each once. Raises UsageError when one is none."""
    from sinchflow.engine.numbers import to_e164

    found = {each: to_e164(each, country) for each in written}
    if wrong := [each for each, number in found.items() if number is None]:
        raise UsageError(f'"{wrong[0]}" is not a phone number; write it as +COUNTRY…, or set `country`')
    return list(dict.fromkeys(number for number in found.values() if number is not None))


def _change(
    provider: "Provider",
    account: str,
    ask: "Callable[[Calls, list[str]], Awaitable[None]]",
    *,
    is_opted_out: bool,
    as_json: bool,
) -> None:
    """Carry it out, and tell what was done, also when the rest failed. Raises ProviderError."""
    from sinchflow.cli.provider import reach

    done: list[str] = []
    try:
        reach(provider.connection(account), lambda calls: ask(calls, done))
    except ProviderError as error:
        _tell(done, is_opted_out=is_opted_out, as_json=as_json)
        raise ProviderError(f"{error}; it does no harm to do it all again") from error
    _tell(done, is_opted_out=is_opted_out, as_json=as_json)


def _tell(done: Sequence[str], *, is_opted_out: bool, as_json: bool) -> None:
    if as_json:
        print_json({"numbers": [{"number": number, "opted_out": is_opted_out} for number in done]})
    elif done:
        words = "opted out" if is_opted_out else "opted in"
        print(table(("number", "status"), ((number, words) for number in done)))
