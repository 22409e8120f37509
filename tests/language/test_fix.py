"""Findings that are mended: each case of tests/cases/fix is NAME.yaml, and NAME.fixed.yaml as `--fix` leaves it.

`UPDATE_CASES=1 pytest tests/language/test_fix.py` writes the latter anew: read what it wrote.
"""

import codecs
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinchflow.language.check import Checker
from sinchflow.language.diagnostic import Edit
from sinchflow.language.fix import operators, quoted
from sinchflow.language.mend import Mended, edited, mend
from sinchflow.language.suggest import sure
from tests.examples import examples

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases" / "fix"
NAMES = sorted(path.stem for path in CASES.glob("*.yaml") if not path.name.endswith(".fixed.yaml"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHECKER = Checker(builds=False)
PROJECT = """\
country: AU
timezone: Australia/Melbourne
lists: {vip: vip.csv}
calendars: {office: {weekly: {mon-fri: 09:00-17:00}}}
env: [SHOP_URL]
"""


def mend_files(root: Path, files: dict[str, bytes]) -> Mended:
    """Mend files that need not be on disk."""
    (root / "flows").mkdir(exist_ok=True)
    (root / "sinchflow.yaml").write_text(PROJECT, encoding="utf-8")
    (root / "vip.csv").write_text("number\n+61491570156\n", encoding="utf-8")
    for name, data in files.items():
        (root / name).write_bytes(data)
    return mend(
        lambda contents: CHECKER.check(root, now=NOW, tests=True, instead=contents),
        lambda name: (root / name).read_bytes(),
    )


def mend_flow(root: Path, data: bytes) -> bytes:
    return mend_files(root, {"flows/a.yaml": data}).contents.get("flows/a.yaml", data)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_beyond_doubt_is_mended_and_all_else_kept(name, tmp_path):
    before = (CASES / f"{name}.yaml").read_bytes()
    after = mend_flow(tmp_path, before)
    expected = CASES / f"{name}.fixed.yaml"
    if os.environ.get("UPDATE_CASES"):
        expected.write_bytes(after)
    assert after.decode() == expected.read_text(encoding="utf-8")
    assert mend_flow(tmp_path, after) == after


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_line_ends_and_byte_order_mark_stay(name, line_end, tmp_path):
    before, expected = (
        codecs.BOM_UTF8 + (CASES / f"{name}{ending}").read_text(encoding="utf-8").replace("\n", line_end).encode()
        for ending in (".yaml", ".fixed.yaml")
    )
    assert mend_flow(tmp_path, before) == expected


def test_every_mended_file_belongs_to_a_case():
    assert {path.name.removesuffix(".fixed.yaml") for path in CASES.glob("*.fixed.yaml")} == set(NAMES)


def test_a_missing_last_newline_stays_missing(tmp_path):
    assert mend_flow(tmp_path, b"on: inbound_sms\nsteps:\n  - reply: Order #1") == (
        b'on: inbound_sms\nsteps:\n  - reply: "Order #1"'
    )


def test_mends_are_counted_by_file(tmp_path):
    mended = mend_files(
        tmp_path,
        {
            "sinchflow.yaml": b"",
            "flows/a.yaml": b"on: inbound_sms\nsteps:\n  - reply: {{ event.contnt }}\n  - rply: a\n",
            "flows/b.yaml": b"on: inbound_sms\nsteps: [{reply: a}]\n",
            "flows/a.test.yaml": b"flow: c\ntests:\n  - name: a\n    script:\n      - in: x\n      - oot: y\n",
        },
    )
    assert mended.counts == {"flows/a.yaml": 3}
    assert "flows/a.yaml" in mended.contents


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("timezone: Australia/Melborne\n", "timezone: Australia/Melbourne\n"),
        ("timezone: melbourne   # here\n", "timezone: Australia/Melbourne   # here\n"),
        ("country: UK\n", "country: GB\n"),
        ("country: au\n", "country: AU\n"),
        ("cuontry: AU\n", "country: AU\n"),
        ("language: Deutsch\n", "language: de\n"),
        ("country: Atlantis\n", "country: Atlantis\n"),
    ],
)
def test_settings_are_mended(before, after, tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "sinchflow.yaml").write_text(before, encoding="utf-8")
    mended = mend(
        lambda contents: CHECKER.check(tmp_path, now=NOW, instead=contents),
        lambda name: (tmp_path / name).read_bytes(),
    )
    assert mended.contents.get("sinchflow.yaml", before.encode()).decode() == after


def test_a_file_that_changes_meanwhile_is_left_alone(tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "a.yaml").write_text("on: inbound_sms\nsteps: [{rply: a}]\n", encoding="utf-8")
    mended = mend(
        lambda contents: CHECKER.check(tmp_path, now=NOW, instead=contents),
        lambda name: b"on: inbound_sms\nsteps: [{reply: a}]\n",
    )
    assert mended.contents == {}


