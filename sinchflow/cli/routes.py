"""`sinchflow routes`: where a message goes, in the order in which it is asked."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sinchflow.cli.invocation import AsJson, root_of
from sinchflow.cli.output import print_json
from sinchflow.cli.sends import Format
from sinchflow.errors import SinchflowError

if TYPE_CHECKING:
    from sinchflow.model.flow import Flow, InboundSms
    from sinchflow.model.project import Policy

_KINDS = ("opt_out", "opt_in", "help")
_FILTERS = ("keyword", "exact", "contains", "starts_with", "regex", "from_", "to", "type")


def routes(
    context: typer.Context,
    output: Annotated[Format, typer.Option("--format", help="text for people, json for programs.")] = Format.TEXT,
    as_json: AsJson = False,
) -> None:
    """Show where an inbound message goes: the words that policy takes, waits, and flows in the order of their turn.

    \b
    Example:
      sinchflow routes
    """
    from sinchflow.language.check import Checker
    from sinchflow.language.diagnostic import present_text

    checked = Checker().check(root_of(context))
    if checked.has_errors:
        errors = [each for each in checked.diagnostics if each.severity == "error"]
        raise SinchflowError(f"the project has errors:\n{present_text(errors, checked.texts)}".rstrip())
    found = {"words": _words(checked.project.policy), **_flows(checked.flows)}
    if as_json or output is Format.JSON:
        print_json(found)
    else:
        print("\n".join(_lines(found)))


def _words(policy: "Policy") -> dict[str, Any]:
    """The words of each kind, by language where they are the defaults; None: no message is taken for it."""
    from sinchflow.expression.keywords import KEYWORDS
    from sinchflow.policy.words import words_of

    found: dict[str, Any] = {}
    for kind in _KINDS:
        words = words_of(policy, kind)  # type: ignore[arg-type]
        if kind == "help" and words is not None and words.reply is None:
            words = None  # nothing would answer: the flows get them
        own = None if words is None else words.keywords
        found[kind] = None if words is None else {"own": list(own)} if own else KEYWORDS[kind]  # type: ignore[index]
    return found


def _flows(flows: "tuple[Flow, ...]") -> dict[str, Any]:
    """Flows with an `inbound_sms` trigger, by whether the text decides, in the order in which they are asked."""
    from sinchflow.model.flow import InboundSms

    with_text: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for flow in sorted((each for each in flows if each.enabled), key=lambda each: (-each.priority, each.name)):
        for trigger in flow.triggers:
            if isinstance(trigger, InboundSms):
                (with_text if trigger.has_text_filter else others).append(_shown(flow, trigger))
    return {"flows_with_text_filter": with_text, "flows_without_text_filter": others}


def _shown(flow: "Flow", trigger: "InboundSms") -> dict[str, Any]:
    filters = {
        name.rstrip("_"): [str(getattr(each, "name", each)) for each in given]
        for name in _FILTERS
        if (given := getattr(trigger, name))
    }
    return {
        "flow": flow.name, "priority": flow.priority, "filters": filters, "continue": flow.goes_on,
        "has_condition": flow.condition is not None, "place": str(flow.origin),
    }  # fmt: skip


def _lines(found: dict[str, Any]) -> list[str]:
    lines = ["1  words that policy takes, when they are the whole message"]
    for kind, words in found["words"].items():
        if words is None:
            why = "no `policy.help.reply`" if kind == "help" else "off"
            lines.append(f"     {kind.replace('_', '-')}: {why}")
            continue
        for language, each in words.items():
            lines.append(f"     {kind.replace('_', '-')} ({language}): {', '.join(each)}")
    lines.append("2  an open wait one of whose categories fits")
    lines.append("3  the first of these flows that matches; after one with `continue: true` also the next")
    lines += _listed(found["flows_with_text_filter"])
    lines.append("4  an open wait that takes any answer, or has attempts left")
    lines.append("5  the first of these flows")
    lines += _listed(found["flows_without_text_filter"])
    lines.append("6  nobody: counted as unmatched")
    return lines


def _listed(flows: list[dict[str, Any]]) -> list[str]:
    if not flows:
        return ["     none"]
    return [f"     {_line(each)}" for each in flows]


def _line(each: dict[str, Any]) -> str:
    filters = "; ".join(f"{name}: {', '.join(given)}" for name, given in each["filters"].items())
    notes = [f"priority {each['priority']}"] if each["priority"] else []
    notes += ["continue"] if each["continue"] else []
    notes += ["if"] if each["has_condition"] else []
    extra = f" ({', '.join(notes)})" if notes else ""
    return f"{each['flow']}{extra}{' – ' + filters if filters else ''}"
