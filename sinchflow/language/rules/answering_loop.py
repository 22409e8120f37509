"""Flows that start each other for ever: by the receipts of what they send, or by running one another."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set

import msgspec

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.facts import Facts
from sinchflow.language.rules.rule import SetRule, Survey
from sinchflow.model.origin import Origin

#: Flows of a loop that are named.
_MOST_SHOWN = 8


class _Edge(msgspec.Struct, frozen=True):
    """One flow starts another. at: where that is written; is_receipt: by the receipt of a message that it sent."""

    to: str
    at: Origin
    is_receipt: bool


def _check(survey: Survey) -> Iterator[Diagnostic]:
    flows = {flow.named.name: flow for flow in survey.flows if flow.is_enabled}
    edges = _edges(flows)
    yield from (_finding(path[-1].to, path) for path in _loops(edges))
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


def _loops(edges: Mapping[str, list[_Edge]]) -> Iterator[list[_Edge]]:
    """Ways from flows to themselves, no flow in two of them. Goes over every edge once, from flow to flow."""
    left = {name: iter(found) for name, found in edges.items()}
    told: set[str] = set()
    seen: set[str] = set()
    for start in edges:
        way = {} if start in seen else {start: 0}  #: the flows from there to here, and their places
        seen.add(start)
        while way:
            name = next(reversed(way))
            edge = next(left.get(name, iter(())), None)
            if edge is None:
                del way[name]
            elif edge.to not in seen:
                seen.add(edge.to)
                way[edge.to] = len(way)
            elif edge.to in way and not told & {edge.to, name}:
                loop = set(list(way)[way[edge.to] :])
                if loop.isdisjoint(told):
                    yield _way_back(edges, edge.to, loop)
                told |= loop


def _way_back(edges: Mapping[str, list[_Edge]], start: str, within: Set[str]) -> list[_Edge]:
    """The shortest way from a flow to itself over these flows; there is one."""
    came: dict[str, tuple[str, _Edge]] = {}
    reached = [start]
    for name in reached:
        for edge in edges[name]:
            if edge.to in within and edge.to not in came:
                came[edge.to] = (name, edge)
                reached.append(edge.to)
        if start in came:
            break
    name, edge = came[start]
    way = [edge]
    while name != start:
        name, edge = came[name]
        way.append(edge)
    return way[::-1]


def _finding(name: str, path: list[_Edge]) -> Diagnostic:
    names = [f'"{each}"' for each in (name, *(edge.to for edge in path))]
    way = " → ".join(names if len(names) <= _MOST_SHOWN else [*names[:4], "…", *names[-2:]])
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
