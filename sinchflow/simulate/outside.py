"""The outside world of `dev`: answers every call of an `http` step, so that nothing leaves the machine.

An `httpx` transport in the place of the network; with another transport inside it only looks on (`--live-http`).
"""

from collections.abc import Callable
from typing import Any

import httpx

#: Of a body that is shown.
_SHOWN_CHARACTERS = 2_000

#: Called with what is to be shown of a call: one line, and more by name (`method` `url` `body` `status`).
OnCall = Callable[[str, dict[str, Any]], None]


class OutsideWorld(httpx.AsyncBaseTransport):
    """Shows each call. Answers 200 and `{}` unless there is an `inner` transport that really calls."""

    def __init__(self, on_call: OnCall, inner: httpx.AsyncBaseTransport | None = None) -> None:
        self._on_call = on_call
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer. What `inner` raises is shown and goes on to the caller."""
        body = (await request.aread()).decode("utf-8", "replace")[:_SHOWN_CHARACTERS]
        line = f"{request.method} {request.url}"
        detail = {"method": request.method, "url": str(request.url), "body": body}
        if self._inner is None:
            self._on_call(f"{line} → 200 (stand-in)", {**detail, "status": 200})
            return httpx.Response(200, json={}, request=request)
        try:
            response = await self._inner.handle_async_request(request)
        except Exception as error:
            self._on_call(f"{line} → {type(error).__name__}: {error}", {**detail, "status": None})
            raise
        self._on_call(f"{line} → {response.status_code}", {**detail, "status": response.status_code})
        return response

    async def aclose(self) -> None:
        """Close what is inside."""
        if self._inner is not None:
            await self._inner.aclose()
