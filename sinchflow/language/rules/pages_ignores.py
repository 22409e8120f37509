"""The pages of what is found in comments that ignore findings (`language/ignores.py`)."""

from sinchflow.language.rules.rule import Page

IGNORE_COMMENT = Page(
    id="ignore-comment",
    reason=(
        "`# sinchflow: ignore[RULE] why` takes a warning away for good. So it names the rule, says why for whoever "
        "reads it next year, and cannot hide an error: with one, the flow does not run."
    ),
    failing="""\
on:
  webhook: {path: /orders}  # sinchflow: ignore[open-webhok] only our shop's network reaches it
contact: "{{ event.json.phone }}"
steps:
  - reply: Your order is ready.  # sinchflow: ignore[long-text]
""",
    corrected="""\
on:
  webhook: {path: /orders}  # sinchflow: ignore[open-webhook] only our shop's network reaches it
contact: "{{ event.json.phone }}"
steps:
  - reply: Your order is ready.
""",
)

UNUSED_IGNORE = Page(
    id="unused-ignore",
    reason=(
        "What was ignored here is not found any more. Left where it is, the comment would hide the next finding, "
        "about which nobody has thought."
    ),
    failing="""\
on:
  # sinchflow: ignore[open-webhook] only our shop's network reaches it
  webhook: {path: /orders, token: "{{ secrets.ORDER_TOKEN }}"}
contact: "{{ event.json.phone }}"
steps:
  - reply: Your order is ready.
""",
    corrected="""\
on:
  webhook: {path: /orders, token: "{{ secrets.ORDER_TOKEN }}"}
contact: "{{ event.json.phone }}"
steps:
  - reply: Your order is ready.
""",
)

PAGES: tuple[Page, ...] = (IGNORE_COMMENT, UNUSED_IGNORE)
