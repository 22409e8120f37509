"""The phone from within: flows that change while it is used, what never ends, where tests may be saved."""

import contextlib
import random
import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sinchflow.cli.typed import obey
from sinchflow.errors import SinchflowError
from sinchflow.simulate.play.many import Troupe
from sinchflow.simulate.play.phone import Phone
from sinchflow.simulate.play.project import TestProject

MENU = """\
name: menu
on: {inbound_sms: {keyword: MENU}}
steps:
  - reply: A or B?
  - id: choice
    wait_for_reply:
      timeout: 1h
      categories: {a: {keyword: A}, b: {keyword: B}}
  - reply: You chose {{ steps.choice.category }}.
"""
SHOP = """\
name: shop
on: {inbound_sms: {keyword: SHOP}}
steps:
  - reply: "Order at {{ env.SHOP_URL }}"
"""
CASES = Path(__file__).parents[2] / "cases" / "phone"
NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/menu.yaml").write_text(MENU)
    return tmp_path


@pytest.fixture
def phone(project):
    with_environ = []

    def made(environ=(), patience_s=10.0):
        with_environ.append(Phone(project, NOW, "+61491570156", dict(environ), patience_s))
        return with_environ[-1]

    yield made
    for each in with_environ:
        each.close()


def chat(phone):
    return [f"{line.who} {line.text}".strip() for line in phone.news()]


def refusal(do, *arguments, **how):
    with pytest.raises(SinchflowError) as refused:
        do(*arguments, **how)
    return str(refused.value)


def passes(project):
    """How many tests there are; all of them pass."""
    tests = TestProject(project)
    troupe = Troupe(tests)
    results = [*troupe.play_all([*tests.scripts()])]
    troupe.close()
    assert [each.failure for each in results if each.failure] == []
    return len(results)


def test_an_open_run_goes_on_with_the_flow_it_began_with(project, phone):
    used = phone()
    used.text("MENU")
    (project / "flows/menu.yaml").write_text(MENU.replace("You chose", "Yours is"))
    assert used.reload() == 1
    used.text("B")
    used.text("menu")
    used.text("A")
    assert chat(used) == [
        "+61491570156 MENU", "+61491570156 A or B?", "the flows are read again", "+61491570156 B",
        "+61491570156 You chose b.", "run 2 of menu completed", "+61491570156 menu", "+61491570156 A or B?",
        "+61491570156 A", "+61491570156 Yours is a.", "run 9 of menu completed",
    ]  # fmt: skip
    assert used.trace(2)[0]["status"] == "completed"
    assert refusal(used.save, "flows/menu.test.yaml", None) == (
        "flows/menu.test.yaml is not written, for played as a test it goes otherwise: +61491570156 is texted something "
        'else: "Yours is b." instead of "You chose b." (flows were changed meanwhile, perhaps: /new, and do it again)'
    )
    assert not (project / "flows/menu.test.yaml").exists()
    used.anew()
    used.text("menu")
    used.text("A")
    assert used.save("flows/menu.test.yaml", None) == "wrote flows/menu.test.yaml"
    assert passes(project) == 1


def test_what_is_taken_back_was_played_with_the_flows_of_then(project, phone):
    used = phone()
    used.text("MENU")
    (project / "flows/menu.yaml").write_text(MENU.replace("A or B", "B or A"))
    used.reload()
    used.text("A")
    used.text("MENU")
    assert (used.undo(), used.undo()) == ("MENU", "A")
    used.text("MENU")
    assert chat(used)[-2:] == ["+61491570156 MENU", "+61491570156 B or A?"]
    assert (used.undo(), used.undo()) == ("MENU", "reload")
    used.text("B")
    used.text("MENU")
    assert chat(used)[-2:] == ["+61491570156 MENU", "+61491570156 A or B?"]


def test_broken_flows_are_told_and_the_old_ones_stay(project, phone):
    used = phone()
    (project / "flows/menu.yaml").write_text(MENU.replace("reply: A", "replay: A"))
    assert refusal(used.reload).splitlines()[:2] == [
        "the flows stay as they were, for the project has errors:",
        'flows/menu.yaml:4:5: unknown key "replay" in this step [unknown-key]',
    ]
    used.text("MENU")
    assert chat(used) == ["+61491570156 MENU", "+61491570156 A or B?"]


