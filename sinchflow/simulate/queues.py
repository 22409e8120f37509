"""Replies and delivery reports by polling (sinch-api.md sections 4 and 5): the oldest 100 that nobody has confirmed.

What the documents leave open is decided so: what was pushed stays in the queue too; confirming an unknown id is fine.
"""

from typing import Any
from uuid import UUID

from sinchflow.simulate.bodies import polled_reply, polled_report
from sinchflow.simulate.call import Call, bad_request, not_allowed, not_found
from sinchflow.simulate.web import Reply

MOST = 100


def answer_replies(call: Call) -> Reply:
    """The endpoints of /v1/replies."""
    account = call.account
    match call.method, call.path:
        case "GET", "/v1/replies":
            found = account.unconfirmed_replies.oldest(MOST)
            return Reply(200, {"replies": [polled_reply(reply, account.name) for reply in found]})
        case "POST", "/v1/replies/confirmed":
            return _confirm(call, "reply_ids", account.unconfirmed_replies)
        case _:
            return not_allowed(call) if call.path in {"/v1/replies", "/v1/replies/confirmed"} else not_found()


def answer_reports(call: Call) -> Reply:
    """The endpoints of /v1/delivery_reports."""
    account = call.account
    match call.method, call.path:
        case "GET", "/v1/delivery_reports":
            found = account.unconfirmed_reports.oldest(MOST)
            return Reply(200, {"delivery_reports": [polled_report(report, account.name) for report in found]})
        case "POST", "/v1/delivery_reports/confirmed":
            return _confirm(call, "delivery_report_ids", account.unconfirmed_reports)
        case _:
            known = {"/v1/delivery_reports", "/v1/delivery_reports/confirmed"}
            return not_allowed(call) if call.path in known else not_found()


def _confirm(call: Call, name: str, queue: Any) -> Reply:
    ids = (call.json() or {}).get(name)
    if not isinstance(ids, list) or len(ids) > MOST:
        return bad_request(f"/{name}: must be an array of up to {MOST} ids")
    wrong = [f"/{name}/{index}: must be a UUID" for index, each in enumerate(ids) if not _is_uuid(each)]
    if wrong:
        return bad_request(*wrong)
    for each in ids:
        queue.remove(each)
    return Reply(202, b"", media_type=b"text/plain")


def _is_uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value.lower()
    except ValueError:
        return False