def test_a_mend_that_helps_nothing_is_dropped_and_takes_no_other_with_it(tmp_path):
    """Renamed, the key would stand where its value is of the wrong kind."""
    before = b"on: inbound_sms\nsteps:\n  - repl: [1, 2]\n  - log: {{ event.content }}\n  - rply: Hello\n"
    assert mend_flow(tmp_path, before) == (
        b'on: inbound_sms\nsteps:\n  - repl: [1, 2]\n  - log: "{{ event.content }}"\n  - reply: Hello\n'
    )


def test_edits_are_made_from_the_end_and_once():
    text = "a\tb\r\n😀c\rd"
    edits = [Edit(2, 2, 1, "CC"), Edit(1, 1, 1, "A"), Edit(1, 3, 0, "-"), Edit(3, 1, 1, ""), Edit(2, 2, 1, "CC")]
    assert edited(text, edits) == "A\t-b\r\n😀CC\r"


@pytest.mark.parametrize(
    ("text", "written"),
    [("a", '"a"'), ("it's", '"it\'s"'), ('say "hi"', "'say \"hi\"'"), ("C:\\d", "'C:\\d'"), ("'\\", "'''\\'")],
)
def test_quotes_change_nothing_inside(text, written):
    assert quoted(text) == written


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("mesage", ["message", "metadata"], "message"),
        ("Source-Number", ["source_number", "source_number_type"], "source_number"),
        ("undelivered", ["delivered"], None),
        ("order2", ["order1"], None),
        ("messages", ["message", "messagex"], None),
        ("text", ["message", "reply"], None),
    ],
)
def test_only_one_near_word_is_sure(word, known, meant):
    assert sure(word, known) == meant


def test_signs_in_texts_and_names_of_arguments_are_no_operators():
    assert operators("a = 'b = c' && f(x=1)||d") == [(2, "=", "=="), (12, "&&", "and"), (21, "||", " or ")]


FLOWS = [
    path.read_text(encoding="utf-8") for path in sorted((ROOT / "flows").glob("*.yaml")) if ".test." not in path.name
]
COMMENT = re.compile(r"(?:^|\s)(#(?:\s|$).*)", re.MULTILINE)


def _drop_quote(text: str, at: int) -> str:
    places = [found.start() for found in re.finditer(r"[\"']", text)]
    return text[: places[at % len(places)]] + text[places[at % len(places)] + 1 :] if places else text


def _drop_both_quotes(text: str, at: int) -> str:
    found = list(re.finditer(r"(?<=: )\"([^\"\n]*)\"$", text, re.MULTILINE))
    return _swap(text, found[at % len(found)], found[at % len(found)][1]) if found else text


def _misspell(text: str, at: int) -> str:
    found = list(re.finditer(r"\b[a-z_]{5,}(?=:)", text))
    word = found[at % len(found)]
    return _swap(text, word, word[0][:2] + word[0][3:])


def _misname(text: str, at: int) -> str:
    found = list(re.finditer(r"(?<=\.)[a-z_]{5,}\b", text))
    return _swap(text, found[at % len(found)], found[at % len(found)][0] + "s") if found else text


def _space_number(text: str, at: int) -> str:
    found = list(re.finditer(r"\+61(\d{3})(\d{3})(\d{3})\b", text))
    if not found:
        return text
    number = found[at % len(found)]
    return _swap(text, number, f"0{number[1]} {number[2]} {number[3]}")


def _swap(text: str, found: re.Match[str], word: str) -> str:
    return text[: found.start()] + word + text[found.end() :]


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.sampled_from(FLOWS),
    mistakes=st.lists(
        st.tuples(
            st.sampled_from([_drop_quote, _drop_both_quotes, _misspell, _misname, _space_number]), st.integers(0, 999)
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_mending_never_makes_more_errors_and_keeps_comments(text, mistakes, tmp_path):
    for make, at in mistakes:
        text = make(text, at)
    (tmp_path / "flows").mkdir(exist_ok=True)
    (tmp_path / "flows" / "a.yaml").write_text(text, encoding="utf-8")
    before = CHECKER.check(tmp_path, now=NOW)
    mended = mend_files(tmp_path, {"flows/a.yaml": text.encode()})
    after = mended.contents.get("flows/a.yaml", text.encode()).decode()
    errors = [sum(item.severity == "error" for item in found.diagnostics) for found in (before, mended.checked)]
    # What cannot be read hides what stands behind it, at most one error for each of the other mistakes.
    assert errors[1] <= max(errors[0], len(mistakes))
    assert COMMENT.findall(after) == COMMENT.findall(text)
    assert after.count("\n") == text.count("\n")
    assert mend_flow(tmp_path, after.encode()).decode() == after
