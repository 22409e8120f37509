"""What rules say of words that others take is what the engine does: it is asked with random flows and waits."""

import json
import random
import re
from datetime import UTC, datetime, timedelta

import pytest

from sinchflow.engine.conversation import Answers
from sinchflow.engine.filters import Message
from sinchflow.engine.routing import Router
from sinchflow.engine.schedule import ticks_between
from sinchflow.expression.template import Templates
from sinchflow.language.check import Checker
from sinchflow.language.quiet import Quiet, times_of
from sinchflow.model.event import Event
from sinchflow.model.flow import Schedule
from sinchflow.model.origin import Origin
from sinchflow.model.project import QuietHours
from sinchflow.model.run import Facts
from sinchflow.policy.quiet_hours import is_quiet

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATES = Templates()
PEOPLE = ("+61491570156", "+61491570157")
OURS = ("+61491570110", "+61491570111")
TEXTS = ("BOOK", "Book now", "change it", "now", "#5", "👍", "Über", "book-now", "don't", "re")
PATTERNS = ("book", "^book$", "^(book|now)", ".*", "^re", "n")
MESSAGES = [*TEXTS, *(f"{text} please, 7" for text in TEXTS), *(f"oh, {text}!" for text in TEXTS), "reply", "7", ""]
ANSWERS = ("yes", "no", "ok", "can't come", "Book now", "👍", "yes please", "nope")
CONDITIONS = ('flow.name < "c"', "match.rest is defined", "event.content | length > 4")
#: 43 once had a flow with two filters, of one of which a single word was taken.
SEEDS = (*range(6), 43)
TOLD = re.compile(r'"(?P<word>[^"]*)" (?:goes to the flow|is taken by the category) "?(?P<by>[\w-]+)"?')
NEVER = re.compile(r'no message ever starts the flow "([\w-]+)"')


def filters(random: random.Random, kinds: dict[str, tuple[str, ...]]) -> str:
    found = []
    for kind in random.sample(list(kinds), random.choice([1, 1, 1, 2])):
        texts = [word for word in kinds[kind] if kind != "keyword" or " " not in word]
        chosen = random.sample(texts, random.choice([1, 1, 2]))
        found.append(f"{kind}: {json.dumps(chosen, ensure_ascii=False)}")
    return ", ".join(found)


def a_flow(random: random.Random, name: str) -> str:
    kinds = {"keyword": ("BOOK", "now", "Über", "book-now", "re"), "exact": TEXTS, "contains": TEXTS[:4] + TEXTS[6:],
             "starts_with": TEXTS[:4] + TEXTS[6:], "regex": PATTERNS}  # fmt: skip
    triggers = []
    for _ in range(random.choice([1, 1, 2])):
        parts = [filters(random, kinds)] if random.random() < 0.9 else []
        parts += [f'from: "{random.choice(PEOPLE)}"'] if random.random() < 0.15 else []
        parts += [f'to: "{random.choice(OURS)}"'] if random.random() < 0.15 else []
        triggers.append("{" + ", ".join(parts) + "}" if parts else "")
    lines = [f"name: {name}", "on:", "  inbound_sms:" + (f" {triggers[0]}" if len(triggers) == 1 else "")]
    lines += [f"    - {each or '{type: SMS}'}" for each in triggers] if len(triggers) > 1 else []
    lines += ["priority: 1"] if random.random() < 0.2 else []
    lines += ["continue: true"] if random.random() < 0.1 else []
    lines += ["enabled: false"] if random.random() < 0.1 else []
    if random.random() < 0.25:
        lines += [f"if: {random.choice(CONDITIONS)}"]
    return "\n".join([*lines, "steps:", "  - log: x"])


def sms(text: str, contact: str, our_number: str) -> Event:
    fields = {"content": text or None, "type": "SMS", "metadata": {}, "source_address": contact}
    return Event(
        id=1, kind="inbound_sms", key="k", received_at=NOW, contact=contact, our_number=our_number, fields=fields
    )


EVENTS = [sms(text, contact, ours) for text in MESSAGES for contact in PEOPLE for ours in OURS]


