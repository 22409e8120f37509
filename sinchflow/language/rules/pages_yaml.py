"""The pages of what is found while a file is read as YAML, before anybody knows what its keys mean."""

from sinchflow.language.rules.rule import Page

PAGES: tuple[Page, ...] = (
    Page(
        id="control-character",
        reason=(
            "Characters that nobody sees, such as a bell or a zero byte, get into files by accident, and not every "
            "phone survives them. In a text only line breaks and tabs are of use."
        ),
        failing="""\
on: inbound_sms
steps:
  - reply: "Your table is ready\\a"
""",
        corrected="""\
on: inbound_sms
steps:
  - reply: "Your table is ready"
""",
    ),
    Page(
        id="depth",
        reason=(
            "Lists and mappings may stand inside each other 100 levels deep. Nobody writes more by hand: a program "
            "wrote the file, or made to harm whoever reads it."
        ),
        failing="",
        corrected="",
    ),
    Page(
        id="document-size",
        reason=(
            "One document has 50,000 values at most, aliases counted as what they stand for. A flow as large as that"
            " cannot be followed; a file may hold several, with `---` between them."
        ),
        failing="",
        corrected="",
    ),
    Page(
        id="duplicate-key",
        reason=(
            "YAML has each key of a mapping once. Of two that are alike most programs silently take the last, so "
            "that half of what is written never happens."
        ),
        failing="""\
on: inbound_sms
steps:
  - reply: We are open from 8am to 6pm.
    reply: On Sundays we are closed.
""",
        corrected="""\
on: inbound_sms
steps:
  - reply: We are open from 8am to 6pm.
  - reply: On Sundays we are closed.
""",
    ),
    Page(
        id="encoding",
        reason=(
            "Files are read as UTF-8. In any other encoding letters outside of English would reach customers as "
            "other letters. Save the file as UTF-8; in most editors the status bar shows the encoding, and changes "
            "it."
        ),
        failing="",
        corrected="",
    ),
    Page(
        id="file-size",
        reason=(
            "A YAML file has one megabyte at most, a CSV file 50. Such a file was probably put there by mistake; if "
            "not, several small ones are read just the same."
        ),
        failing="",
        corrected="",
    ),
    Page(
        id="merge-key",
        reason=(
            "Merge keys (`<<`) were an experiment of YAML 1.1 and are not part of YAML 1.2; where they are read at "
            "all, it is not alike. An alias for a whole value does the same, and can be followed."
        ),
        failing="""\
on: inbound_sms
steps:
  - send_sms: &boss
      to: "+61491570156"
      message: Somebody wrote to us.
  - send_sms:
      <<: *boss
      message: Look at it soon, please.
""",
        corrected="""\
on: inbound_sms
steps:
  - send_sms:
      to: &boss "+61491570156"
      message: Somebody wrote to us.
  - send_sms:
      to: *boss
      message: Look at it soon, please.
""",
    ),
    Page(
        id="unquoted-template",
        reason=(
            "Braces begin a mapping in YAML, so `{{ … }}` without quotes is not read as a template. Quotes make it a"
            " text; `if` takes the expression alone, without braces."
        ),
        failing="""\
on:
  webhook: {path: /booked, token: "{{ secrets.BOOKING_TOKEN }}"}
contact: {{ event.json.phone }}
steps:
  - reply: Thank you for booking.
""",
        corrected="""\
on:
  webhook: {path: /booked, token: "{{ secrets.BOOKING_TOKEN }}"}
contact: "{{ event.json.phone }}"
steps:
  - reply: Thank you for booking.
""",
    ),
    Page(
        id="yaml-alias",
        reason=(
            "`*name` stands for the value that an anchor (`&name`) before it is written at. Without that anchor it "
            "stands for nothing. A text that begins with `*` needs quotes."
        ),
        failing="""\
on: inbound_sms
steps:
  - send_sms:
      to: *boss
      message: Somebody wrote to us.
  - send_sms:
      to: &boss "+61491570156"
      message: Look at it soon, please.
""",
        corrected="""\
on: inbound_sms
steps:
  - send_sms:
      to: &boss "+61491570156"
      message: Somebody wrote to us.
  - send_sms:
      to: *boss
      message: Look at it soon, please.
""",
    ),
    Page(
        id="yaml-key",
        reason="A key is a text. YAML allows lists and mappings as keys, too, but here they mean nothing.",
        failing="""\
on: inbound_sms
steps:
  - set:
      [name, city]: unknown
""",
        corrected="""\
on: inbound_sms
steps:
  - set:
      name: unknown
      city: unknown
  - reply: "You are {{ vars.name }} from {{ vars.city }}."
""",
    ),
    Page(
        id="yaml-syntax",
        reason=(
            "The file cannot be read as YAML: a quote, a bracket or a colon is missing or one too many, or an "
            "indentation is wrong. Nothing behind that place is known, so this is mended first."
        ),
        failing="""\
on: inbound_sms
steps:
  - reply: Today only: two for one!
""",
        corrected="""\
on: inbound_sms
steps:
  - reply: "Today only: two for one!"
""",
    ),
    Page(
        id="yaml-tag",
        reason=(
            "A word with `!` at the beginning of a value is a tag to YAML: it would be dropped, and the customer "
            "would get the rest."
        ),
        failing="""\
on: inbound_sms
steps:
  - reply: !Important your parcel waits for you.
""",
        corrected="""\
on: inbound_sms
steps:
  - reply: "!Important your parcel waits for you."
""",
    ),
)
