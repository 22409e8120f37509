"""Pushing webhooks: send each body to its URL, a few at a time, again when the answer is no 2xx.

The way Sinch does it (sinch-api.md section 7): `retries` more attempts, `retry_delay_s` apart, then the event is lost.
What the documents leave open is decided so: a connection that fails and a late answer count as refusals; each attempt
is signed anew.
"""

import asyncio
from collections.abc import Callable

import msgspec

from sinchflow.simulate.posting import Poster, Signer


class PushStats(msgspec.Struct):
    """Counts since the start. `waiting` includes those between two attempts."""

    acknowledged: int = 0
    refused: int = 0  #: attempts answered otherwise than 2xx
    unreachable: int = 0  #: attempts without an answer
    lost: int = 0  #: given up after the last retry
    waiting: int = 0


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """A push that is not like all others: how, how patiently, and a body that may depend on the attempt (from 0)."""

    url: str
    body: Callable[[int], bytes]
    method: str
    headers: str  #: lines that each end with CR LF
    retries: int
    retry_delay_s: float
    timeout_s: float


class _Waiting(msgspec.Struct, gc=False):
    url: str
    body: bytes
    push: Push | None = None
    attempt: int = 0


class Pusher:
    """A queue of pushes and the workers that perform them. Pushes wait until `start`.

    workers: pushes under way at a time, and so the number of connections.
    retry_scale: a registered webhook's delay of one second takes this many.
    signer: signs every push, when set.
    """

    def __init__(
        self,
        *,
        workers: int = 8,
        retries: int = 5,
        retry_delay_s: float = 60.0,
        timeout_s: float = 10.0,
        retry_scale: float = 1.0,
    ) -> None:
        self.stats = PushStats()
        self.signer: Signer | None = None
        self._retry_scale = retry_scale
        self._workers = workers
        self._retries = retries
        self._retry_delay_s = retry_delay_s
        self._timeout_s = timeout_s
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()

    def push(self, url: str, body: bytes) -> None:
        """Take the body for its URL; it goes out as soon as a worker is free."""
        self._add(_Waiting(url, body))

    def deliver(self, push: Push) -> None:
        """Take a push of its own kind."""
        self._add(_Waiting(push.url, b"", push))

    def _add(self, waiting: _Waiting) -> None:
        self.stats.waiting += 1
        self._quiet.clear()
        self._queue.put_nowait(waiting)

    async def start(self) -> None:
        """Begin to push. Does nothing when begun already."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._work()) for _ in range(self._workers)]

    async def stop(self) -> None:
        """Stop at once; what waits stays for another `start`, but for retries, which are lost."""
        for timer in self._timers:
            timer.cancel()
        self.stats.lost += len(self._timers)
        self._done(len(self._timers))
        self._timers.clear()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def quiet(self) -> None:
        """Wait until every push is acknowledged or lost."""
        await self._quiet.wait()

    async def _work(self) -> None:
        poster = Poster()
        try:
            while True:
                waiting = await self._queue.get()
                retries = self._retries if waiting.push is None else waiting.push.retries
                if await self._attempt(poster, waiting):
                    self.stats.acknowledged += 1
                    self._done()
                elif waiting.attempt < retries:
                    self._later(waiting)
                else:
                    self.stats.lost += 1
                    self._done()
        finally:
            poster.close()

    async def _attempt(self, poster: Poster, waiting: _Waiting) -> bool:
        push = waiting.push
        try:
            async with asyncio.timeout(self._timeout_s if push is None else push.timeout_s):
                if push is None:
                    status = await poster.post(waiting.url, waiting.body, sign=self.signer)
                else:
                    status = await poster.post(
                        push.url,
                        push.body(waiting.attempt),
                        method=push.method,
                        headers=push.headers,
                        sign=self.signer,
                    )
        except (OSError, ValueError):  # TimeoutError is an OSError
            self.stats.unreachable += 1
            return False
        except asyncio.CancelledError:
            self._queue.put_nowait(waiting)
            raise
        if 200 <= status < 300:
            return True
        self.stats.refused += 1
        return False

    def _later(self, waiting: _Waiting) -> None:
        waiting.attempt += 1

        def again() -> None:
            self._timers.discard(timer)
            self._queue.put_nowait(waiting)

        push = waiting.push
        delay_s = self._retry_delay_s if push is None else push.retry_delay_s * self._retry_scale
        timer = asyncio.get_running_loop().call_later(delay_s, again)
        self._timers.add(timer)

    def _done(self, count: int = 1) -> None:
        self.stats.waiting -= count
        if self.stats.waiting == 0:
            self._quiet.set()