def findings(folder, rule):
    checked = Checker().check(folder)
    return checked, [item for item in checked.diagnostics if item.rule == rule]


def started(flows) -> dict[str, set[str]]:
    """The messages that start each flow."""
    router, facts, found = Router(flows), Facts(), {flow.name: set() for flow in flows}
    for event in EVENTS:
        for match in router.route(event, facts, NOW, TEMPLATES).matches:
            found[match.flow.name].add(event.fields["content"] or "")
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_no_message_starts_a_flow_that_is_said_to_be_shadowed(seed, tmp_path):
    chance = random.Random(seed)
    (tmp_path / "flows").mkdir()
    for _ in range(12):
        names = "abcd"[: chance.choice([2, 3, 4])]
        text = "\n---\n".join(a_flow(chance, name) for name in names)
        (tmp_path / "flows/a.yaml").write_text(text + "\n")
        checked, told = findings(tmp_path, "shadowed-flow")
        if checked.has_errors:  # a condition about a match that no filter gives
            continue
        by_message = started(checked.flows)
        lines = text.splitlines()
        for item in told:
            never = NEVER.search(item.message)
            if never:
                assert by_message[never[1]] == set(), (text, item)
                continue
            word = TOLD.search(item.message)
            if word:
                owner = next(line for line in reversed(lines[: item.line]) if line.startswith("name: "))[6:]
                alone = sum("inbound_sms" in line or line.startswith("    - {") for line in lines) == len(names)
                assert not alone or word["word"] not in by_message[owner], (text, item)


def a_wait(random: random.Random) -> list[str]:
    kinds = {"answer": ANSWERS, "keyword": ("BOOK", "yes", "now"), "exact": ANSWERS,
             "contains": ("yes", "book", "please"), "starts_with": ("book now", "yes", "no"),
             "regex": PATTERNS}  # fmt: skip
    return [f"{name}: {{{filters(random, kinds)}}}" for name in ("one", "two", "three")]


WAIT = "on: inbound_sms\nsteps:\n  - reply: Well?\n  - wait_for_reply:\n      timeout: 1h\n      categories:\n"


@pytest.mark.parametrize("seed", SEEDS)
def test_answer_that_is_said_to_be_taken_is_given_to_the_earlier_category(seed, tmp_path):
    chance = random.Random(seed)
    (tmp_path / "flows").mkdir()
    for _ in range(12):
        categories = a_wait(chance)
        text = WAIT + "".join(f"        {each}\n" for each in categories)
        (tmp_path / "flows/a.yaml").write_text(text)
        checked, told = findings(tmp_path, "overlapping-categories")
        if checked.has_errors:  # answers said in two categories
            continue
        answers = Answers(checked.flows[0].steps[1].action)
        for item in told:
            owner = categories[item.line - 7].partition(":")[0]
            word = TOLD.search(item.message)
            if word["word"] not in PATTERNS:
                fit = fit_of(answers, word["word"])
                assert fit is None or fit.category != owner, (text, item)


def fit_of(answers: Answers, text: str):
    return answers.fit(sms(text, PEOPLE[0], OURS[0]), Message(text))


@pytest.mark.parametrize(("begin", "end"), [(1260, 480), (30, 360), (0, 1439), (1439, 0), (480, 1440)])
def test_rules_hold_the_same_minutes_for_quiet_as_policy(begin, end):
    hours = QuietHours(from_=begin, to=end)
    quiet = Quiet(hours=hours, timezone="UTC")
    for minute in range(1440):
        assert quiet.has(minute) == is_quiet(hours, NOW + timedelta(minutes=minute), "UTC"), minute


@pytest.mark.parametrize(
    "cron", ["0 9 * * *", "5,50 7-9,22 * * *", "*/20 3 * * *", "10-12 23 * * *", "7/25 1-5/2 * * *"]
)
def test_rules_know_when_a_cron_text_is_due(cron):
    ticks = ticks_between(Schedule(origin=Origin("a", 1, 1), cron=cron), NOW, NOW + timedelta(days=1), "UTC")
    assert times_of(cron) == sorted(tick.hour * 60 + tick.minute for tick in ticks)
