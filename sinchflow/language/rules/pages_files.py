"""The pages of what is found in the shape of files, in CSV files, and in the project as a whole."""

from sinchflow.language.rules.rule import Page

_FLOW = """\
# file: flows/thanks.yaml
on: inbound_sms
steps:
  - reply: Thank you!
"""

_LIST = (
    """\
# file: sinchflow.yaml
lists: {vip: lists/vip.csv}
# file: flows/vip.yaml
on: inbound_sms
if: contact.number in lists.vip
steps:
  - reply: Welcome back!
"""
    "# file: lists/vip.csv\n"
)

_CLOSED = """\
# file: sinchflow.yaml
calendars:
  office: {weekly: {mon-fri: 08:00-18:00}, closed: lists/closed.csv}
# file: flows/night.yaml
on: inbound_sms
if: not calendars.office.is_open()
steps:
  - reply: We are closed now, and answer tomorrow.
# file: lists/closed.csv
"""

PAGES: tuple[Page, ...] = (
    Page(
        id="calendar-old",
        reason=(
            "A calendar whose last holiday or closed day has passed is open on every one to come: customers would be"
            " told to call when nobody is there."
        ),
        failing=_CLOSED + "2024-12-25\n2024-12-26\n",
        corrected=_CLOSED + "2024-12-25\n2024-12-26\n2099-12-25\n",
    ),
    Page(
        id="csv",
        reason="From a row on that is no CSV, nothing of the file is read: the numbers behind it would be missing.",
        failing=_LIST + 'number,name\n+61491570156,Joe\n+61491570157,"Mac" Smith\n',
        corrected=_LIST + 'number,name\n+61491570156,Joe\n+61491570157,"""Mac"" Smith"\n',
    ),
    Page(
        id="date",
        reason="A day is written 2026-12-24. Read any other way, 03/04 would be March to some and April to others.",
        failing=_CLOSED + "2099-12-24\n25/12/2099\n",
        corrected=_CLOSED + "2099-12-24\n2099-12-25\n",
    ),
    Page(
        id="file",
        reason=(
            "A file that the project names, or that lies in flows/, is not there or cannot be read. What would be in"
            " it is missing, so nothing runs without it."
        ),
        failing=_LIST.replace("lists/vip.csv}", "lists/vips.csv}") + "number\n+61491570156\n",
        corrected=_LIST + "number\n+61491570156\n",
    ),
    Page(
        id="list-duplicate",
        reason=(
            "A number is in a list once. Of two rows only the first counts, and the other columns of the second are "
            "lost."
        ),
        failing=_LIST + "number,name\n+61491570156,Joe\n+61 491 570 156,Joseph\n",
        corrected=_LIST + "number,name\n+61491570156,Joe\n",
    ),
    Page(
        id="list-header",
        reason=(
            "The first row of a list names its columns, one of them number; without it nobody knows what the others "
            "hold. Columns are separated by commas."
        ),
        failing=_LIST + "phone,name\n+61491570156,Joe\n",
        corrected=_LIST + "number,name\n+61491570156,Joe\n",
    ),
    Page(
        id="list-row",
        reason=(
            "A row with a field too many or too few has its fields under the wrong columns: somebody would be "
            "greeted by the name of a town. A time zone that does not exist is found, too."
        ),
        failing=_LIST + "number,name,city\n+61491570156,Smith, Joe,Perth\n",
        corrected=_LIST + 'number,name,city\n+61491570156,"Smith, Joe",Perth\n',
        is_mixed=True,
    ),
    Page(
        id="missing-key",
        reason="Without this key nobody could say what is to happen.",
        failing="""\
on: inbound_sms
steps:
  - send_sms:
      message: Somebody wrote to us.
""",
        corrected="""\
on: inbound_sms
steps:
  - send_sms:
      to: "+61491570156"
      message: Somebody wrote to us.
""",
    ),
    Page(
        id="no-flow",
        reason="A file in flows/ without a flow does nothing: what was in it is lost, or was never written.",
        failing="""\
# file: flows/menu.yaml
# The menu comes here.
""",
        corrected="""\
# file: flows/menu.yaml
on:
  inbound_sms: {keyword: MENU}
steps:
  - reply: "Today: pumpkin soup."
""",
    ),
    Page(
        id="no-test",
        reason="A test file without a test is green whatever the flows do.",
        failing=_FLOW
        + """\
# file: flows/thanks.test.yaml
# The tests come here.
""",
        corrected=_FLOW
        + """\
# file: flows/thanks.test.yaml
tests:
  - name: thanks everybody
    script:
      - in: Lovely food!
      - out: Thank you!
""",
    ),
    Page(
        id="several-documents",
        reason=(
            "Only files of flows hold several documents with `---` between them. Of sinchflow.yaml and of a test "
            "file the second one would not be looked at."
        ),
        failing="# file: sinchflow.yaml\ncountry: AU\n---\ntimezone: Australia/Perth\n" + _FLOW,
        corrected="# file: sinchflow.yaml\ncountry: AU\ntimezone: Australia/Perth\n" + _FLOW,
    ),
    Page(
        id="type",
        reason=(
            "A text cannot stand where a mapping is needed, nor a word where a number is: nobody can say what it "
            "would mean."
        ),
        failing="""\
on: inbound_sms
steps:
  - for_each:
      items: [one, two]
      parallel: both
      steps:
        - log: "{{ item }}"
""",
        corrected="""\
on: inbound_sms
steps:
  - for_each:
      items: [one, two]
      parallel: 2
      steps:
        - log: "{{ item }}"
""",
    ),
    Page(
        id="unknown-key",
        reason="A key that is not known here does nothing, however well it is meant; most often it is misspelt.",
        failing="""\
on: inbound_sms
steps:
  - send_sms:
      to: "+61491570156"
      mesage: Somebody wrote to us.
""",
        corrected="""\
on: inbound_sms
steps:
  - send_sms:
      to: "+61491570156"
      message: Somebody wrote to us.
""",
    ),
    Page(
        id="value",
        reason="Only a few values, or values of a certain form, mean something here, and this is none of them.",
        failing="""\
on: inbound_sms
throttle: {max: 1, per: ten minutes}
steps:
  - reply: Thank you!
""",
        corrected="""\
on: inbound_sms
throttle: {max: 1, per: 10m}
steps:
  - reply: Thank you!
""",
    ),
)
