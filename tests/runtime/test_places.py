"""Places for calls: slow hosts leave room for others, turns are fair, nothing is lost when a call is given up."""

import asyncio

from sinchflow.runtime.places import Places


class Calls:
    """Calls that last until `end` is set."""

    def __init__(self, most: int, per_host: int) -> None:
        self.places = Places(most, per_host)
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def call(self, host: str, times: int = 1) -> None:
        self.ends.setdefault(host, asyncio.Event())
        self.tasks += [asyncio.create_task(self._one(host)) for _ in range(times)]

    async def _one(self, host: str) -> None:
        async with self.places.place(host):
            self.begun.append(host)
            await self.ends[host].wait()

    async def settle(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)


def test_one_host_gets_to_its_limit_and_five_leave_room():
    async def scenario():
        calls = Calls(100, 20)
        calls.call("a", 50)
        await calls.settle()
        assert calls.begun.count("a") == 20
        for host in "bcde":
            calls.call(host, 50)
        await calls.settle()
        assert 12 <= 100 - len(calls.begun) <= 20
        for number in range(5):
            calls.call(f"new {number}")
            await calls.settle()
            assert calls.begun[-1] == f"new {number}"
        for end in calls.ends.values():
            end.set()
        await asyncio.gather(*calls.tasks)
        assert len(calls.begun) == 255
        assert (calls.places._free, calls.places._taken, calls.places._waiting) == (100, {}, {})

    asyncio.run(scenario())


def test_hosts_that_wait_take_turns():
    async def scenario():
        calls = Calls(2, 2)
        calls.call("slow", 1)
        await calls.settle()
        for host in ("a", "b", "c"):
            calls.call(host, 3)
        await calls.settle()
        for end in [end for host, end in calls.ends.items() if host != "slow"]:
            end.set()
        await asyncio.gather(*calls.tasks[1:])
        assert calls.begun == ["slow", "a", "a", "b", "c", "a", "b", "c", "b", "c"]
        calls.ends["slow"].set()
        await asyncio.gather(*calls.tasks)

    asyncio.run(scenario())


def test_call_that_is_given_up_while_it_waits_takes_no_place():
    async def scenario():
        calls = Calls(1, 1)
        calls.call("a", 3)
        await calls.settle()
        calls.tasks[1].cancel()
        await calls.settle()
        calls.ends["a"].set()
        await asyncio.gather(*calls.tasks, return_exceptions=True)
        assert len(calls.begun) == 2
        assert (calls.places._free, calls.places._taken, calls.places._waiting) == (1, {}, {})

    asyncio.run(scenario())
