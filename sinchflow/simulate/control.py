"""The control endpoints of the simulated Sinch, for tests and tools in other processes.

POST /_sim/inbound    {"from", "content", "to"?, "attachments"?}   a customer texts us
GET  /_sim/messages   ?since=N      what was taken, from the Nth on, and `next` to ask with the next time
GET  /_sim/stats                    counts of calls, messages and pushes, and when calls came
POST /_sim/faults     a `Fault`     what the next calls meet
POST /_sim/outcomes   [`Outcome`]   what becomes of messages from now on
POST /_sim/hooks      a `Hooks`     where webhooks point from now on
POST /_sim/reset                    forget everything
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

from sinchflow.simulate.bodies import Attachment
from sinchflow.simulate.fate import Outcome
from sinchflow.simulate.faults import Fault
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


async def control(sim: "SimulatedSinch", method: str, name: str, query: bytes, body: bytes) -> Reply:
    """Do what the endpoint `name` is for. 400 with a `message` when the body does not fit, 404 for other names."""
    try:
        match method, name:
            case "POST", "inbound":
                asked = msgspec.json.decode(body, type=_Inbound)
                reply_id = await sim.text_in(asked.from_, asked.content, to=asked.to, attachments=asked.attachments)
                return Reply(202, {"reply_id": reply_id})
            case "GET", "messages":
                return Reply(200, _messages(sim, int(parse_qs(query.decode()).get("since", ["0"])[0])))
            case "GET", "stats":
                return Reply(200, _stats(sim))
            case "POST", "faults":
                sim.fail_next(msgspec.json.decode(body, type=Fault))
            case "POST", "outcomes":
                sim.outcomes = msgspec.json.decode(body, type=tuple[Outcome, ...])
            case "POST", "hooks":
                sim.hooks = msgspec.json.decode(body, type=type(sim.hooks))
            case "POST", "reset":
                sim.reset()
            case _:
                return Reply(404, {"message": f"no control endpoint {method} /_sim/{name}"})
    except ValueError as error:
        return Reply(400, {"message": str(error)})
    return Reply(204)


def _messages(sim: "SimulatedSinch", since: int) -> dict[str, Any]:
    start = max(0, since - sim.dropped)
    found = sim.messages[start : start + _MOST_MESSAGES]
    return {"messages": found, "next": max(since, sim.dropped + start + len(found))}


def _stats(sim: "SimulatedSinch") -> dict[str, Any]:
    return {
        "calls": len(sim.calls),
        "call_times": [call.at for call in sim.calls[-_MOST_CALLS:]],
        "messages": len(sim.messages) + sim.dropped,
        "pushes": sim.pusher.stats,
    }