def test_a_new_flow_and_a_new_account_are_there_after_a_reload(project, phone):
    used = phone()
    (project / "flows/shop.yaml").write_text(SHOP.replace("on:", "account: nz\non:"))
    (project / "sinchflow.yaml").write_text(
        'env: [SHOP_URL]\nsource_number: "+61491593156"\naccounts: {nz: {service: etxt, source_number: "+64211234567", '
        'credentials: {api_key: "{{ secrets.K }}", api_secret: "{{ secrets.S }}"}}}\n'
    )
    assert used.reload() == 2
    used.text_to("+64211234567")
    used.text("SHOP")
    assert chat(used)[-1].startswith("run 2 of shop failed: ")


def test_the_environment_is_given_to_the_saved_test(project, phone):
    (project / "sinchflow.yaml").write_text("env: [SHOP_URL, OTHER]\n")
    (project / "flows/shop.yaml").write_text(SHOP)
    used = phone({"SHOP_URL": "https://shop.example", "HOME": "/home/me"})
    used.text("SHOP")
    used.save("shop.test.yaml", None)
    assert (
        (project / "shop.test.yaml").read_text()
        == """\
flow: shop
now: 2026-12-01T09:00+00:00
contact: '+61491570156'
env: {SHOP_URL: 'https://shop.example'}

tests:
  - name: SHOP
    script:
      - in: SHOP
      - out: 'Order at https://shop.example'
      - run: completed
"""
    )
    assert passes(project) == 1


@pytest.mark.parametrize(
    ("text", "responds"),
    [
        ("Stock: {{ steps.stock.status }}", ""),
        ("{{ 'none' if steps.stock.json is none else 'some' }}", ", respond: {json: {}}"),
    ],
)
def test_what_calls_are_answered_is_written_where_it_matters(text, responds, project, phone):
    (project / "flows/stock.yaml").write_text(
        "name: stock\non: {inbound_sms: {keyword: STOCK}}\nsteps:\n  - id: stock\n"
        f'    http: {{method: GET, url: "https://shop.example/"}}\n  - reply: "{text}"\n'
    )
    used = phone()
    used.text("STOCK")
    used.save("x.test.yaml", None)
    steps = (project / "x.test.yaml").read_text().splitlines()
    assert f"      - http: {{method: GET, url: 'https://shop.example/'{responds}}}" in steps
    assert passes(project) == 1


def test_what_does_not_come_to_rest_is_taken_back(project, phone):
    (project / "flows/tick.yaml").write_text("name: tick\non: {schedule: {every: 1m}}\nsteps:\n  - log: tick\n")
    used = phone(patience_s=0.2)
    used.text("MENU")
    assert len(chat(used)) == 2
    assert refusal(used.advance, "3650d") == (
        "the flows do not come to rest: 0.2 s of work were not enough. A loop of them has no end, or a schedule is too "
        "dense for this span of time. What was done last is taken back"
    )
    assert chat(used) == []  # what is left is no news
    assert used.now == NOW
    used.text("B")
    assert chat(used) == ["+61491570156 B", "+61491570156 You chose b.", "run 2 of menu completed"]


def test_what_is_interrupted_is_taken_back(project, phone):
    (project / "flows/tick.yaml").write_text("name: tick\non: {schedule: {every: 1m}}\nsteps:\n  - log: tick\n")
    used = phone()
    used.text("MENU")
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        assert refusal(used.advance, "3650d") == "interrupted: what was done last is taken back"
    finally:
        signal.signal(signal.SIGALRM, before)
    used.text("A")
    assert chat(used) == ["+61491570156 A", "+61491570156 You chose a.", "run 2 of menu completed"]


