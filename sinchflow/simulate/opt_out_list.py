"""Numbers that want no more messages: the account's list, and the endpoints that read and change it (section 11).

What the documents leave open is decided so: the words below opt their sender out, whether or not the text answers a
message of ours; numbers are compared by their digits, listed without a plus and echoed as asked about; a token is a
place in the list, and the last page has none.
"""

from typing import Any

import msgspec

from sinchflow.simulate.call import Call, bad_request, not_allowed
from sinchflow.simulate.web import Reply

#: A text that is nothing but one of these opts its sender out; case and a full stop at the end do not matter.
WORDS = frozenset({"STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "OPTOUT", "OPT OUT", "OPT-OUT"})

MOST_PER_CALL = 10
_LIST = "/v1/number_authorisation/mt/blacklist"
_ASK = "/v1/number_authorisation/is_authorised/"


class OptOutList:
    """The listed numbers, oldest first."""

    def __init__(self) -> None:
        self._numbers: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, number: str) -> bool:
        return number.removeprefix("+") in self._numbers

    def add(self, number: str) -> bool:
        """List a number. False: it was there already."""
        digits = number.removeprefix("+")
        is_new = digits not in self._numbers
        self._numbers[digits] = None
        return is_new

    def remove(self, number: str) -> bool:
        """Take a number off the list. False: it was not there."""
        if number not in self:
            return False
        del self._numbers[number.removeprefix("+")]
        return True

    def clear(self) -> None:
        """Take all off."""
        self._numbers.clear()

    @property
    def numbers(self) -> list[str]:
        """All of them, without a plus."""
        return list(self._numbers)


def is_opt_out(text: str) -> bool:
    """Whether the whole text is one of the `WORDS`."""
    return " ".join(text.upper().rstrip(" .!\r\n\t").split()) in WORDS


def answer(call: Call, page_size: int) -> Reply:
    """The endpoints of /v1/number_authorisation."""
    numbers = call.account.opted_out
    match call.method, call.path:
        case "GET", path if path == _LIST:
            return _page(call, numbers.numbers, page_size)
        case "POST", path if path == _LIST:
            return _add(call, numbers)
        case "DELETE", path if path.startswith(f"{_LIST}/"):
            if not numbers.remove(path.removeprefix(f"{_LIST}/")):
                return Reply(404)
            return Reply(200, b"The number has been successfully deleted.", media_type=b"text/plain")
        case "GET", path if path.startswith(_ASK):
            return _authorised(path, numbers)
        case _:
            return not_allowed(call)


def _page(call: Call, numbers: list[str], page_size: int) -> Reply:
    token = call.query.get("token")
    if token is not None and not (token.isascii() and token.isdigit()):
        return bad_request("token: is no token of ours")
    start = int(token or 0)
    pagination: dict[str, str] = {}
    if start + page_size < len(numbers):
        following = str(start + page_size)
        pagination = {"page": following, "next_uri": f"{_LIST}?token={following}"}
    uri = _LIST if token is None else f"{_LIST}?token={token}"
    return Reply(200, {"uri": uri, "numbers": numbers[start : start + page_size], "pagination": pagination})


def _add(call: Call, listed: OptOutList) -> Reply:
    try:
        numbers = msgspec.json.decode(call.body, type=dict[str, list[str]])["numbers"]
    except (ValueError, KeyError, RecursionError):
        return bad_request("/numbers: must be an array of numbers")
    if not 1 <= len(numbers) <= MOST_PER_CALL:
        return bad_request(f"/numbers: must hold between 1 and {MOST_PER_CALL} numbers")
    wrong = [index for index, number in enumerate(numbers) if not _is_number(number)]
    if wrong:
        return bad_request(*(f"/numbers/{index}: is no number in international format" for index in wrong))
    added = [listed.add(number) for number in numbers]
    body: dict[str, Any] = {"uri": _LIST, "numbers": [number.removeprefix("+") for number in numbers]}
    return Reply(201 if any(added) else 200, body)


def _authorised(path: str, listed: OptOutList) -> Reply:
    numbers = path.removeprefix(_ASK).split(",")
    if not all(_is_number(number) for number in numbers):
        return bad_request("numbers: must be numbers in international format, separated by commas")
    found = [{"number": number, "authorised": number not in listed} for number in numbers]
    return Reply(200, {"uri": path, "numbers": found})


def _is_number(text: str) -> bool:
    digits = text.removeprefix("+")
    return digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 15
