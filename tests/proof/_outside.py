"""The world outside in a simulation: the simulated Sinch and the URLs of `http` steps, in memory, with their faults."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import aiohttp
import httpx

from sinchflow.simulate.events import Hooks
from sinchflow.simulate.fate import Timeline
from sinchflow.simulate.message import Message
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.simulate.pushes import Pusher
from tests.proof._virtual import BEGIN, VirtualLoop
from tests.proof._weather import CALL_FAULTS, REPORT_FAULTS, URL_FAULTS, Weather

_READ_TIMEOUT_S = 20.0
_REFUSED = {"message": "Sorry, we cannot accept this request", "details": ["/messages/0/destination_number: is bad"]}


class Outside:
    """What a process reaches by HTTP. at_departure: told of each batch of send ids that leaves."""

    def __init__(
        self, random: Random, weather: Weather, loop: VirtualLoop, say: Callable[[str], None],
        push: Callable[[str, bytes], None], at_departure: Callable[[list[dict[str, Any]]], None],
    ) -> None:  # fmt: skip
        self.random = random
        self.weather = weather
        self.loop = loop
        self.say = say
        self.is_healed = False
        self.at_departure = at_departure
        self.at_confirmation: Callable[[list[str]], None] = lambda _: None
        self.shown_at: dict[str, float] = {}  #: by message id, from when on the report shows it
        self.moment: Callable[[], None] = lambda: None  #: told whenever something has left or arrived
        self.departures: list[float] = []  #: of all calls of the provider's API
        self.copies: dict[str, list[tuple[float, Message]]] = defaultdict(list)  #: by send id, what the provider took
        self.requests: Counter[tuple[str, str, str]] = Counter()  #: of `http` steps: method, path, run
        self.fates: Counter[str] = Counter()
        timeline = Timeline(
            enroute_s=None, submitted_s=random.choice((None, 1.0)), final_s=random.choice((2.0, 40.0, 900.0))
        )
        self.sim = SimulatedSinch(
            api_key="key", api_secret="s3cret", hooks=Hooks(inbound_url="inbound", receipts_url="receipts"),
            timeline=timeline, pusher=_Pushes(push), now=lambda: BEGIN.timestamp() + loop.time(),
        )  # fmt: skip
        self.sim.subscribe(self._taken)

    @property
    def is_even(self) -> bool:
        """Whether nothing overtakes anything: what `check` goes by when clocks are set, or the report is too late."""
        return self.weather.is_in_order or bool(self.weather.jumps)

    def fault(self, faults: dict[str, int], probability: float, chosen: tuple[str, ...] | None = None) -> str | None:
        """What the next call meets."""
        if self.is_healed or self.random.random() >= probability:
            return None
        names = [name for name in faults if chosen is None or name in chosen]
        return self.random.choices(names, [faults[name] for name in names])[0] if names else None

    def _taken(self, message: Message) -> None:
        send_id = (message.metadata or {}).get("sinchflow_id", "")
        self.copies[send_id].append((self.loop.time(), message))
        lag_s, is_even = self.weather.report_lag_s, self.is_even
        self.shown_at[message.message_id or ""] = self.loop.time() + (
            lag_s if is_even else self.random.uniform(0, lag_s)
        )
        self.moment()
        self.say(f"provider takes {send_id[8:].lstrip('0')} to {message.destination_number}: {message.content}")

    def exchange(self, method: str, target: str, headers: list[tuple[bytes, bytes]], body: bytes) -> tuple[int, bytes]:
        """One exchange with the simulated Sinch, at once. On the world's loop."""
        path, _, query = target.partition("?")
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": [(name.lower(), value) for name, value in headers],
        }  # fmt: skip
        said: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            said.append(message)

        run_now(self.sim(scope, receive, send))
        content = said[1].get("body", b"")
        return said[0]["status"], self._reported(content) if path.endswith("/detail") else content

    def _reported(self, content: bytes) -> bytes:
        """The report without the messages that it does not show yet."""
        report, now_s = json.loads(content), self.loop.time()
        if "messages" in report:
            report["messages"] = [
                each for each in report["messages"] if self.shown_at.get(each["message_id"], 0.0) <= now_s
            ]
        return json.dumps(report).encode()


def run_now(coroutine: Any) -> None:
    """Run what never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")


class _Pushes(Pusher):
    """Hands pushes to the world instead of posting them."""

    def __init__(self, push: Callable[[str, bytes], None]) -> None:
        self.push = push  # type: ignore[method-assign]


class _CutStream(httpx.AsyncByteStream):
    """Half of a body, then the connection is gone."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body[: len(self._body) // 2]
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