@pytest.mark.parametrize(
    ("there", "after"),
    [
        ("flow: menu\ntests:\n- name: x\n  script: [{in: MENU}, {out: A or B?}]\n", 2),
        ("flow: menu\ntests:\n    - name: x\n      script:\n      - in: MENU\n      - out: A or B?", 2),
        ("flow: menu\ntests:\n  - name: MENU\n    script: [{in: MENU}, {out: A or B?}]\n  # the end\n\n\n", 2),
        ("flow: menu\ntests:\n  - script: [{in: MENU}, {out: A or B?}]\n    name: MENU\n# the end\n", 2),
        ("flow: menu\nnow: 2026-12-01T09:00+00:00\ncontact: '+61491570156'\ntests:\n  - name: MENU\n"
         "    script: [{in: MENU}, {out: A or B?}]\n", 2),
    ],
)  # fmt: skip
def test_a_test_is_added_however_the_file_is_laid_out(there, after, project, phone):
    (project / "x.test.yaml").write_text(there)
    used = phone()
    used.text("MENU")
    assert used.save("x.test.yaml", None) == "added to x.test.yaml"
    assert (project / "x.test.yaml").read_text().startswith(there.rstrip("\n"))
    assert passes(project) == after


WAYS = "choose another name, or write over it with /save!"


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ("flow: menu\ntests: [{name: x, script: [{in: MENU}, {out: A or B?}]}]\n",
         f"x.test.yaml: a test can only be added where `tests:` comes last, one item a line: {WAYS}"),
        ("tests:\n  - name: x\n    script: [{in: MENU}, {out: A or B?}]\nflow: menu\n",
         f"x.test.yaml: a test can only be added where `tests:` comes last, one item a line: {WAYS}"),
        ("flow: shop\ntests:\n  - name: x\n    script: [{in: MENU}, {out: A or B?}]\n",
         f"x.test.yaml is of flow shop, and this is of flow menu: {WAYS}"),
        ("tests:\n  - name: x\n    script: [{in: MENU}, {out: A or B?}]\n",
         f"x.test.yaml is of no flow, and this is of flow menu: {WAYS}"),
        ("", f"x.test.yaml is there already and holds no test that another could be added to: {WAYS}"),
        ("flow: [", f"x.test.yaml is there already and holds no test that another could be added to: {WAYS}"),
        ("flow: menu\nvars: {nobody: 1}\ntests: 5\n",
         f"x.test.yaml is there already and holds no test that another could be added to: {WAYS}"),
    ],
)  # fmt: skip
def test_a_file_that_takes_no_further_test_stays_as_it_is(there, words, project, phone):
    (project / "x.test.yaml").write_text(there)
    used = phone()
    used.text("MENU")
    assert refusal(used.save, "x.test.yaml", None) == words
    assert (project / "x.test.yaml").read_text() == there
    assert used.save("x.test.yaml", None, overwrites=True) == "wrote x.test.yaml"
    assert passes(project) == 1


def test_an_added_test_gives_what_the_file_gives_otherwise(project, phone):
    there = """\
flow: menu
contact: +61491570158
now: 2026-01-01
tests:
  - {name: MENU, script: [{in: x}, {silence: true}]}
"""
    (project / "x.test.yaml").write_text(there)
    used = phone()
    used.text("MENU")
    assert used.save("x.test.yaml", None) == "added to x.test.yaml"
    assert (
        (project / "x.test.yaml").read_text()
        == there
        + """
  - name: MENU (2)
    now: 2026-12-01T09:00+00:00
    contact: '+61491570156'
    script:
      - in: MENU
      - out: 'A or B?'
      - run: running
"""
    )
    assert passes(project) == 2


def test_a_test_that_goes_otherwise_in_its_file_is_not_added(project, phone):
    there = "flow: shop\nenv: {SHOP_URL: there}\ntests:\n  - name: x\n    script: [{in: SHOP}, {out: Order at there}]\n"
    (project / "x.test.yaml").write_text(there)
    (project / "sinchflow.yaml").write_text("env: [SHOP_URL]\n")
    (project / "flows/shop.yaml").write_text(SHOP.replace("env.SHOP_URL", "env.SHOP_URL | default('here')"))
    used = phone()
    used.text("SHOP")
    assert refusal(used.save, "x.test.yaml", None) == (
        "x.test.yaml is not written, for played as a test it goes otherwise: +61491570156 is texted something else: "
        '"Order at there" instead of "Order at here" '
        "(what the file gives to its tests makes a difference, perhaps: choose another name)"
    )
    assert (project / "x.test.yaml").read_text() == there


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("shop/x.test.yaml", '"shop/x.test.yaml" is in another project: shop'),
        ("shop/flows/x.test.yaml", '"shop/flows/x.test.yaml" is in another project: shop'),
        ("nowhere/x.test.yaml", '"nowhere/x.test.yaml": there is no folder nowhere'),
        (".shop/x.test.yaml", '".shop/x.test.yaml": `sinchflow test` does not look into hidden folders'),
        ("../x.test.yaml", '"../x.test.yaml" is not in the project: its tests would not find its flows'),
        ("x.yaml", '"x.yaml": a test file is called NAME.test.yaml'),
    ],
)
def test_a_place_where_no_test_is_found_is_refused(file, words, project, phone):
    (project / "shop/flows").mkdir(parents=True)
    (project / "shop/sinchflow.yaml").write_text("timezone: UTC\n")
    used = phone()
    used.text("MENU")
    assert refusal(used.save, file, None) == words


