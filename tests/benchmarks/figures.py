"""The figures: what the daemon does a second, how late, and with how much memory.

    python -m tests.benchmarks.figures            # all of them, one JSON object a line
    python -m tests.benchmarks.figures replies    # one

Needs `wrk` (Debian package). What was learnt from them stands in README.md beside this file.
"""

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from sinchflow.engine.routing import Router
from sinchflow.expression.template import Templates
from sinchflow.language.check import Checker
from sinchflow.model.event import Event
from sinchflow.model.run import Facts
from sinchflow.simulate.posting import Poster
from sinchflow.simulate.provider import SimulatedSinch
from tests.benchmarks.bench import OPENING, TOKEN, Bench, bench, flows, until

Figures = dict[str, Any]


def acks(seconds: int = 8) -> Figures:
    """Acknowledged webhooks a second that match nothing."""
    with bench() as it:
        it.write()
        it.start()
        it.wrk("nothing of interest", 2, "0001")
        found = it.wrk("nothing of interest", seconds, "0002")
        return {"acks_per_s": round(found["requests"] / found["seconds"]), **found}


def replies(seconds: int = 8) -> Figures:
    """Durable auto-replies a second, from the first webhook to the last reply taken by the provider."""
    with bench() as it:
        it.write()
        it.start()
        return _replies(it, seconds)


def replies_with_receipts(seconds: int = 8) -> Figures:
    """The same, with two delivery receipts pushed back for each reply."""
    with bench("--receipts", "--statuses", "submitted,final", "--push-workers", "64") as it:
        it.write()
        it.start()
        receipts = f"http://127.0.0.1:{it.info['port']}/hooks/{TOKEN}/receipts"
        _post(f"{it.sinch_url}/_sim/hooks", {"receipts_url": receipts})
        return _replies(it, seconds, receipts_each=2)


def _replies(it: Bench, seconds: int, receipts_each: int = 0) -> Figures:
    it.wrk("HOURS", 2, "0001")
    until(lambda: _is_done(it, receipts_each), 60)
    before, began = it.metric("sinchflow_sends_total"), time.perf_counter()
    found = it.wrk("HOURS please", seconds, "0002")
    until(lambda: _is_done(it, receipts_each), 120)
    elapsed = time.perf_counter() - began
    total, calls = it.metric("sinchflow_sends_total"), it.metric("sinchflow_provider_calls_total")
    return {
        "replies_per_s": round((total - before) / elapsed),
        "sent": int(total),
        "ack_p50_ms": found["p50_ms"],
        "ack_p99_ms": found["p99_ms"],
        "messages_per_call": round(total / calls, 1),
        "memory_mb": round(it.memory_mb),
    }


def _is_done(it: Bench, receipts_each: int) -> bool:
    """Whether every message is answered and every receipt is in (numbers ending in 0007 to 0009 get one, not two)."""
    inbound = it.metric("sinchflow_runs_started_total")
    return (
        it.metric("sinchflow_open_runs") == 0
        and it.metric("sinchflow_backlog") == 0
        and it.metric("sinchflow_events_total") >= inbound * (1 + receipts_each) * 0.999
    )


def service(seconds: int = 8) -> Figures:
    """For comparison: a hand-written service that stores nothing, and the bare HTTP server (`baseline`)."""
    figures: Figures = {}
    with bench() as it:
        for kind in ("bare", "service"):
            command = [sys.executable, "-m", "tests.benchmarks.baseline", kind, it.sinch_url]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                port = int(process.stdout.readline())
                it.info = {"port": port, "admin_port": port}
                until(lambda: it.get("/waiting")[0] in {200, 202}, 10)
                began = time.perf_counter()
                found = it.wrk("HOURS please", seconds, "0001")
                if kind == "service":
                    until(lambda: json.loads(it.get("/waiting")[1])["waiting"] == 0, 120)
                elapsed = time.perf_counter() - began
                figures[f"{kind}_per_s"] = round(found["requests"] / elapsed)
                process.kill()
    return figures


def latency(a_second: int = 50, seconds: int = 10) -> Figures:
    """Milliseconds from posting the webhook to the provider taking the reply; quiet, and with a reload each second."""
    return asyncio.run(_latency(a_second, seconds))


async def _latency(a_second: int, seconds: int) -> Figures:
    sinch = SimulatedSinch(receipts=False)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(sinch.app, log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve([listener]))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    posted: dict[str, float] = {}
    late_ms: list[float] = []
    sinch.subscribe(lambda message: late_ms.append((time.perf_counter() - posted[message.destination_number]) * 1e3))
    folder = Path(tempfile.mkdtemp(prefix="sinchflow-bench-"))
    it = Bench(folder, url)
    it.write(OPENING + "---\n" + flows(100))
    await asyncio.to_thread(it.start)
    free: list[Poster] = []
    figures = Figures()
    hook = f"http://127.0.0.1:{it.info['port']}/hooks/{TOKEN}/inbound"
    number = 0
    for name, reloads in (("warm_up", False), ("quiet", False), ("reloading", True)):
        late_ms.clear()
        tasks = []
        for tick in range((2 if name == "warm_up" else seconds) * a_second):
            number += 1
            contact = f"+614{number:08d}"
            body = {"event": "received", "reply_id": f"r{number}", "source_address": contact, "content": "HOURS",
                    "destination_address": "+61491593156", "metadata": []}  # fmt: skip
            posted[contact] = time.perf_counter()
            tasks.append(asyncio.create_task(_push(free, hook, json.dumps(body).encode())))
            if reloads and tick % a_second == 0:
                it.write(OPENING + "---\n" + flows(100) + f"# change {tick}\n")
            await asyncio.sleep(1 / a_second)
        await asyncio.gather(*tasks)
        expected = len(tasks)
        await asyncio.to_thread(until, lambda: len(late_ms) >= expected, 10)  # noqa: B023
        hundredths = statistics.quantiles(late_ms, n=100)
        figures |= {f"{name}_p50_ms": round(hundredths[49], 1), f"{name}_p99_ms": round(hundredths[98], 1)}
    figures["reloads"] = int(it.metric("sinchflow_reloads_total"))
    await asyncio.to_thread(it.stop)
    for poster in free:
        poster.close()
    server.should_exit = True
    await serving
    return figures


