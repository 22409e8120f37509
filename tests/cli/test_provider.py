"""Commands find the project from any folder and keep the account's throttle, by the clock on the wall."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

from sinchflow.cli.provider import PacedCalls, Provider
from sinchflow.model.project import Limits
from sinchflow.sinch.client import Answer


class Clocked:
    """Writes down when each call was made, and what it was."""

    def __init__(self) -> None:
        self.made: list[tuple[float, str]] = []

    async def call(self, method: str, target: str, body: bytes = b"") -> Answer:
        self.made.append((time.monotonic(), f"{method} {target} {body.decode()}"))
        return Answer(status=200, headers={}, body=b"")


def test_no_window_has_more_calls_than_the_limit():
    clocked = Clocked()

    async def session() -> None:
        calls = PacedCalls(clocked, Limits(calls=2, per=timedelta(milliseconds=40)))
        await asyncio.gather(*(calls.call("GET", f"/{number}", b"x") for number in range(5)))

    asyncio.run(session())
    assert [what for _, what in clocked.made] == [f"GET /{number} x" for number in range(5)]
    times = [when for when, _ in clocked.made]
    assert all(later - first > 0.035 for first, later in zip(times, times[2:], strict=False))


def test_the_project_may_be_named_from_the_folder_around_it(tmp_path, monkeypatch):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "sinchflow.yaml").write_text("country: AU\n")
    monkeypatch.chdir(tmp_path)
    assert Provider(Path("shop")).project.country == "AU"
