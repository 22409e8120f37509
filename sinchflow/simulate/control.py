"""The control endpoints of the simulated Sinch, for tests and tools in other processes.

POST /_sim/inbound    {"from", "content", "to"?, "attachments"?, "account"?}   a customer texts us
GET  /_sim/messages   ?since=N &account=   what was taken, from the Nth on, and `next` to ask with the next time
GET  /_sim/calls      ?since=N      calls of the API, from the Nth on: when, method, path, account, messages, status
GET  /_sim/stats                    counts of calls, messages and pushes, and when calls came
POST /_sim/faults     a `Fault`     what the next calls meet; by default those of POST /v1/messages
DELETE /_sim/faults                 no more faults
POST /_sim/outcomes   [`Outcome`]   what becomes of messages from now on
POST /_sim/hooks      a `Hooks`     where pushes go besides registered webhooks
POST /_sim/webhooks   a webhook and "account"?   register it, as POST /v1/webhooks/messages without a key
POST /_sim/signing    {"digest"} or null   make a key, enable it and show it; null: sign no more
POST /_sim/features   `Features`    what the account has switched on
POST /_sim/senders    [`SenderAddress`]
POST /_sim/dedicated  [`DedicatedNumber`]
POST /_sim/reporting  {"lag_s"}     how long after it was taken a message shows up in detail reports
POST /_sim/reset                    forget everything but webhooks, keys and what was set here
"""

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs

import msgspec

from sinchflow.simulate.bodies import Attachment
from sinchflow.simulate.fate import Outcome
from sinchflow.simulate.faults import Fault
from sinchflow.simulate.features import Features
from sinchflow.simulate.senders import DedicatedNumber, SenderAddress
from sinchflow.simulate.web import Reply

if TYPE_CHECKING:
    from sinchflow.simulate.provider import SimulatedSinch

_MOST_MESSAGES = 10_000
_MOST_CALLS = 10_000


class _Inbound(msgspec.Struct, forbid_unknown_fields=True):
    from_: str = msgspec.field(name="from")
    content: str = ""
    to: str | None = None
    attachments: tuple[Attachment, ...] = ()
    account: str | None = None


class _Webhook(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    url: str
    events: list[str]
    method: str = "POST"
    encoding: str = "JSON"
    headers: dict[str, str] = {}
    template: str | None = None
    read_timeout: int | None = None
    retries: int = 0
    retry_delay: int | None = None
    account: str | None = None


class _Signing(msgspec.Struct, forbid_unknown_fields=True):
    digest: Literal["SHA224", "SHA256", "SHA512"] = "SHA256"


class _Reporting(msgspec.Struct, forbid_unknown_fields=True):
    lag_s: float


async def control(sim: "SimulatedSinch", method: str, name: str, query: bytes, body: bytes) -> Reply:
    """Do what the endpoint `name` is for. 400 with a `message` when the body does not fit, 404 for other names."""
    asked = {key: values[-1] for key, values in parse_qs(query.decode()).items()}
    try:
        match method, name:
            case "POST", "inbound":
                text = msgspec.json.decode(body, type=_Inbound)
                reply_id = await sim.text_in(
                    text.from_, text.content, to=text.to, attachments=text.attachments, sub_account=text.account
                )
                return Reply(202, {"reply_id": reply_id})
            case "GET", "messages":
                return Reply(200, _messages(sim, asked.get("account"), int(asked.get("since", "0"))))
            case "GET", "calls":
                return Reply(200, _calls(sim, int(asked.get("since", "0"))))
            case "GET", "stats":
                return Reply(200, _stats(sim))
            case "POST", "webhooks":
                return _register(sim, msgspec.json.decode(body, type=_Webhook))
            case "POST", "signing":
                return _sign(sim, msgspec.json.decode(body, type=_Signing | None))
            case "POST", "faults":
                sim.fail_next(msgspec.json.decode(body, type=Fault))
            case "DELETE", "faults":
                sim.clear_faults()
            case "POST", "outcomes":
                sim.outcomes = msgspec.json.decode(body, type=tuple[Outcome, ...])
            case "POST", "hooks":
                sim.hooks = msgspec.json.decode(body, type=type(sim.hooks))
            case "POST", "features":
                sim.features = msgspec.json.decode(body, type=Features)
            case "POST", "senders":
                sim.senders = msgspec.json.decode(body, type=tuple[SenderAddress, ...])
            case "POST", "dedicated":
                sim.dedicated = msgspec.json.decode(body, type=tuple[DedicatedNumber, ...])
            case "POST", "reporting":
                sim.report_lag_s = msgspec.json.decode(body, type=_Reporting).lag_s
            case "POST", "reset":
                sim.reset()
            case _:
                return Reply(404, {"message": f"no control endpoint {method} /_sim/{name}"})
    except ValueError as error:
        return Reply(400, {"message": str(error)})
    return Reply(204)


def _messages(sim: "SimulatedSinch", name: str | None, since: int) -> dict[str, Any]:
    account = sim.account(name)
    start = max(0, since - account.dropped)
    found = account.messages[start : start + _MOST_MESSAGES]
    return {"messages": found, "next": max(since, account.dropped + start + len(found))}


def _calls(sim: "SimulatedSinch", since: int) -> dict[str, Any]:
    first = sim.forgotten_requests
    found = sim.requests[max(0, since - first) :][:_MOST_CALLS]
    return {"calls": found, "next": max(since, first) + len(found)}


def _register(sim: "SimulatedSinch", asked: _Webhook) -> Reply:
    given = {name: value for name, value in msgspec.structs.asdict(asked).items() if name != "account"}
    return Reply(201, sim.account(asked.account).webhooks.register(**given).shown())


def _sign(sim: "SimulatedSinch", asked: _Signing | None) -> Reply:
    if asked is None:
        sim.signature_keys.enable(None)
        return Reply(204)
    key = sim.signature_keys.create(asked.digest)
    sim.signature_keys.enable(key.key_id)
    return Reply(201, key)


def _stats(sim: "SimulatedSinch") -> dict[str, Any]:
    return {
        "calls": len(sim.calls),
        "call_times": [call.at for call in sim.calls[-_MOST_CALLS:]],
        "requests": len(sim.requests) + sim.forgotten_requests,
        "messages": sim.taken,
        "pushes": sim.pusher.stats,
    }
