"""What a look at the journal counts: of rows as the daemon writes them, with and without much beside them."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from sinchflow.errors import CannotStart, JournalError
from sinchflow.journal import survey as surveys
from sinchflow.journal.journal import Act, Changes, Quarantined
from sinchflow.journal.sqlite import FILE_NAME, SqliteJournal
from sinchflow.journal.survey import flows_lately, survey
from sinchflow.model.command import Attempt, AwaitReply, CallUrl, SendMessage, Sleep
from sinchflow.model.event import Event
from sinchflow.model.run import Cursor, Run, Tally
from sinchflow.model.send import Send

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
NUMBER = "+61491570156"


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def run(run_id: int, flow: str, started_at: datetime, status: str = "running", **more) -> Run:
    return Run(id=run_id, flow=flow, digest="d", event_id=1, started_at=started_at, status=status, **more)


def send(send_id: int, state: str, created_at: datetime, call: int | None = None) -> Send:
    command = SendMessage(id=f"1:{send_id}", account="default", to=NUMBER, body={"content": "Hi"})
    return Send(id=send_id, run=1, command=command, state=state, created_at=created_at, call=call)


CALL = CallUrl(id="c", method="POST", url="https://crm.example.com", content='{"held":"x"}')
WAIT = AwaitReply(id="w", account="default", contact=NUMBER)
#: Ids ascend with time, as the daemon gives them.
RUNS = [
    run(10, "old", ago(days=9), "failed", ended_at=ago(days=9)),
    run(11, "slow", ago(days=3), "failed", ended_at=ago(hours=2), reason="the CRM is down"),
    run(12, "ask", ago(days=2), cursors=(Cursor(address="1", commands=(WAIT,)),)),
    run(20, "ask", ago(hours=20), "completed", ended_at=ago(hours=20)),
    run(21, "ask", ago(hours=5), "failed", ended_at=ago(hours=1), reason="no such order"),
    run(22, "ask", ago(hours=4), "failed", ended_at=ago(hours=4), reason="no such order"),
    run(23, "both", ago(hours=3), cursors=(
        Cursor(address="1.0", commands=(WAIT,)), Cursor(address="1.1", commands=(Sleep(id="s", until=NOW),)),
    )),
    run(24, "send", ago(hours=2), cursors=(Cursor(address="1", tally=Tally(asked=1, open="1")),)),
    run(26, "call", ago(hours=1), cursors=(Cursor(address="1", commands=(CALL,), attempts={"c": Attempt(held="?")}),)),
    run(25, "turn", ago(hours=1), cursors=(Cursor(address="1", is_pause=True),), is_otherwise=True),
]  # fmt: skip
SENDS = [
    send(30, "sent", ago(hours=9)), send(31, "held", ago(hours=8), 9), send(32, "held", ago(hours=7), 9),
    send(33, "queued", ago(minutes=3)), send(35, "held", ago(minutes=1)), send(34, "unknown", ago(minutes=2)),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal with these rows in it."""

    async def write() -> None:
        journal = SqliteJournal(tmp_path, asyncio.get_running_loop())
        for event_id in (1, 2):
            stored = asyncio.get_running_loop().create_future()
            event = Event(
                id=event_id, kind="inbound_sms", key=f"k{event_id}", received_at=ago(minutes=9 - event_id), fields={}
            )
            journal.accept(event, stored.set_result)
            assert await stored is True
        done = asyncio.get_running_loop().create_future()
        changes = Changes(
            routed=(1,), runs=tuple(RUNS), new_sends=tuple(SENDS),
            quarantined=(Quarantined(id=40, received_at=ago(hours=6), path="inbound", reason="no JSON", body=b"x"),),
            acts=(
                Act(id=41, at=ago(days=2), what="pause", subject="ana"),
                Act(id=42, at=ago(hours=3), what="resume", subject="bob", detail="all well"),
            ),
            settings=(("paused", '{"since":"2026-11-23T01:00:00Z"}'), ("gone", None)),
        )  # fmt: skip
        journal.commit(changes, done.set_result)
        assert await done is None
        journal.close()

    asyncio.run(write())
    return tmp_path


