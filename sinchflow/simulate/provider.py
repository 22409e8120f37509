"""A simulated Sinch: a real HTTP server that behaves as the documented API does, for all that sinchflow uses of it.

It takes messages, reports on them, keeps webhooks and really renders their templates, keeps replies and reports for
polling, opt-outs, senders, signature keys and detail reports, for the main account and for sub-accounts named by the
header `Account`; and it can be told to misbehave. `dev` and the tests run it inside their process, benchmarks as a
process of its own: `python -m sinchflow.simulate.provider --help`. Control endpoints are under `/_sim/` (`control`).

What the documents leave open is decided so, and by each resource's module for itself: a message with a `callback_url`
is reported there and to the webhooks too, under one id; a reply is matched to the last message that went to that
number from the number texted; an opt-out word raises OPT_OUT_SMS besides RECEIVED_SMS.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Self

import msgspec

from sinchflow.simulate import bodies, opt_out_list, queues, reporting
from sinchflow.simulate.access import Access, AuthKind
from sinchflow.simulate.account import Account
from sinchflow.simulate.call import Call, feature_off, not_found
from sinchflow.simulate.control import control
from sinchflow.simulate.error_bodies import DOCUMENTED
from sinchflow.simulate.events import Events, Hooks
from sinchflow.simulate.fate import OUTCOMES, Outcome, Timeline
from sinchflow.simulate.faults import Fault, FaultPlan
from sinchflow.simulate.features import Features
from sinchflow.simulate.message import Message
from sinchflow.simulate.posting import Signer
from sinchflow.simulate.pushes import Pusher
from sinchflow.simulate.senders import (
    ADDRESSES,
    ASSIGNMENTS,
    DedicatedNumber,
    SenderAddress,
    answer_addresses,
    answer_assignments,
)
from sinchflow.simulate.signature_keys import PATH as SIGNATURE_KEYS
from sinchflow.simulate.signature_keys import SignatureKeys
from sinchflow.simulate.traffic import Traffic
from sinchflow.simulate.web import Receive, Reply, Scope, Send, answer, answer_with_fault, read_body
from sinchflow.simulate.webhooks import PATH as WEBHOOKS
from sinchflow.simulate.webhooks import Webhooks

__all__ = ["CallRecord", "Hooks", "SimulatedSinch"]


class CallRecord(msgspec.Struct, frozen=True, gc=False):
    """One call of the API: when (seconds since the epoch), how many messages were taken, what was answered.

    status is 0 when a fault kept the answer back. account: the header `Account`.
    """

    at: float
    messages: int
    status: int
    method: str = "POST"
    path: str = "/v1/messages"
    account: str | None = None


class SimulatedSinch:
    """The provider. `app` is its ASGI side; pushes begin with `start` (the app's lifespan calls it, and `stop`).

    api_key, api_secret: what calls must show, as `auth` says; None takes any.
    receipts: report on messages that ask for it. number: the account's default number.
    senders, dedicated: what it may send from; None: its number. report_lag_s: until a message is in detail reports.
    keep: remember this many messages and calls; None: all. page_size: of the opt-out list.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        api_secret: str | None = None,
        auth: AuthKind = "basic",
        hooks: Hooks | None = None,
        receipts: bool = True,
        timeline: Timeline | None = None,
        outcomes: Sequence[Outcome] = OUTCOMES,
        number: str = "+61491593156",
        features: Features | None = None,
        senders: Sequence[SenderAddress] | None = None,
        dedicated: Sequence[DedicatedNumber] | None = None,
        report_lag_s: float = 0.0,
        page_size: int = 100,
        keep: int | None = None,
        pusher: Pusher | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.number = number
        self.senders = (SenderAddress(sender_address=number),) if senders is None else tuple(senders)
        self.dedicated = (DedicatedNumber(phone_number=number),) if dedicated is None else tuple(dedicated)
        self.report_lag_s = report_lag_s
        self.requests: list[CallRecord] = []  #: all calls of the API
        self.forgotten_requests = 0  #: calls that `keep` has cost
        self.calls: list[CallRecord] = []  #: those of POST /v1/messages
        self.pusher = pusher or Pusher()
        self._keep = keep
        self._now = now
        self._page_size = page_size
        self._outcomes = tuple(outcomes)
        self._access = Access(auth, api_key, api_secret)
        self._main = Account(keep=keep, now=now)
        self._subs: dict[str, Account] = {}
        self._faults = FaultPlan()
        self._events = Events(self._main, hooks or Hooks(), self.pusher)
        self._traffic = Traffic(
            events=self._events,
            receipts=receipts,
            timeline=timeline or Timeline(),
            outcomes=outcomes,
            number=number,
            features=features or Features(),
        )
        self.signature_keys = SignatureKeys(self._sign)
        #: What answers this path and those below it.
        self._resources: tuple[tuple[str, Callable[[Call], Reply]], ...] = (
            ("/v1/messages", self._traffic.answer_one),
            ("/v1/replies", queues.answer_replies),
            ("/v1/delivery_reports", queues.answer_reports),
            (WEBHOOKS, lambda call: call.account.webhooks.answer(call)),
            ("/v1/number_authorisation", lambda call: opt_out_list.answer(call, self._page_size)),
            (SIGNATURE_KEYS, self._where("signature_keys", self.signature_keys.answer)),
            (ADDRESSES, self._where("sender_addresses", lambda call: answer_addresses(call, self.senders))),
            (ASSIGNMENTS, self._where("dedicated_numbers", lambda call: answer_assignments(call, self.dedicated))),
            (reporting.PATH, self._where("reporting", self._report)),
        )

    # --- what people and tests look at and change -------------------------------------------------------------------

    def account(self, sub_account: str | None = None) -> Account:
        """What is kept for the main account or a sub-account, which comes into being when it is first named."""
        if sub_account is None:
            return self._main
        found = self._subs.get(sub_account)
        if found is None:
            found = self._subs[sub_account] = Account(sub_account, keep=self._keep, now=self._now)
        return found

    @property
    def messages(self) -> list[Message]:
        """The main account's messages."""
        return self._main.messages

    @property
    def dropped(self) -> int:
        """How many of the main account's messages are remembered no more."""
        return self._main.dropped

    @property
    def taken(self) -> int:
        """How many messages were taken, of all accounts."""
        return self._traffic.taken

    @property
    def webhooks(self) -> Webhooks:
        """The main account's webhooks."""
        return self._main.webhooks

    @property
    def hooks(self) -> Hooks:
        """Where pushes go besides registered webhooks."""
        return self._events.hooks

    @hooks.setter
    def hooks(self, hooks: Hooks) -> None:
        self._events.hooks = hooks

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """What becomes of messages."""
        return self._traffic.outcomes

    @outcomes.setter
    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        self._traffic.outcomes = tuple(outcomes)

    @property
    def features(self) -> Features:
        """What the account has switched on."""
        return self._traffic.features

    @features.setter
    def features(self, features: Features) -> None:
        self._traffic.features = features

    async def start(self) -> None:
        """Begin to push."""
        await self.pusher.start()

    async def stop(self) -> None:
        """Stop pushing, and forget what was to become of messages."""
        self._traffic.stop()
        await self.pusher.stop()

    def number_messages(self, prefix: str) -> None:
        """Ids of messages are counted up from here on, after these 24 characters, so that they can be foretold."""
        self._traffic.ids.begin(prefix)

    def subscribe(self, callback: Callable[[Message], None]) -> Callable[[], None]:
        """Call back for each message taken, in order, before the caller gets its answer. Gives what ends it."""
        self._traffic.subscribers.append(callback)
        return lambda: self._traffic.subscribers.remove(callback)

    def watch_reports(self, callback: Callable[[bodies.Report], None]) -> None:
        """Call back for each delivery report, pushed or not."""
        self._events.on_report.append(callback)

    def fail_next(self, fault: Fault) -> None:
        """Let the next `fault.times` calls that it fits meet this fault."""
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Let all calls meet proper answers again."""
        self._faults.clear()

    async def text_in(
        self,
        from_: str,
        content: str,
        *,
        to: str | None = None,
        attachments: Sequence[bodies.Attachment] = (),
        sub_account: str | None = None,
    ) -> str:
        """A customer texts us: push it to the inbound webhooks and give its `reply_id`.

        It answers the last message that went to the customer from the number texted (`to`, or the account's own),
        and carries that message's id and metadata. One of `opt_out_list.WORDS` puts the customer on the list.
        """
        account = self.account(sub_account)
        number = to or self.number
        now = datetime.now(UTC)
        reply = bodies.Reply(
            reply_id=str(uuid.uuid4()),
            source=from_,
            destination=number,
            content=content,
            date_received=bodies.written(now),
            answers=account.last.get((from_, number)),
            attachments=attachments,
            is_opt_out=self.features.opt_out_words and opt_out_list.is_opt_out(content),
            at=now.timestamp(),
        )
        self._events.reply(account, reply)
        if reply.is_opt_out:
            account.opted_out.add(from_)
            self._events.opt_out(account, bodies.OptOut(str(uuid.uuid4()), reply))
        return reply.reply_id

    def reset(self) -> None:
        """Forget messages, events, calls, faults and changed outcomes; webhooks and what is on its way to them stay."""
        self._traffic.reset()
        for account in (self._main, *self._subs.values()):
            account.clear()
        self.calls.clear()
        self.requests.clear()
        self.forgotten_requests = 0
        self._faults.clear()
        self.outcomes = self._outcomes

    # --- HTTP -------------------------------------------------------------------------------------------------------

    @property
    def app(self) -> Self:
        """The ASGI application: the object itself."""
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI exchange."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        body = await read_body(receive)
        if body is None:
            await answer(send, Reply(413, DOCUMENTED[413]))
            return
        if path.startswith("/_sim/"):
            await answer(send, await control(self, method, path.removeprefix("/_sim/"), scope["query_string"], body))
            return
        fault = self._faults.next(method, path)
        headers = dict(scope["headers"])
        taken = self._traffic.taken
        proper = self._carry_out(scope, headers, body) if fault is None or fault.is_answered_first else None
        if fault is None or fault.kind in {"delay", "short"}:
            status = proper.status if proper is not None else 0
        else:
            status = fault.status if fault.kind == "answer" else 0
        self._record(method, path, headers.get(b"account"), self._traffic.taken - taken, status)
        if fault is not None:
            await answer_with_fault(receive, send, fault, proper)
        elif proper is not None:
            await answer(send, proper)

    def answer(self, method: str, path: str, raw_query: bytes = b"", body: bytes = b"") -> Reply:
        """What a call of the main account is answered, for who needs no network: no key, no faults, no record."""
        headers = {b"content-type": b"application/json", b"authorization": b"Basic "}
        scope = {"method": method, "path": path, "query_string": raw_query}
        return self._carry_out(scope, headers, body)

    def _carry_out(self, scope: Scope, headers: dict[bytes, bytes], body: bytes) -> Reply:
        method, path, query = scope["method"], scope["path"], scope["query_string"]
        target = scope.get("raw_path", path.encode()) + (b"?" + query if query else b"")
        if not self._access.allows(method, target, headers, body):
            return Reply(401, DOCUMENTED[401])
        name = headers.get(b"account")
        account = self._main if name is None else self.account(name.decode("latin-1"))
        if path == "/v1/messages" and method == "POST":
            reply = self._traffic.post(account, headers.get(b"content-type", b""), body)
            account.forget(self.number)
            return reply
        call = Call(method=method, path=path, raw_query=query, body=body, account=account)
        for prefix, answer_to in self._resources:
            if path == prefix or path.startswith(f"{prefix}/"):
                return answer_to(call)
        return not_found()

    def _where(self, feature: str, answer_to: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
        """What answers only while the feature is on."""
        return lambda call: answer_to(call) if getattr(self.features, feature) else feature_off()

    def _report(self, call: Call) -> Reply:
        mine = call.account
        seen = (mine, *self._subs.values()) if mine is self._main else (mine,)
        return reporting.answer(call, seen, self.number, self._now() - self.report_lag_s)

    def _sign(self, signer: Signer | None) -> None:
        self.pusher.signer = signer

    def _record(self, method: str, path: str, account: bytes | None, taken: int, status: int) -> None:
        name = None if account is None else account.decode("latin-1")
        record = CallRecord(time.time(), taken, status, method, path, name)
        self.requests.append(record)
        if path == "/v1/messages" and method == "POST":
            self.calls.append(record)
        if self._keep is not None:
            del self.calls[: max(0, len(self.calls) - self._keep)]
            surplus = max(0, len(self.requests) - self._keep)
            del self.requests[:surplus]
            self.forgotten_requests += surplus


if __name__ == "__main__":
    from sinchflow.simulate.serve import main

    main()
