"""The screen that `status` shows, line by line."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sinchflow.cli.status import lines
from sinchflow.runtime.status import status

NOW = datetime(2026, 11, 23, 2, 24, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def ago(**duration: float) -> str:
    return (NOW - timedelta(**duration)).isoformat()


JOURNAL = {
    "sends": {
        "queued": {"count": 12, "oldest_at": ago(minutes=14)},
        "deferred": {"count": 0, "oldest_at": None},
        "sending": {"count": 1, "oldest_at": ago(seconds=2)},
        "unknown": {"count": 0, "oldest_at": None},
        "held": {"count": 2, "oldest_at": ago(hours=3)},
    },
    "held_calls": 1,
    "runs": {
        "open": 41,
        "waiting_for": {"reply": 30, "time": 8, "send": 3},
        "failed_lately": {
            "count": 3,
            "flows": {"crm": 3},
            "last": {"id": 8123, "flow": "crm", "ended_at": ago(minutes=25), "reason": "the CRM answered 500\x1b[2J"},
        },
    },
    "events": {"unrouted": 3, "oldest_at": ago(seconds=7)},
    "quarantine": {"count": 0, "last_at": None, "last_reason": None},
    "journal": {"path": "j", "schema": 3, "bytes": 1_200_000_000, "log_bytes": 4_100_000, "free_bytes": 120 * 10**9},
    "acts": [{"at": ago(hours=26), "what": "pause", "subject": "ana", "detail": "double billing"}],
    "paused": {"since": ago(minutes=14), "by": "ana", "reason": "double billing"},
    "needs": [
        {"subject": "paused", "what": "sends are paused", "command": "sinchflow resume", "is_red": True},
        {"subject": "failed", "what": "3 runs failed", "command": "sinchflow runs list", "is_red": False},
    ],
    "is_red": True,
}
IN_A_WHILE = ago(seconds=-30)
ACCOUNT = {
    "account": "default", "trouble": None, "queued": 12, "calls": 3, "limit": 100, "per_s": 60.0,
    "next_call_at": NOW.isoformat(),
}  # fmt: skip
LIVE = {
    "daemon": {
        "pid": 812, "version": "0.1.0", "uptime_s": 273_600, "address": "127.0.0.1:8080",
        "admin_address": "127.0.0.1:8081",
    },
    "accounts": [
        ACCOUNT,
        {**ACCOUNT, "account": "nz", "trouble": "HTTP 503", "queued": 1, "limit": None, "next_call_at": IN_A_WHILE},
    ],
    "reload": {"loaded_at": ago(hours=10), "refused_at": ago(minutes=1), "refused": "flows/x.yaml:3:1: wrong"},
    "flows": {"live": 12, "off": 1},
    "drift": {"default": 1},
    "opt_out_lists": {"default": ago(minutes=5), "nz": None},
}  # fmt: skip
SCREEN = """\
needs you:
  ! sends are paused
      sinchflow resume
  - 3 runs failed
      sinchflow runs list

sending     no: sends are paused since 2026-11-23 02:10 (14 min) by ana: double billing
provider    default: no trouble known; 3 of 100 calls in the last 60 s; 12 messages queued
provider    nz: HTTP 503; next call at 02:24:30; 3 calls in the last 60 s; 1 message queued
events      3 to be routed (oldest 7 s), 2 of them behind their contact's runs
messages    12 queued (oldest 14 min), 0 deferred, 1 sending (oldest 2 s), 0 unknown, 2 held (oldest 3 h 0 min)
runs        41 open: 30 for a reply, 8 for a time, 3 for their messages to leave; 1 held
failed      3 runs in 24 hours; the last: crm (run 8123) 01:59:00: the CRM answered 500?[2J
quarantine  0 webhook bodies that could not be read
journal     1.2 GB, its log 4.1 MB, 120 GB free on its disk
done        2026-11-22 00:24 pause ana: double billing
flows       12 live, 1 switched off; loaded 2026-11-22 16:24
reload      refused 02:23:00: flows/x.yaml:3:1: wrong
webhooks    1 difference from the project
opt-outs    Sinch's list was read 02:19:00
daemon      pid 812, version 0.1.0, up 3 d 4 h, webhooks on 127.0.0.1:8080, admin on 127.0.0.1:8081"""


def test_whole_screen() -> None:
    live = {**JOURNAL, **LIVE, "events": {**JOURNAL["events"], "in_lanes": 2}}
    assert "\n".join(lines(live, NOW)) == SCREEN


def test_journal_alone_shows_what_it_knows() -> None:
    alone = {**JOURNAL, "daemon": None, "paused": None, "needs": []}
    shown = [line.split()[0] for line in lines(alone, NOW)]
    assert shown == ["sending", "events", "messages", "runs", "failed", "quarantine", "journal", "done"]
    assert next(lines(alone, NOW)) == "sending     no: no daemon is there"


def test_daemon_that_cannot_be_asked_is_not_called_gone() -> None:
    asked = status(now=NOW, looked="no journal", live=None, troubles={}, missing="it does not answer", is_gone=False)
    shown = [*lines(asked, NOW)]
    assert "sinchflow run" not in "\n".join(shown)
    assert "sending     not known: the daemon cannot be asked" in shown


def test_journal_that_cannot_be_read_leaves_the_rest() -> None:
    shown = "\n".join(lines({**LIVE, "journal": {"unreadable": "it is damaged"}, "paused": None, "needs": []}, NOW))
    assert "journal     it is damaged\n" in shown
    assert "daemon      pid 812" in shown