class _Transport(httpx.AsyncBaseTransport):
    """Of one process: its futures are on the process's loop."""

    def __init__(self, outside: Outside, loop: VirtualLoop) -> None:
        self._outside = outside
        self._loop = loop

    def _later(self, seconds: float, answer: asyncio.Future[Any], result: Any) -> None:
        """Let the answer arrive; an exception is raised."""

        def arrive() -> None:
            if not answer.done() and not self._loop.is_dead:
                self._outside.moment()
                if isinstance(result, Exception):
                    answer.set_exception(result)
                else:
                    answer.set_result(result)

        self._outside.loop.call_later(seconds, arrive)


class ProviderTransport(_Transport):
    """The provider's API."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        out, weather, random = self._outside, self._outside.weather, self._outside.random
        target, body = request.url.raw_path.decode(), request.content
        is_send = request.method == "POST" and target == "/v1/messages"
        out.departures.append(out.loop.time())
        if is_send:
            out.at_departure(json.loads(body)["messages"])
            fault = out.fault(CALL_FAULTS, weather.calls, weather.call_faults)
        else:
            fault = out.fault(REPORT_FAULTS, weather.reports)
            if target.endswith("/confirmed"):
                out.at_confirmation([each for ids in json.loads(body).values() for each in ids])
        out.fates[fault or "ok"] += 1
        out.say(f"call {request.method} {target} ({fault or 'ok'})")
        out.moment()
        slowness_s = (1.0, 15.0) if fault == "late" else (0.005, 0.3)
        there_s = 0.01 if out.is_even else random.uniform(*slowness_s)
        answer: asyncio.Future[httpx.Response] = self._loop.create_future()

        def arrive() -> None:
            status, content = out.exchange(request.method, target, request.headers.raw, body)
            seconds, result = _answered(fault, status, content, random)
            self._later(seconds, answer, result)

        if fault == "no_connection":
            self._later(0.01, answer, httpx.ConnectError("refused"))
        elif fault == "lost_before":
            self._later(_READ_TIMEOUT_S, answer, httpx.ReadTimeout("no answer"))
        elif fault == "reset_before":
            self._later(there_s, answer, httpx.ReadError("reset"))
        elif fault == "5xx_before":
            self._later(there_s, answer, httpx.Response(random.choice((500, 502, 503)), content=b"oh"))
        elif fault == "429":
            headers = {"retry-after": str(random.randint(0, 90))} if random.random() < 0.5 else {}
            self._later(there_s, answer, httpx.Response(429, headers=headers, content=b"{}"))
        elif fault in ("401", "403"):
            self._later(there_s, answer, httpx.Response(int(fault), content=b"{}"))
        elif fault == "400":
            self._later(there_s, answer, httpx.Response(400, json=_REFUSED))
        else:
            out.loop.call_later(there_s, arrive)
        return await answer


def _answered(fault: str | None, status: int, content: bytes, random: Random) -> tuple[float, Any]:
    """When the answer to a call that was carried out arrives, and what it is; an exception is raised."""
    back_s = random.uniform(0.005, 0.3)
    match fault:
        case "lost_after":
            return _READ_TIMEOUT_S, httpx.ReadTimeout("no answer")
        case "reset_after":
            return back_s, httpx.ReadError("reset")
        case "5xx_after":
            return back_s, httpx.Response(random.choice((500, 502, 503, 408)), content=b"<html>")
        case "cut":
            return back_s, httpx.Response(status, stream=_CutStream(content))
        case "empty":
            return back_s, httpx.Response(status, content=b"")
        case "short":
            fewer = json.loads(content)
            fewer["messages"] = fewer.get("messages", [])[:-1]
            return back_s, httpx.Response(status, json=fewer)
        case _:
            return back_s, httpx.Response(status, content=content)


class UrlTransport(_Transport):
    """The URLs of `http` steps."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        out, random = self._outside, self._outside.random
        fault = out.fault(URL_FAULTS, out.weather.urls)
        out.say(f"call {request.method} {request.url} ({fault or 'ok'})")
        out.moment()
        answer: asyncio.Future[httpx.Response] = self._loop.create_future()
        there_s, back_s = random.uniform(0.005, 0.5), random.uniform(0.005, 0.5)
        if fault not in ("no_connection", "lost_before", "reset_before"):
            key = (request.method, request.url.path, request.url.params["run"])
            out.loop.call_later(there_s, lambda: (out.requests.update([key]), out.moment()))
        match fault:
            case "no_connection":
                refused = httpx.ConnectError("refused")
                refused.__cause__ = aiohttp.ClientConnectorError(None, OSError(111, "refused"))  # type: ignore[arg-type]
                self._later(there_s, answer, refused)
            case "lost_before" | "lost_after":
                pass  # the step's time runs out
            case "reset_before" | "reset_after":
                self._later(there_s + back_s, answer, httpx.ReadError("reset"))
            case "500" | "404" | "429":
                self._later(there_s + back_s, answer, httpx.Response(int(fault), content=b"no"))
            case "cut":
                self._later(there_s + back_s, answer, httpx.Response(200, stream=_CutStream(b'{"a": 1}')))
            case _:
                self._later(there_s + back_s, answer, httpx.Response(200, json={"ok": True}))
        return await answer