def test_time_has_bounds(project, phone):
    used = phone()
    for _ in range(17):
        used.advance("3650d")
    assert refusal(used.advance, "3650d") == "2206-10-19 is too far away: time goes from 1980 to 2199 here"
    assert refusal(Phone, project, datetime(1, 1, 1), "+61491570156", {}) == (
        "0001-01-01 is too far away: time goes from 1980 to 2199 here"
    )


def test_a_file_that_cannot_be_read_or_written_is_told(project, phone):
    (project / "latin.test.yaml").write_bytes(b"flow: men\xfc\n")
    (project / "folder.test.yaml").mkdir()
    used = phone()
    used.text("MENU")
    assert refusal(used.save, "latin.test.yaml", None) == "latin.test.yaml cannot be read: it is no UTF-8"
    assert refusal(used.save, "folder.test.yaml", None) == "folder.test.yaml cannot be read: Is a directory"
    assert refusal(used.save, "folder.test.yaml", None, overwrites=True) == (
        "folder.test.yaml cannot be written: Is a directory"
    )


def test_a_project_with_schemas_gets_its_modeline(project, phone):
    (project / "sinchflow.yaml").write_text("timezone: Australia/Sydney\n")
    (project / ".sinchflow").mkdir()
    (project / ".sinchflow/test.schema.json").write_text("{}")
    used = phone()
    used.text("MENU")
    for file, up in (("flows/menu.test.yaml", "../"), ("menu.test.yaml", "")):
        used.save(file, None)
        assert (project / file).read_text().splitlines()[:2] == [
            f"# yaml-language-server: $schema={up}.sinchflow/test.schema.json", "flow: menu",
        ]  # fmt: skip
    assert passes(project) == 2


LINES = [
    "BOOK", "1", "2 please", "what?", "TELL hi 🎂", "TELL a\nb", "KIA", "STOP", "START", "HELP", "hello", "/advance 1m",
    "/advance 30s", "/advance 2h", "/advance 13h", "/respond 503", "/respond timeout", "/respond connection",
    '/respond 200 {"a": [1, "1"]}', "/respond 404 gone: no", "/refuse no: such 'number'",
    "/receipt failed 330", "/receipt delivered", "/restart",
    "/reload", "/from anna", "/from +61491570156", "/to +64211234567", "/to", "/start remind who=+61491570158",
    '/start remind who="0491 570 157" text="x: \'y\'" tags=["1e3"]', '/webhook /delivery {"number": "+61491570157"}',
    "/webhook /delivery {}", "/now 2026-12-03T05:00", "/undo",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_whatever_was_done_is_saved_and_taken_back(seed, tmp_path):
    shutil.copytree(CASES / "project", tmp_path, dirs_exist_ok=True)
    chance = random.Random(seed)
    begin = datetime(2026, 12, 1, chance.choice([9, 22]), tzinfo=UTC)
    with contextlib.closing(Phone(tmp_path, begin, "+61491570156", {})) as used:
        used.name("anna", "+61491570157")
        used.text("BOOK")
        for line in chance.choices(LINES, k=15):
            with contextlib.suppress(SinchflowError):
                obey(used, line)
        used.become("anna")
        used.text("HELP")
        used.save("x.test.yaml", None)
        saved = (tmp_path / "x.test.yaml").read_text()
        for line in ("BOOK", "/advance 3h", "/restart"):
            obey(used, line)
            assert chat(used) != []
            used.undo()
            used.save("x.test.yaml", None, overwrites=True)
            assert (tmp_path / "x.test.yaml").read_text() == saved
    assert passes(tmp_path) == 1
