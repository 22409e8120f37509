"""Mutants that mean the same as the flow, as far as a customer or another system could tell, each with the reason."""

import json
from typing import Any

from tests.mutants.operators import Mutant

#: By example and the mutant's words.
SAME = {
    "delivery-fallback": {
        "timeout: 10m for 5m": "no test can keep a message from leaving",
        "timeout: 150s for 5m": "no test can keep a message from leaving",
    },
    "escalate-to-chat": {
        "priority left out": "of no account beside the other examples: the menu, which has none, comes later by name",
        "priority 20 for 10": "as without one",
        "priority 5 for 10": "as without one",
    },
    "oncall-escalation": {
        "urgent left out": "staff are exempt from quiet hours anyhow",
        "urgent True for False": "staff are exempt from quiet hours anyhow",
        "then 1 and 2 swapped": "what is set is not looked at before both are done",
    },
    "outage-broadcast": {
        'key: "zebra" for "outage"': "any key will do, as long as it is one",
        "parallel 1000 for 500": "the pace only",
        "parallel 250 for 500": "the pace only",
    },
}


def why_the_same(name: str, mutant: Mutant, heard_of_flow: Any) -> str:
    """Why this mutant of an example is none; empty when it is one. heard_of_flow: see `heard`."""
    if heard(json.loads(mutant.text)) == heard_of_flow:
        return "a log line is heard by nobody outside"
    return SAME.get(name, {}).get(mutant.words, "")


def heard(data: Any) -> Any:
    """A flow's data without its log lines, and without an `else` that does nothing but log."""
    match data:
        case list():
            inner = [heard(item) for item in data if not (isinstance(item, dict) and "log" in item)]
            return [item for item in inner if item != {"else": []}]
        case dict():
            return {key: heard(value) for key, value in data.items()}
    return data
