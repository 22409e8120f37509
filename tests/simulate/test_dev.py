"""The rehearsal inside one loop: what it shows, and what it keeps to itself."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sinchflow.runtime.daemon import Options
from sinchflow.simulate.dev import CUSTOMER, Dev

GREETING = 'name: greeting\non: {inbound_sms: {keyword: HI}}\nsteps: [{reply: "GREETING"}]\n'
CALL = """\
name: call
on: {inbound_sms: {keyword: CALL}}
steps:
  - http:
      url: "{{ secrets.HOOK_URL }}"
      method: POST
      json: {key: "{{ secrets.HOOK_KEY }}"}
"""


@pytest.fixture
def rehearse(tmp_path):
    """Plays a rehearsal of the flows in `tmp_path/flows`, and gives its lines as (kind, text)."""
    (tmp_path / "flows").mkdir()

    def played(play: Callable[[Dev], Awaitable[None]]) -> list[tuple[str, str]]:
        async def whole() -> list[tuple[str, str]]:
            dev = Dev(Options(root=tmp_path, data=tmp_path / "data", port=0, admin_port=0))
            await dev.start()
            try:
                await play(dev)
                await dev.quiet()
            finally:
                await dev.stop()
            return [(line.kind, line.text) for line in dev.conversation.after(0)]

        return asyncio.run(whole())

    return played


def write(folder: Path, text: str) -> None:
    (folder / "flows/greeting.yaml").write_text(text)


def replies(lines: list[tuple[str, str]]) -> list[str]:
    return [text for kind, text in lines if kind == "out"]


def test_edited_flow_answers_the_next_text(rehearse, tmp_path):
    write(tmp_path, GREETING.replace("GREETING", "old"))

    async def play(dev: Dev) -> None:
        await dev.text_in(CUSTOMER, "hi")
        await dev.quiet()
        write(tmp_path, GREETING.replace("GREETING", "new"))
        await dev.daemon.reload()
        await dev.text_in(CUSTOMER, "hi")

    assert replies(rehearse(play)) == ["old", "new"]


def test_broken_edit_is_shown_and_the_old_flow_goes_on(rehearse, tmp_path):
    write(tmp_path, GREETING.replace("GREETING", "old"))

    async def play(dev: Dev) -> None:
        write(tmp_path, GREETING.replace("reply", "replay"))
        await dev.daemon.reload()
        await dev.text_in(CUSTOMER, "hi")

    lines = rehearse(play)
    assert replies(lines) == ["old"]
    assert any('unknown key "replay"' in text for kind, text in lines if kind == "note")


def test_real_secrets_are_not_shown(rehearse, tmp_path, monkeypatch):
    monkeypatch.setenv("SINCHFLOW_SECRET_HOOK_URL", "https://chat.example.com/room-42")
    monkeypatch.setenv("SINCHFLOW_SECRET_HOOK_KEY", "k3y")
    write(tmp_path, CALL)
    lines: list[str] = []

    async def play(dev: Dev) -> None:
        await dev.text_in(CUSTOMER, "call")
        await dev.quiet()
        lines.extend(repr(line) for line in dev.conversation.after(0))

    calls = [text for kind, text in rehearse(play) if kind == "call"]
    assert calls == ["POST *** → 200 (stand-in)"]
    assert not any("room-42" in line or "k3y" in line for line in lines)


def test_missing_secrets_are_named_once_and_replaced(rehearse, tmp_path):
    write(tmp_path, CALL)

    async def play(dev: Dev) -> None:
        await dev.daemon.reload()
        await dev.text_in(CUSTOMER, "call")

    lines = rehearse(play)
    warnings = [text.split(" ")[0] for kind, text in lines if "is not set" in text]
    assert warnings == ["SINCHFLOW_SECRET_HOOK_URL", "SINCHFLOW_SECRET_HOOK_KEY"]
    assert ("call", "POST https://hook-url.invalid → 200 (stand-in)") in lines


def test_run_that_fails_says_why(rehearse, tmp_path):
    write(
        tmp_path,
        "name: call\non: {inbound_sms: {keyword: CALL}}\n"
        'steps: [{http: {url: "https://chat.example.com", expect: 201}, retry: {attempts: 1}}]\n',
    )

    async def play(dev: Dev) -> None:
        await dev.text_in(CUSTOMER, "call")

    assert rehearse(play)[-1] == (
        "note",
        "call: run failed: step 0: GET https://chat.example.com answered 200: {}",
    )


@pytest.mark.parametrize(
    ("customer", "text"), [("0491570156", "hi"), ("+61", "hi"), (CUSTOMER, " "), (CUSTOMER, "x" * 5_001)]
)
def test_what_no_phone_could_send_is_refused(rehearse, customer, text):
    problems: list[str | None] = []

    async def play(dev: Dev) -> None:
        problems.append(await dev.text_in(customer, text))

    assert rehearse(play) == []
    assert problems[0]


def test_opt_out_word_reaches_flows_and_blocks_the_number(rehearse, tmp_path):
    write(tmp_path, GREETING)
    (tmp_path / "flows/goodbye.yaml").write_text('on: opt_out\nsteps: [{log: "{{ event.source_address }} left"}]\n')

    async def play(dev: Dev) -> None:
        await dev.text_in(CUSTOMER, "STOP")
        await dev.quiet()
        await dev.text_in(CUSTOMER, "hi")

    lines = rehearse(play)
    assert ("note", "opted out: nothing more is sent to this number") in lines
    reason = "this contact has opted out (`sinchflow contacts allow` lets messages through again)"
    assert lines[-2:] == [("in", "hi"), ("note", f"not sent: {reason}: GREETING")]


def test_text_survives_the_rendered_templates(rehearse, tmp_path):
    text = 'hi "you" \\ $moContent #if(1) 😀'
    write(tmp_path, GREETING.replace("keyword: HI", "").replace("GREETING", "{{ event.content }}"))

    async def play(dev: Dev) -> None:
        await dev.text_in(CUSTOMER, text)

    assert replies(rehearse(play)) == [text]
