"""What the simulated Sinch tells its customer: replies, reports and opt-outs go into the account's queues and out to
whoever is registered for them.

Three ways out, independent of each other: registered webhooks, whose templates are rendered when the push goes out;
the `Hooks` of the main account, whose bodies are made without an engine (benchmarks live on them); the `callback_url`
of the message, which reaches this machine only, so that `dev` never calls out.
"""

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from sinchflow.simulate import bodies
from sinchflow.simulate.account import Account
from sinchflow.simulate.pushes import Push, Pusher
from sinchflow.simulate.variables import opt_out_variables, reply_variables, report_variables
from sinchflow.simulate.velocity import TemplateProblem
from sinchflow.simulate.webhooks import ENCODINGS, Webhook, Webhooks

#: The documents give no default: the shortest that may be registered.
_RETRY_DELAY_S = 5
_READ_TIMEOUT_MS = 20_000


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """Where the main account's pushes go besides registered webhooks; None: nowhere. Bodies are as our templates."""

    inbound_url: str | None = None
    receipts_url: str | None = None


class Events:
    """Tells of replies, reports and opt-outs. `hooks` may change at any time."""

    def __init__(self, main: Account, hooks: Hooks, pusher: Pusher) -> None:
        self.hooks = hooks
        self.on_report: list[Callable[[bodies.Report], None]] = []
        self._main = main
        self._pusher = pusher

    def reply(self, account: Account, reply: bodies.Reply) -> None:
        """A customer texted."""
        account.reply(reply)
        if account is self._main and self.hooks.inbound_url is not None:
            self._pusher.push(self.hooks.inbound_url, bodies.inbound_body(reply))
        answers = reply.answers
        if answers is not None and answers.callback_url is not None and is_here(answers.callback_url):
            self._pusher.push(answers.callback_url, bodies.callback_reply_body(reply, answers, account.name))
        if len(account.webhooks):
            kind = "RECEIVED_MMS" if reply.attachments else "RECEIVED_SMS"
            self._push(account, kind, lambda attempt: reply_variables(reply, account.name, attempt))

    def opt_out(self, account: Account, notice: bodies.OptOut) -> None:
        """A customer's text put them on the list."""
        if len(account.webhooks):
            self._push(account, "OPT_OUT_SMS", lambda attempt: opt_out_variables(notice, account.name, attempt))

    def report(self, account: Account, report: bodies.Report) -> None:
        """A message's status changed."""
        account.unconfirmed_reports.add(report.delivery_report_id, report)
        if account is self._main and self.hooks.receipts_url is not None:
            self._pusher.push(self.hooks.receipts_url, bodies.receipt_body(report))
        url = report.message.callback_url
        if url is not None and is_here(url):
            self._pusher.push(url, bodies.callback_report_body(report, account.name))
        if len(account.webhooks):
            kind = f"{report.status.upper()}_DR"
            self._push(account, kind, lambda attempt: report_variables(report, account.name, attempt))
        for callback in self.on_report:
            callback(report)

    def _push(self, account: Account, event: str, variables: Callable[[int], Mapping[str, Any]]) -> None:
        for webhook in account.webhooks.for_event(event):
            self._pusher.deliver(_push_of(webhook, account.webhooks, variables))


def _push_of(webhook: Webhook, webhooks: Webhooks, variables: Callable[[int], Mapping[str, Any]]) -> Push:
    template = webhook.template

    def render(text: str, attempt: int) -> str:
        try:
            return webhooks.template(text).render(variables(attempt))
        except TemplateProblem:
            return ""

    def body(attempt: int) -> bytes:
        return render(template, attempt).encode("utf-8", "replace") if template and webhook.method != "GET" else b""

    url = webhook.url
    if "$" in url:  # the URL is a template too
        url = quote(render(url, 0), safe="%/:?#[]@!$&'()*+,;=~")
    headers = {"Content-Type": ENCODINGS[webhook.encoding], **webhook.headers}
    return Push(
        url=url,
        body=body,
        method=webhook.method,
        headers="".join(f"{name}: {value}\r\n" for name, value in headers.items()),
        retries=webhook.retries,
        retry_delay_s=_RETRY_DELAY_S if webhook.retry_delay is None else webhook.retry_delay,
        timeout_s=(webhook.read_timeout or _READ_TIMEOUT_MS) / 1000,
    )


def is_here(url: str) -> bool:
    """Whether the URL is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
