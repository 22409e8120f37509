"""The transcripts of the examples see small mistakes: of every second mutant of each example, nearly all are caught.

`python -m tests.mutants` plays them all, and lists those that survive.
"""

import pytest

from sinchflow.language.document import compose, documents
from tests.mutants.fates import EXAMPLES, Example
from tests.mutants.operators import mutants
from tests.mutants.same import SAME

_EVERY = 2
_CAUGHT_PERCENT = 95


@pytest.mark.parametrize("name", EXAMPLES)
def test_transcripts_catch_mutants(name, tmp_path):
    example = Example(name, tmp_path)
    assert example.played(example.no_mutant()).what == "survived"
    fates = [*example.fates(example.mutants()[::_EVERY])]
    survived = [str(fate.mutant) for fate in fates if fate.what == "survived"]
    played = len(survived) + sum(fate.what == "caught" for fate in fates)
    assert played > 5
    assert 100 * len(survived) <= (100 - _CAUGHT_PERCENT) * played, "\n".join(survived)


def test_reasons_are_given_for_mutants_that_there_are(tmp_path):
    for name, reasons in SAME.items():
        (tmp_path / name).mkdir()
        known = {mutant.words for mutant in Example(name, tmp_path / name).mutants()}
        assert sorted(reasons.keys() - known) == []


FLOW = """\
on: {inbound_sms: {keyword: [HI, "2"]}}
throttle: {max: 1, per: 10m}
steps:
  - if: match.keyword == "HI"
    then:
      - reply: "Hello there, {{ contact.number }}!"
    else:
      - http: {method: POST, url: "https://x.example.com/{{ event.content }}", json: {a: 1}}
  - log: done
"""
MISTAKES = """\
1:19: inbound_sms left out
1:29: keyword left out
1:30: keyword: "HI" left out
1:30: keyword: "zebra" for "HI"
1:34: keyword: "2" left out
1:34: keyword: "zebra" for "2"
2:11: throttle left out
2:17: max 0 for 1
2:17: max 2 for 1
2:25: per: 20m for 10m
2:25: per: 300s for 10m
4:3: steps 1 and 2 swapped
4:5: steps: {"if": "match.keyword == \\"HI\\"", "then": [{"reply": "Hel… left out
4:5: then and else swapped
4:9: if left out
4:9: if: negated
4:9: if: always
4:9: if: never
4:9: if: != for ==
4:9: if: "zebra" for "HI"
6:7: then left out
6:9: then: {"reply": "Hello there, {{ contact.number }}!"} left out
6:16: reply: "zebra" for "Hello"
6:16: reply: "zebra" for "there"
6:16: reply: "zebra" for {{ contact.number }}
6:16: reply: "~" for "!"
8:7: else left out
8:9: else: {"http": {"method": "POST", "url": "https://x.example.com… left out
8:24: method: PUT for POST
8:35: url: "zebra" for "https"
8:35: url: "zebra" for "com"
8:35: url: "zebra" for {{ event.content }}
8:35: url: another one
8:86: json left out
8:90: a left out
8:90: a 0 for 1
8:90: a 2 for 1
9:5: steps: {"log": "done"} left out
9:10: log: "zebra" for "done"
"""


def test_mistakes_of_a_flow():
    [document] = documents(FLOW, "flows/x.yaml")
    assert compose(document) == []
    assert "".join(f"{mutant}\n" for mutant in mutants(document)).replace("flows/x.yaml:", "") == MISTAKES
