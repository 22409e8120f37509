"""Mutants that mean the same as the flow, as far as a customer or another system could tell, each with the reason."""

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
        "on_error 1 and 2 swapped": "of a log line and a message nobody sees which came first",
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


def why_the_same(name: str, mutant: Mutant) -> str:
    """Why this mutant of an example is none; empty when it is one."""
    return SAME.get(name, {}).get(mutant.words, "")