def test_what_is_open_and_what_failed_lately_is_counted(folder: Path) -> None:
    found = survey(folder / FILE_NAME, NOW)
    assert {state: each["count"] for state, each in found.sends.items()} == {
        "deferred": 0, "held": 2, "queued": 2, "sending": 0, "unknown": 1,
    }  # fmt: skip
    assert found.sends["held"]["oldest_at"] == "2026-11-22T18:00:00.000+00:00"
    assert found.sends["sending"]["oldest_at"] is None
    assert found.held_calls == 1
    assert found.runs["open"] == 5
    assert found.runs["waiting_for"] == {"reply": 2, "send": 1, "time": 1, "turn": 1, "url": 1}
    failed = found.runs["failed_lately"]
    assert (failed["count"], failed["flows"]) == (3, {"ask": 2, "slow": 1})
    assert failed["last"] == {
        "id": 21, "flow": "ask", "ended_at": "2026-11-23T01:00:00+00:00", "reason": "no such order"
    }  # fmt: skip
    assert found.events == {"unrouted": 1, "oldest_at": "2026-11-23T01:53:00.000+00:00"}
    assert found.quarantine == {"count": 1, "last_at": "2026-11-22T20:00:00.000+00:00", "last_reason": "no JSON"}
    assert [(act["what"], act["subject"], act["detail"]) for act in found.acts] == [("resume", "bob", "all well")]
    assert found.settings == {"paused": '{"since":"2026-11-23T01:00:00Z"}'}
    assert found.journal["bytes"] > 0
    assert found.journal["free_bytes"] > 0


def test_brief_look_has_the_same_counts_of_sends_and_events(folder: Path) -> None:
    whole, brief = survey(folder / FILE_NAME, NOW), survey(folder / FILE_NAME, NOW, is_brief=True)
    assert (brief.sends, brief.events, brief.quarantine) == (whole.sends, whole.events, whole.quarantine)
    assert (brief.runs, brief.acts, brief.settings) == ({}, [], {})


def test_flows_count_what_began_in_the_last_day_and_what_is_open_from_before(folder: Path) -> None:
    found = flows_lately(folder / FILE_NAME, NOW)
    assert found["ask"] == {
        "open": 1, "started": 3, "failed": 2, "last_started_at": "2026-11-22T22:00:00.000+00:00"
    }  # fmt: skip
    assert found["turn"]["open"] == 1  # a run of its `otherwise`
    assert "old" not in found


def test_no_count_goes_through_all_runs_or_sends(folder: Path) -> None:
    connection = apsw.Connection(str(folder / FILE_NAME))
    for question, bindings in (
        (surveys._OPEN_SENDS, ()),
        (surveys._WAITING_FOR, (9,)),
        (surveys._HELD_CALLS, ()),
        (surveys._FLOWS_OPEN, ()),
        (surveys._FAILED.format(">="), (1,)),
        (surveys._FAILED.format("<") + " ORDER BY id DESC LIMIT 9", (1,)),
    ):
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {question}", bindings)]
        assert any("send_open" in step or "run_open" in step or "run_failed" in step for step in plan), (question, plan)
    connection.close()


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [(None, CannotStart, "no journal at "), (b"no database, but long enough to be one" * 99, JournalError, "SQLite")],
)
def test_journal_that_cannot_be_read_is_one_sentence(tmp_path: Path, content, kind: type, words: str) -> None:
    if content is not None:
        (tmp_path / FILE_NAME).write_bytes(content)
    for look in (survey, flows_lately):
        with pytest.raises(kind, match=words):
            look(tmp_path / FILE_NAME, NOW)


@pytest.mark.parametrize(
    "released", sorted((Path(__file__).parent / "data").glob("schema-*.sql")), ids=lambda it: it.stem
)
def test_journal_of_an_earlier_release_is_counted_as_it_lies_there(tmp_path: Path, released: Path) -> None:
    path = tmp_path / FILE_NAME
    connection = apsw.Connection(str(path))
    connection.execute(released.read_text())
    [(runs,)] = connection.execute("SELECT count(*) FROM run WHERE status = 'running'")
    [(sends,)] = connection.execute("SELECT count(*) FROM send WHERE is_open")
    connection.close()
    found = survey(path, NOW)
    assert (found.runs["open"], sum(each["count"] for each in found.sends.values())) == (runs, sends)
    assert sum(each["open"] for each in flows_lately(path, NOW).values()) == runs
    assert runs > 0
    assert (found.acts, found.settings) == ([], {})
