"""In which order a start takes up what a former process left."""

from datetime import UTC, datetime
from types import SimpleNamespace

from sinchflow.journal.journal import Snapshot
from sinchflow.model.command import CallUrl, SendMessage
from sinchflow.model.run import Cursor, Run
from sinchflow.model.send import Send
from sinchflow.runtime.resumption import Resumption

NOW = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
NOTHING = SimpleNamespace(note=lambda run: None, to_release=list, update=lambda active: None)


def test_messages_that_wait_are_taken_up_before_their_runs_go_on_and_send_more():
    """A call that is not repeated ends at once, and a message after it must not overtake those from before."""
    taken: list[str] = []
    active: dict[int, SimpleNamespace] = {}

    def enter(it):
        active[it.run.id] = it
        return it

    call = CallUrl(id="1:0:0", method="POST", url="https://shop.example.com")
    run = Run(
        id=1, flow="f", digest="d", event_id=9, started_at=NOW, cursors=(Cursor(address="0", commands=(call,)),)
    )  # fmt: skip
    command = SendMessage(id="1:1:0", account="default", to="+61491570156", body={})
    send = Send(id=2, run=1, command=command, state="queued", created_at=NOW)
    resumption = Resumption(
        runs=SimpleNamespace(enter=enter), active=active,
        catalog=lambda: SimpleNamespace(flow=lambda digest: SimpleNamespace(timeout=None)),
        admission=SimpleNamespace(open_runs=NOTHING, is_replaced=lambda flow, run: False), commands=None,
        calls=SimpleNamespace(resume=lambda *_: taken.append("call")), families=None, pace=NOTHING,
        take_send=lambda _: taken.append("send"),
    )  # fmt: skip
    resumption.resume(Snapshot(runs=(run,), sends=(send,), calls=(), run_starts=(), send_times=()))
    assert taken == ["send", "call"]