async def _push(free: list[Poster], url: str, body: bytes) -> None:
    """Post over a connection that nobody else uses now."""
    poster = free.pop() if free else Poster()
    await poster.post(url, body)
    free.append(poster)


def matching() -> Figures:
    """Microseconds to route one message, by number of flows."""
    figures: Figures = {}
    now = datetime.now(UTC)
    for kind, text in (("keyword", "WORD7 please"), ("regex", "my order #7 please")):
        event = Event(id=1, kind="inbound_sms", key="k", received_at=now, contact="+61491570156",
                      our_number="+61491593156", fields={"content": text, "type": "SMS", "metadata": {}})  # fmt: skip
        for count in (10, 1_000, 10_000):
            router, templates, facts = Router(_checked(count, kind)), Templates(), Facts()
            rounds = 5_000
            assert router.route(event, facts, now, templates).matches
            began = time.perf_counter()
            for _ in range(rounds):
                router.route(event, facts, now, templates)
            figures[f"{kind}_{count}_us"] = round((time.perf_counter() - began) / rounds * 1e6, 1)
    return figures


def _checked(count: int, kind: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "flows").mkdir()
        per_file = 100
        for start in range(0, count, per_file):
            text = flows(min(per_file, count - start), kind, start)
            (Path(folder) / "flows" / f"f{start}.yaml").write_text(text, "utf-8")
        checked = Checker().check(Path(folder))
        assert not checked.has_errors, checked.diagnostics[:3]
        return checked.flows


def start_and_memory() -> Figures:
    """Seconds from the command to ready, and memory: with 100 flows, with 10,000, and after 100,000 runs."""
    figures: Figures = {}
    for count in (100, 10_000):
        with bench() as it:
            it.write(OPENING + "---\n" + flows(count - 1))
            figures[f"start_{count}_flows_s"] = round(statistics.median(_restart(it) for _ in range(3)), 2)
            figures[f"memory_{count}_flows_mb"] = round(it.memory_mb)
    with bench("--keep", "1000") as it:
        it.write()
        it.start()
        prefix = 0
        while it.metric("sinchflow_runs_started_total") < 100_000:
            prefix += 1
            it.wrk("HOURS", 10, f"{prefix:04d}")
        until(lambda: it.metric("sinchflow_open_runs") == 0 and it.metric("sinchflow_backlog") == 0, 300)
        figures["memory_after_100000_runs_mb"] = round(it.memory_mb)
        figures["runs"] = int(it.metric("sinchflow_runs_ended_total"))
    return figures


def _restart(it: Bench) -> float:
    if it.process is not None:
        it.stop()
    return it.start()


def validate() -> Figures:
    """Seconds for `sinchflow validate` over 1,000 flow files, the whole command."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "flows").mkdir()
        for number in range(1_000):
            (Path(folder) / "flows" / f"flow{number}.yaml").write_text(flows(1, "keyword", number), "utf-8")
        times = []
        for _ in range(3):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "sinchflow", "-C", folder, "validate"], check=True, capture_output=True
            )
            times.append(time.perf_counter() - began)
    return {"validate_1000_files_s": round(statistics.median(times), 2)}


def http_transport(calls: int = 2_000) -> Figures:
    """Calls a second of `http` steps: httpx's own transport against httpx-aiohttp, by callers at once."""
    return asyncio.run(_http_transport(calls))


async def _http_transport(calls: int) -> Figures:
    import httpx
    from httpx_aiohttp import AiohttpTransport

    figures: Figures = {}
    with bench() as it:
        for name, make in (("httpx", httpx.AsyncHTTPTransport), ("httpx_aiohttp", AiohttpTransport)):
            for callers in (8, 32):
                async with httpx.AsyncClient(transport=make(), timeout=30) as client:
                    left = iter(range(calls))

                    async def caller(client: httpx.AsyncClient = client, left: Any = left) -> None:
                        for _ in left:
                            await client.get(f"{it.sinch_url}/_sim/stats")

                    began = time.perf_counter()
                    await asyncio.gather(*(caller() for _ in range(callers)))
                    figures[f"{name}_{callers}_callers_per_s"] = round(calls / (time.perf_counter() - began))
    return figures


def _post(url: str, body: Any) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).read()


ALL: tuple[Callable[[], Figures], ...] = (
    acks, replies, replies_with_receipts, service, latency, matching, start_and_memory, validate, http_transport,
)  # fmt: skip


def main() -> None:
    """Print the figures that were asked for."""
    by_name = {figure.__name__: figure for figure in ALL}
    parser = argparse.ArgumentParser(description="Figures of sinchflow on this machine.")
    parser.add_argument("names", nargs="*", help=f"which, of {', '.join(by_name)}; all when none is named")
    names = parser.parse_args().names or list(by_name)
    if unknown := [name for name in names if name not in by_name]:
        parser.error(f"unknown: {', '.join(unknown)}")
    for name in names:
        print(json.dumps({"benchmark": name, **by_name[name]()}), flush=True)


if __name__ == "__main__":
    main()
