"""The steps of a script that make something happen."""

import contextlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from sinchflow.engine.inputs import fault_of
from sinchflow.expression.durations import parse_duration
from sinchflow.language.script import ScriptStep
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.runtime.flow_hooks import PREFIX, FlowHook
from sinchflow.runtime.guard import Refusal
from sinchflow.simulate.play.outcome import Off
from sinchflow.simulate.play.scene import Scene
from sinchflow.simulate.play.wanted import Difference


async def _text_in(scene: Scene, step: ScriptStep) -> None:
    """Somebody texts us."""
    sender = scene.number(step.get("from") or scene.contact)
    text = str(step.get("text", "text"))
    scene.say("in", sender, text)
    to = step.get("to") or scene.script.given.get("our_number")
    await scene.stage.text_in(
        sender, text, to=None if to is None else scene.number(to), account=step.get("account") or DEFAULT_ACCOUNT,
        kind=step.get("type") or "SMS", metadata=step.get("metadata"),
    )  # fmt: skip
    await scene.stage.rest()


async def _receipt(scene: Scene, step: ScriptStep) -> None:
    """The provider reports on a message."""
    metadata = step.get("metadata")
    to = step.get("to")
    wanted = None if to is None else scene.number(to)
    text = step.get("text")
    sent = [each for each in scene.sent(wanted) if text is None or each.message.content == text]
    if not sent and metadata is None:
        whom = "" if wanted is None else f" to {wanted}"
        which = whom if text is None else f'{whom} with the text "{text}"'
        raise Off(step.origin, f"there is no message{which} that a receipt could be about")
    status = str(step.get("status", "status"))
    code = step.get("status_code")
    message = None if metadata is not None else sent[-1]
    whom = wanted or scene.contact
    scene.say("event", message.to if message else whom, f"receipt: {status}{f' ({code})' if code else ''}")
    await scene.stage.report(message, whom, status, None if code is None else str(code), metadata)
    await scene.stage.rest()


async def _advance(scene: Scene, step: ScriptStep) -> None:
    """Time passes."""
    scene.say("time", "", f"{step.value} later")
    await scene.stage.rest(parse_duration(step.value) or timedelta())


async def _go_to(scene: Scene, step: ScriptStep) -> None:
    """Time passes until then."""
    when = scene.time(step.value)
    passing = when - scene.stage.clock.now()
    if passing < timedelta():
        shown = scene.stage.clock.now().astimezone(scene.zone).isoformat(timespec="minutes")
        raise Off(step.origin, f"it is {shown} by then: time goes forward only")
    scene.say("time", "", str(step.value))
    await scene.stage.rest(passing)


async def call_webhook(scene: Scene, step: ScriptStep) -> tuple[int, dict[str, Any]]:
    """Another system calls a flow's webhook: the status and the body of the answer, as soon as it is there."""
    method, path = step.get("method") or "POST", str(step.get("path"))
    headers = {name.lower(): value for name, value in (step.get("headers") or {}).items()}
    body = b""
    if "json" in step.value:
        body = msgspec.json.encode(step.get("json"))
        headers.setdefault("content-type", "application/json")
    elif step.get("form") is not None:
        body = urlencode(step.get("form")).encode()
        headers.setdefault("content-type", "application/x-www-form-urlencoded")
    elif step.get("body") is not None:
        body = str(step.get("body")).encode()
    token = step.get("token")
    hook = _hook(scene, path, method)
    if token is not None:
        headers["x-token"] = str(token)
    elif hook is not None:
        headers = {**_proof(hook, body), **headers}
    scene.say("event", "", f"{method} {PREFIX}{path}")
    query = urlencode(step.get("query") or {}).encode()
    return await scene.stage.call_in(method, path, query=query, headers=headers, body=body)


async def _webhook(scene: Scene, step: ScriptStep) -> None:
    """As `call_webhook`, and the answer is as it should be."""
    status, answer = await call_webhook(scene, step)
    await scene.stage.rest()
    wanted = step.get("status")
    if wanted is not None and status != wanted:
        words = f"{status}: {answer.get('error') or answer.get('reason') or 'accepted'}"
        raise Off(step.place("status"), "the webhook is answered otherwise", [Difference("status", str(wanted), words)])
    if wanted is None and status >= 300:
        problems = [str(each) for each in answer.get("problems", ())]
        raise Off(step.origin, f"the webhook is refused: {status}: {answer.get('error')}", (), problems)


def _hook(scene: Scene, path: str, method: str) -> FlowHook | None:
    with contextlib.suppress(Refusal):
        return scene.stage.catalog.flow_hooks.find(f"{PREFIX}{path}", method)
    return None


async def _start(scene: Scene, step: ScriptStep) -> None:
    """Somebody starts a flow by hand."""
    name = step.get("flow", "flow") or scene.script.flow
    flow = scene.stage.catalog.flows.get(str(name))
    if flow is None:
        raise Off(step.origin, f'there is no flow "{name}"')
    inputs = step.get("inputs") or {}
    if fault := fault_of(flow, inputs, scene.stage.catalog.facts):
        raise Off(step.place("inputs"), f'flow "{name}" cannot start with this: {fault}')
    contact = step.get("contact")
    scene.say("event", "", f"start {name}")
    begun: list[int | Exception] = []
    scene.stage.start(flow, inputs, None if contact is None else scene.number(contact), begun.append)
    known = len(scene.stage.notes)
    await scene.stage.rest()
    # Refused by throttle or concurrency, as a message or a webhook may be: what the script expects next will tell.
    if begun and isinstance(begun[0], Exception) and len(scene.stage.notes) == known:
        scene.stage.note(f"no run begins: {begun[0]}")


async def _restart(scene: Scene, step: ScriptStep) -> None:
    """The daemon dies and comes back."""
    scene.say("event", "", "the daemon is killed and started again")
    await scene.stage.restart()
    await scene.stage.rest()


async def _reload(scene: Scene, step: ScriptStep) -> None:
    """The flows are read again."""
    scene.say("event", "", "the flows are read again")
    scene.stage.reload()
    await scene.stage.rest()


def _proof(hook: FlowHook, body: bytes) -> dict[str, str]:
    """The headers of a caller who knows the webhook's token and signs as it wants."""
    headers = {} if hook.token is None else {"x-token": hook.token.decode()}
    if hook.key is not None and hook.trigger.hmac is not None:
        signed = hook.trigger.hmac
        headers[signed.header.lower()] = hmac.digest(hook.key, body, signed.algorithm).hex()
    return headers


#: By verb. Each raises Off where it cannot be done.
ACTS: dict[str, Callable[[Scene, ScriptStep], Awaitable[None]]] = {
    "in": _text_in, "receipt": _receipt, "advance": _advance, "now": _go_to, "webhook": _webhook, "start": _start,
    "restart": _restart, "reload": _reload,
}  # fmt: skip
