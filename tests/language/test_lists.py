"""Reading CSV files of people and of days: what is taken, and what is found wrong where."""

import os
from datetime import date
from pathlib import Path

import pytest

from sinchflow.language.check import Checker
from sinchflow.language.lists import read_days, read_list

JOE, ANN = "+61491570156", "+61491570157"


def read(folder, data: str | bytes, country="AU"):
    (folder / "a.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
    found, diagnostics = read_list(Path("a.csv"), folder, country)
    return list(found), [str(item) for item in diagnostics]


@pytest.mark.parametrize(
    "data",
    [
        f"number,name\n{JOE},Joe\n{ANN},Ann\n",
        f"number,name\r\n{JOE},Joe\r\n{ANN},Ann",
        f"\ufeffnumber,name\n{JOE},Joe\n{ANN},Ann\n",
        "Number , name\n0491 570 156,Joe\n\n,\n61491570157,Ann\n",
        f'"number","name"\n"{JOE}","Joe"\n{ANN},Ann,,\n',
        f"number,name,\n{JOE},Joe,\n{ANN},Ann,\n",
    ],
)
def test_same_list_however_it_is_written(tmp_path, data):
    assert read(tmp_path, data) == ([{"number": JOE, "name": "Joe"}, {"number": ANN, "name": "Ann"}], [])


def test_fields_may_hold_commas_quotes_and_lines(tmp_path):
    rows, found = read(tmp_path, f'number,note\n{JOE},"a, ""b""\nc"\nwhat,x\n')
    assert rows == [{"number": JOE, "note": 'a, "b"\nc'}]
    assert [line.partition(": ")[0] for line in found] == ["a.csv:4:1"]


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        ("", "a.csv:1:1: the list is empty [list-header]"),
        ("name\nJoe\n", 'a.csv:1:1: there is no column "number" [list-header]'),
        (f"{JOE}\n{ANN}\n", "a.csv:1:1: the first row holds a number instead of column names [list-header]"),
        ("number;name\n", 'a.csv:1:1: columns are separated by commas, not by ";" [list-header]'),
        (f"number,number\n{JOE},x\n", 'a.csv:1:1: two columns are named "number" [list-header]'),
        (f"number,,name\n{JOE},,x\n", "a.csv:1:1: column 2 has no name [list-header]"),
        ("number\nJoe\n", 'a.csv:2:1: "Joe" is no telephone number in E.164 form [number]'),
        ("name,number\nJoe,\n", "a.csv:2:1: the row has no number [number]"),
        (f"number,name\n{JOE}\n", "a.csv:2:1: the row has 1 field, the header 2 [list-row]"),
        (f"number\n{JOE}\n0491570156\n", 'a.csv:3:1: warning: "0491570156" is on line 2 already [list-duplicate]'),
        (f'number,name\n{JOE},"Joe\n', "a.csv:2:1: a quote is opened in this row and closed nowhere [csv]"),
        (b"number\n\xff\n", "a.csv:2:1:"),
        (b"n\0umber\n", "a.csv:1:2:"),
    ],
)
def test_what_is_wrong_is_found_at_its_line(tmp_path, data, finding):
    _, found = read(tmp_path, data)
    assert len(found) == 1
    assert found[0].startswith(finding)


def test_many_wrong_rows_are_counted_not_shown(tmp_path):
    rows, found = read(tmp_path, "number\n" + "x\n" * 100 + f"{JOE}\n")
    assert rows == [{"number": JOE}]
    assert len(found) == 21
    assert "80 more errors in the rows up to here" in found[-1]


def test_days(tmp_path):
    (tmp_path / "a.csv").write_text("day,why\n2026-12-24,Christmas Eve\n\n2026-12-31\n")
    assert read_days(Path("a.csv"), tmp_path) == (frozenset({date(2026, 12, 24), date(2026, 12, 31)}), [])
    (tmp_path / "a.csv").write_text("2026-12-24\n31.12.2026\n")
    days, found = read_days(Path("a.csv"), tmp_path)
    assert days == {date(2026, 12, 24)}
    assert [str(each) for each in found] == ['a.csv:2:1: "31.12.2026" is no date [date]']


def project(folder, settings="lists: {vip: a.csv}\ncountry: AU\n") -> None:
    (folder / "sinchflow.yaml").write_text(settings)
    (folder / "a.csv").write_text("number\n0491 570 156\n")


def test_file_that_did_not_change_is_not_read_again(tmp_path):
    project(tmp_path)
    checker = Checker()
    first = checker.check(tmp_path).lists["vip"]
    assert checker.check(tmp_path).lists["vip"] is first
    status = os.stat(tmp_path / "a.csv")
    os.utime(tmp_path / "a.csv", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert checker.check(tmp_path).lists["vip"] is not first


def test_country_of_the_project_decides_again_about_every_list(tmp_path):
    project(tmp_path)
    checker = Checker()
    assert not checker.check(tmp_path).has_errors
    project(tmp_path, "lists: {vip: a.csv}\n")
    assert [each.rule for each in checker.check(tmp_path).diagnostics] == ["number"]


def test_only_what_was_named_is_reported(tmp_path):
    project(tmp_path)
    (tmp_path / "a.csv").write_text("number\nwhat\n")
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/a.yaml").write_text("on: manual\nsteps: [{log: '{{ lists | length }}'}]\n")
    checker = Checker()
    assert checker.check(tmp_path, [Path("flows/a.yaml")]).diagnostics == ()
    assert [each.file for each in checker.check(tmp_path, [Path("a.csv")]).diagnostics] == ["a.csv"]
    assert [each.file for each in checker.check(tmp_path).diagnostics] == ["a.csv"]


def test_hundred_thousand_rows_are_all_taken(tmp_path):
    rows = (f"0491 {n // 1000:03} {n % 1000:03},P{n}" for n in range(100_000))
    project(tmp_path)
    (tmp_path / "a.csv").write_text("number,name\n" + "\n".join(rows))
    checked = Checker().check(tmp_path)
    assert (len(checked.lists["vip"]), checked.diagnostics) == (100_000, ())
    assert "+61491099999" in checked.lists["vip"]
