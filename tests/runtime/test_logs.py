"""What the daemon's log says, and what it does not say."""

import errno
import io
import json
import logging

import pytest
import structlog

from sinchflow.runtime import logs
from sinchflow.runtime.flood import ALWAYS, BURST, Flood
from sinchflow.runtime.logs import LogSettings, read_settings
from sinchflow.runtime.secrets import Secrets, conceal
from sinchflow.runtime.troubles import Troubles

NUMBER = "+61491570156"
SECRETS = {"KEY": "t0ps3cret/key", "WORD": "lost"}


@pytest.fixture
def logged(monkeypatch):
    """Sets up the log as asked for; gives what is written from then on."""
    before = logging.getLogger().handlers[:]

    def set_up(**settings) -> io.StringIO:
        out = io.StringIO()
        monkeypatch.setattr("sys.stderr", out)
        Secrets.from_environment({f"SINCHFLOW_SECRET_{name}": value for name, value in SECRETS.items()})
        logs.configure(LogSettings(**{"format": "json", **settings}), conceal)
        return out

    yield set_up
    structlog.reset_defaults()
    Secrets.from_environment({})
    logging.getLogger().handlers[:] = before


def lines(out: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_numbers_are_masked_in_words_values_data_and_tracebacks(logged):
    out = logged()
    try:
        raise ValueError(f"no answer of {NUMBER}")
    except ValueError:
        structlog.get_logger().exception(f"lost {NUMBER}", contact=NUMBER, found=[NUMBER], run=61491570156)
    assert "491570156" not in out.getvalue().replace('"run": 61491570156', "")
    (line,) = lines(out)
    assert line["event"] == "lost +6149•••••156"
    assert line["contact"] == "+6149•••••156"
    assert line["found"] == ["+6149•••••156"]
    assert line["run"] == 61491570156
    assert "ValueError: no answer of +6149•••••156" in line["exception"]


def test_numbers_are_shown_to_who_asks_for_them(logged):
    out = logged(has_numbers=True)
    structlog.get_logger().info("sent", contact=NUMBER)
    assert lines(out)[0]["contact"] == NUMBER


@pytest.mark.parametrize("format_", ["json", "text"])
def test_control_characters_neither_split_a_line_nor_reach_a_terminal(logged, format_):
    out = logged(format=format_)
    try:
        raise ValueError("a\x1b]0;b\x07c")
    except ValueError:
        structlog.get_logger().exception("x\ny\x1b[2J\x9b2J\x7f\u202e", reason=r"\u2022 \\u2022")
    written = out.getvalue()
    assert not set(written) & {"\x1b]", "\x07", "\x9b", "\x7f"}
    assert "x\ny" not in written
    if format_ == "json":
        assert written.count("\n") == 1
        assert lines(out)[0]["event"] == "x\ny\x1b[2J\x9b2J\x7f\u202e"
        assert lines(out)[0]["reason"] == r"\u2022 \\u2022"


def test_json_is_ascii_but_for_the_sign_of_hidden_digits(logged):
    out = logged()
    structlog.get_logger().info("ü\U0001f600\ud800", contact=NUMBER)
    written = out.getvalue()
    assert "+6149•••••156" in written
    assert written.replace("•", "").isascii()
    assert lines(out)[0]["event"] == "ü\U0001f600\ud800"


def test_what_libraries_log_is_a_line_like_any_other(logged):
    out = logged()
    logging.getLogger("asyncio").error("lost %s", NUMBER)
    logging.getLogger("asyncio").info("nobody wants to know")
    (line,) = lines(out)
    assert (line["event"], line["level"], line["logger"]) == ("lost +6149•••••156", "error", "asyncio")


def test_level_keeps_lower_lines_out(logged):
    out = logged(level="warning")
    log = structlog.get_logger()
    log.debug("a")
    log.info("b")
    log.warning("c")
    assert [line["event"] for line in lines(out)] == ["c"]


@pytest.mark.parametrize(
    ("level", "format_", "words"),
    [("loud", None, '--log-level: "loud" is none of'), ("info", "xml", '--log-format: "xml" is none of json, text')],
)
def test_wrong_settings_are_one_clear_line(level, format_, words):
    with pytest.raises(Exception, match=words):
        read_settings(level, format_, has_numbers=False)


class Minutes:
    """A `Flood` whose clock stands still, and what gets through it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due = []
        self.lines = []
        flood = Flood(lambda: self.now, self.due.append)
        structlog.configure(processors=[flood, self._keep])
        self.log = structlog.get_logger()

    def _keep(self, _logger, method, entry):
        self.lines.append((method, dict(entry)))
        raise structlog.DropEvent


@pytest.fixture
def minutes():
    yield Minutes()
    structlog.reset_defaults()


def test_flood_is_written_a_few_times_and_then_counted_by_the_minute(minutes):
    for run in range(5_000):
        minutes.log.warning("run failed", run=run, flow="a", reason="provider down")
    minutes.log.warning("run failed", run=1, flow="b")
    assert [entry["flow"] for _, entry in minutes.lines] == ["a"] * BURST + ["b"]
    (end,) = minutes.due
    end()
    count = {"event": "run failed (more like this)", "count": 5_000 - BURST, "flow": "a", "reason": "provider down"}
    assert minutes.lines[-1] == ("warning", count)
    minutes.log.warning("run failed", run=7, flow="a")
    assert minutes.lines[-1][1]["run"] == 7


def test_count_is_written_by_the_first_line_of_the_next_minute_if_nobody_else_does(minutes):
    for _ in range(BURST + 2):
        minutes.log.error("again")
    minutes.now = 61.0
    minutes.log.error("other")
    assert [(entry["event"], entry.get("count")) for _, entry in minutes.lines[BURST:]] == [
        ("again (more like this)", 2),
        ("other", None),
    ]
    minutes.due[0]()
    assert len(minutes.lines) == BURST + 2


def test_lines_that_flows_write_are_all_written(logged):
    out = logged()
    for _ in range(3 * BURST):
        structlog.get_logger().info("order", **{ALWAYS: True})
    assert len(lines(out)) == 3 * BURST
    assert ALWAYS not in lines(out)[0]


def test_trouble_is_told_once_when_it_begins_and_once_when_it_is_over():
    told, troubles = [], Troubles()
    troubles.on_change.append(lambda *change: told.append(change))
    troubles["provider"] = "no connection"
    troubles["provider"] = "no connection, still"
    troubles.setdefault("provider", "another")
    assert troubles == {"provider": "no connection, still"}
    troubles.pop("provider", None)
    troubles.pop("provider", None)
    troubles.setdefault("journal", "full")
    del troubles["journal"]
    assert told == [("provider", "no connection"), ("provider", None), ("journal", "full"), ("journal", None)]


@pytest.mark.parametrize("format_", ["json", "text"])
def test_no_secret_is_in_a_line_whoever_quotes_it(logged, format_):
    out = logged(format=format_)
    log = structlog.get_logger("sinchflow")
    try:
        raise ValueError("no such path: /t0ps3cret%2Fkey")
    except ValueError:
        log.exception("lost t0ps3cret/key", at={"url": ["https://t0ps3cret/key"]}, run=7)
        logging.getLogger("library").warning("header %s", "t0ps3cret/key", exc_info=True)
    assert "t0ps3cret" not in out.getvalue()
    assert "lost ***" in out.getvalue()


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        self.write("")


def test_who_logs_goes_on_when_the_line_cannot_be_written(logged, monkeypatch):
    logged()
    monkeypatch.setattr("sys.stderr", Full())
    logs.configure(LogSettings(format="json"))
    structlog.get_logger().warning("the disk is full")
