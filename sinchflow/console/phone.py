"""The customer's phone as a web page, for `dev`: text in, and see what comes back.

It is given the conversation's lines and a way to text in; it knows neither provider nor flows.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route


class Line(Protocol):
    """One thing that happened: a message, a receipt, a call, a note."""

    @property
    def number(self) -> int:
        """Ascending, from 1."""
        ...

    @property
    def at(self) -> datetime:
        """When."""
        ...

    @property
    def kind(self) -> str:
        """`in` `out` `receipt` `call` `note`."""
        ...

    @property
    def text(self) -> str:
        """What it says."""
        ...

    @property
    def customer(self) -> str | None:
        """Whose phone it belongs to."""
        ...

    @property
    def detail(self) -> dict[str, Any]:
        """More, by kind."""
        ...


class Texting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the page posts: a text of a customer's."""

    customer: str
    text: str


#: The page is one file and asks nobody else for anything.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def routes(
    lines_after: Callable[[int], Sequence[Line]],
    text_in: Callable[[str, str], Awaitable[str | None]],
    customers: Sequence[str],
) -> list[Route]:
    """The page and what it asks for: `/phone`, `/phone/lines`, `/phone/texts`.

    lines_after: the lines with a higher number. customers: the phones that are there from the start.
    text_in: texts in as a customer; gives a reason when that number or text will not do, else None.
    """
    page = files("sinchflow").joinpath("console", "static", "phone.html").read_text(encoding="utf-8")

    async def show(_: Request) -> Response:
        return HTMLResponse(page, headers=_HEADERS)

    async def lines(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        found = lines_after(int(after) if after.isascii() and after.isdigit() else 0)
        content = [
            {
                "number": line.number,
                "at": line.at.isoformat(),
                "kind": line.kind,
                "text": line.text,
                "customer": line.customer,
                "detail": line.detail,
            }
            for line in found
        ]
        return JSONResponse({"customers": list(customers), "lines": content}, headers={"Cache-Control": "no-store"})

    async def texts(request: Request) -> Response:
        if not request.headers.get("content-type", "").startswith("application/json"):
            # A page from elsewhere can post forms to us, but not JSON without asking first.
            return JSONResponse({"error": "post JSON"}, 415)
        try:
            texting = msgspec.json.decode(await request.body(), type=Texting)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return JSONResponse({"error": str(error)}, 400)
        problem = await text_in(texting.customer, texting.text)
        return JSONResponse({"error": problem}, 400) if problem else JSONResponse({}, 202)

    return [
        Route("/phone", show),
        Route("/phone/lines", lines),
        Route("/phone/texts", texts, methods=["POST"]),
    ]
