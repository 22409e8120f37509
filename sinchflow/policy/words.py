"""Whether a whole message is a word that policy takes before any flow: opt-out, opt-in or help."""

from sinchflow.expression.keywords import Kind, means
from sinchflow.model.project import KeywordPolicy, Policy

#: In the order in which they are asked.
_KINDS: tuple[Kind, ...] = ("opt_out", "opt_in", "help")


def meaning(policy: Policy, text: str, *, is_opted_out: bool) -> Kind | None:
    """What the message means, or None when it goes to waits and flows.

    An opt-in word means something of somebody who has opted out only, a help word where policy has an answer to it.
    """
    for kind in _KINDS:
        words = words_of(policy, kind)
        if words is None or (kind == "opt_in" and not is_opted_out) or (kind == "help" and words.reply is None):
            continue
        if means(text, kind, words.keywords):
            return kind
    return None


def words_of(policy: Policy, kind: Kind) -> KeywordPolicy | None:
    """The setting of one kind; None is off."""
    by_kind: dict[Kind, KeywordPolicy | None] = {
        "opt_out": policy.opt_out,
        "opt_in": policy.opt_in,
        "help": policy.help,
    }
    return by_kind[kind]
