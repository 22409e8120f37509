"""Flows that start each other for ever: by the receipts of what they send, or by running one another."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.facts import Facts
from sinchflow.language.rules.rule import SetRule, Survey
from sinchflow.model.origin import Origin


class _Edge(msgspec.Struct, frozen=True):
    """One flow starts another. at: where that is written; is_receipt: by the receipt of a message that it sent."""

    to: str
    at: Origin
    is_receipt: bool


def _check(survey: Survey) -> Iterator[Diagnostic]:
    flows = {flow.named.name: flow for flow in survey.flows if flow.is_enabled}
    edges = _edges(flows)
    told: set[str] = set()
    for name in edges:
        path = _way_back(edges, name)
        if path and not told & {edge.to for edge in path}:
            told |= {edge.to for edge in path}
            yield _finding(name, path)
    yield from _to_ourselves(survey)


def _edges(flows: Mapping[str, Facts]) -> dict[str, list[_Edge]]:
    """Only flows that start another, of which something can start them in turn."""
    hearing: dict[str, list[_Edge]] = defaultdict(list)
    for name, flow in flows.items():
        if flow.traffic.receipts_at is not None:  # one that hears of all messages is judged by its own
            for sender in flow.traffic.receipts_of or (name,):
                hearing[sender].append(_Edge(name, flow.traffic.receipts_at, True))
    edges: dict[str, list[_Edge]] = {}
    for name, flow in flows.items():
        found = [_Edge(to, at, False) for to, at in flow.traffic.runs if to in flows]
        found += hearing.get(name, ()) if flow.traffic.reported else ()
        if found:
            edges[name] = found
    return edges


def _way_back(edges: Mapping[str, list[_Edge]], start: str) -> list[_Edge]:
    """The shortest way from a flow to itself; empty where there is none."""
    seen = {start}
    ways: list[list[_Edge]] = [[edge] for edge in edges[start]]
    for way in ways:
        to = way[-1].to
        if to == start:
            return way
        if to not in seen:
            seen.add(to)
            ways += [[*way, edge] for edge in edges.get(to, ())]
    return []


def _finding(name: str, path: list[_Edge]) -> Diagnostic:
    way = " → ".join(f'"{each}"' for each in (name, *(edge.to for edge in path)))
    last = path[-1]
    if any(edge.is_receipt for edge in path):
        at = next(edge.at for edge in path if edge.is_receipt)
        message = f"receipts of the messages that it sends start this flow again: {way}, for ever"
        hint = "name the flows whose messages are meant: flow: […], or send with delivery_report: false"
        return finding(at, RULE.id, message, hint, "warning")
    message = f"these flows run each other without end: {way}"
    return finding(last.at, RULE.id, message, "run it under a condition that ends at some time", "warning")


def _to_ourselves(survey: Survey) -> Iterator[Diagnostic]:
    """Messages to numbers of our own start the flows that listen there."""
    if survey.project is None or not any(flow.traffic.catches for flow in survey.flows if flow.is_enabled):
        return
    own = {account.source_number for account in survey.project.all_accounts.values()} - {None}
    for flow in survey.flows:
        for number, origin in flow.traffic.recipients:
            if number in own:
                message = f"{number} is a number of your own: the message comes back in, and flows answer it"
                yield finding(origin, RULE.id, message, "send it to a person, or run a flow with run_flow", "warning")


RULE = SetRule(
    id="answering-loop",
    reason=(
        "Two machines that answer each other never tire. The brake stops them after ten messages in ten minutes, "
        "and they go on ten minutes later."
    ),
    failing="""\
on: delivery_receipt
steps:
  - send_sms: {to: "+61491570156", message: "One more message has arrived."}
""",
    corrected="""\
on:
  delivery_receipt: {flow: appointment-reminder}
steps:
  - send_sms: {to: "+61491570156", message: "One more message has arrived."}
---
name: appointment-reminder
on: manual
inputs:
  number: {type: phone}
contact: "{{ inputs.number }}"
steps:
  - reply: We see you tomorrow.
""",
    check=_check,
)
