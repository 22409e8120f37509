"""The provider's list of numbers that opted out: number authorisation (sinch-api.md section 11).

A message to a listed number is accepted and then reported as rejected. Numbers are E.164 here, with their `+`,
whatever way the provider writes them.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from sinchflow.sinch.client import Calls
from sinchflow.sinch.failure import CallFailed, ask
from sinchflow.sinch.target import path_part

_LIST = "/v1/number_authorisation/mt/blacklist"
#: Numbers in one request; documented for opting out, and a path must not grow for ever either.
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
    await ask(calls, "DELETE", f"{_LIST}/{path_part(number, 'number')}", expect=(200, 204, 404), reads=False)


async def opted_out(calls: Calls) -> list[str]:
    """All numbers on the list, in the provider's order. Raises CallFailed."""
    found: list[str] = []
    token: str | None = None
    for _ in range(_MOST_PAGES):
        answer = await ask(calls, "GET", _LIST if token is None else f"{_LIST}?{urlencode({'token': token})}")
        numbers = _numbers(answer)
        found += [with_plus(str(number)) for number in numbers]
        pagination = answer.get("pagination")
        following = pagination.get("page") if isinstance(pagination, dict) and pagination.get("next_uri") else None
        if not numbers or not following or str(following) == token:
            return found
        token = str(following)
    return found


async def is_authorised(calls: Calls, numbers: Sequence[str]) -> dict[str, bool]:
    """For each number whether messages to it are delivered: false is opted out. Raises CallFailed.

    A number of which the provider says nothing is left out.
    """
    told: dict[str, bool] = {}
    for start in range(0, len(numbers), MOST_PER_CALL):
        path = ",".join(path_part(number, "number") for number in numbers[start : start + MOST_PER_CALL])
        for each in _numbers(await ask(calls, "GET", f"/v1/number_authorisation/is_authorised/{path}")):
            if isinstance(each, dict) and isinstance(each.get("authorised"), bool):
                told[with_plus(str(each.get("number")))] = each["authorised"]
    return {number: told[with_plus(number)] for number in numbers if with_plus(number) in told}


def _numbers(answer: Any) -> list[Any]:
    """What every answer here holds. Taken for an empty list, another shape would mean that nobody opted out."""
    numbers = answer.get("numbers") if isinstance(answer, dict) else None
    if not isinstance(numbers, list):
        raise CallFailed("the provider's answer is no list of numbers; check base_url", "unknown")
    return numbers


def with_plus(number: str) -> str:
    """An international number with its `+`; lists leave it out."""
    return f"+{number}" if number.isascii() and number.isdigit() else number
