"""The provider's list of numbers that opted out: number authorisation (sinch-api.md section 11).

A message to a listed number is accepted and then reported as rejected. Numbers are E.164 here, with their `+`,
whatever way the provider writes them.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from sinchflow.sinch.client import Calls
from sinchflow.sinch.failure import ask

_LIST = "/v1/number_authorisation/mt/blacklist"
#: Numbers in one request.
MOST_PER_CALL = 10
#: Pages of 100 that are read at most: a list that never ends is the provider's fault, not a reason to hang.
_MOST_PAGES = 10_000


async def opt_out(calls: Calls, numbers: Sequence[str]) -> None:
    """Put numbers on the list; those that are on it stay. Raises CallFailed."""
    for start in range(0, len(numbers), MOST_PER_CALL):
        portion = list(numbers[start : start + MOST_PER_CALL])
        await ask(calls, "POST", _LIST, {"numbers": portion}, expect=(200, 201), reads=False)


async def opt_in(calls: Calls, number: str) -> None:
    """Take a number off the list. One that was not on it is no mistake. Raises CallFailed."""
    await ask(calls, "DELETE", f"{_LIST}/{quote(number, safe='')}", expect=(200, 204, 404), reads=False)


async def opted_out(calls: Calls) -> list[str]:
    """All numbers on the list, in the provider's order. Raises CallFailed."""
    found: list[str] = []
    token: str | None = None
    for _ in range(_MOST_PAGES):
        answer = await ask(calls, "GET", _LIST if token is None else f"{_LIST}?{urlencode({'token': token})}")
        numbers = answer.get("numbers") if isinstance(answer, dict) else None
        found += [with_plus(str(number)) for number in numbers or ()]
        following = (answer.get("pagination") or {}) if isinstance(answer, dict) else {}
        following_token = following.get("page") if following.get("next_uri") else None
        if not numbers or not following_token or str(following_token) == token:
            return found
        token = str(following_token)
    return found


async def is_authorised(calls: Calls, numbers: Sequence[str]) -> dict[str, bool]:
    """For each number whether messages to it are delivered: false is opted out. Raises CallFailed."""
    path = ",".join(quote(number, safe="") for number in numbers)
    answer: Any = await ask(calls, "GET", f"/v1/number_authorisation/is_authorised/{path}")
    entries = answer.get("numbers") if isinstance(answer, dict) else None
    told = {with_plus(str(each.get("number"))): bool(each.get("authorised")) for each in entries or ()}
    return {number: told[with_plus(number)] for number in numbers if with_plus(number) in told}


def with_plus(number: str) -> str:
    """An international number with its `+`; lists leave it out."""
    return f"+{number}" if number.isascii() and number.isdigit() else number
