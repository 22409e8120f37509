"""Pushing webhooks: POST each body to its URL, a few at a time, again when the answer is no 2xx.

The way Sinch does it (sinch-api.md section 7): `retries` more attempts, `retry_delay_s` apart, then the event is lost.
"""

import asyncio

import msgspec

from sinchflow.simulate.posting import Poster


class PushStats(msgspec.Struct):
    """Counts since the start. `waiting` includes those between two attempts."""

    acknowledged: int = 0
    refused: int = 0  #: attempts answered otherwise than 2xx
    unreachable: int = 0  #: attempts without an answer
    lost: int = 0  #: given up after the last retry
    waiting: int = 0


class _Push(msgspec.Struct, gc=False):
    url: str
    body: bytes
    attempt: int = 0


class Pusher:
    """A queue of pushes and the workers that perform them. Pushes wait until `start`.

    workers: pushes under way at a time, and so the number of connections.
    """

    def __init__(
        self, *, workers: int = 8, retries: int = 5, retry_delay_s: float = 60.0, timeout_s: float = 10.0
    ) -> None:
        self.stats = PushStats()
        self._workers = workers
        self._retries = retries
        self._retry_delay_s = retry_delay_s
        self._timeout_s = timeout_s
        self._queue: asyncio.Queue[_Push] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()

    def push(self, url: str, body: bytes) -> None:
        """Take the body for its URL; it goes out as soon as a worker is free."""
        self.stats.waiting += 1
        self._quiet.clear()
        self._queue.put_nowait(_Push(url, body))

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
                push = await self._queue.get()
                if await self._attempt(poster, push):
                    self.stats.acknowledged += 1
                    self._done()
                elif push.attempt < self._retries:
                    self._later(push)
                else:
                    self.stats.lost += 1
                    self._done()
        finally:
            poster.close()

    async def _attempt(self, poster: Poster, push: _Push) -> bool:
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await poster.post(push.url, push.body)
        except (OSError, ValueError):  # TimeoutError is an OSError
            self.stats.unreachable += 1
            return False
        except asyncio.CancelledError:
            self._queue.put_nowait(push)
            raise
        if 200 <= status < 300:
            return True
        self.stats.refused += 1
        return False

    def _later(self, push: _Push) -> None:
        push.attempt += 1

        def again() -> None:
            self._timers.discard(timer)
            self._queue.put_nowait(push)

        timer = asyncio.get_running_loop().call_later(self._retry_delay_s, again)
        self._timers.add(timer)

    def _done(self, count: int = 1) -> None:
        self.stats.waiting -= count
        if self.stats.waiting == 0:
            self._quiet.set()
