"""Whether a whole message is a word that policy takes before any flow: opt-out, opt-in or help."""

from sinchflow.expression.courtesy import LONGEST_MESSAGE
from sinchflow.expression.keywords import Kind, means
from sinchflow.model.project import KeywordPolicy, Policy

#: In the order in which they are asked.
KINDS: tuple[Kind, ...] = ("opt_out", "opt_in", "help")
#: Short messages are mostly the same few: what they mean is kept.
_MOST_KNOWN = 10_000


class PolicyWords:
    """The words of one policy, ready to be asked of every message that comes in."""

    def __init__(self, policy: Policy) -> None:
        self._kinds = [(kind, words.keywords) for kind in KINDS if (words := words_of(policy, kind)) is not None]
        self._is_help_answered = policy.help is not None and policy.help.reply is not None
        self._known: dict[str, Kind | None] = {}

    def meaning(self, text: str) -> Kind | None:
        """What the message means, or None when it goes to waits and flows.

        An opt-in word means something of somebody who has opted out only: that is for the caller to see.
        """
        if len(text) > LONGEST_MESSAGE:
            return None
        known = self._known
        if text not in known:
            if len(known) >= _MOST_KNOWN:
                known.clear()
            known[text] = self._find(text)
        return known[text]

    def _find(self, text: str) -> Kind | None:
        for kind, keywords in self._kinds:
            if means(text, kind, keywords):
                return None if kind == "help" and not self._is_help_answered else kind
        return None


def words_of(policy: Policy, kind: Kind) -> KeywordPolicy | None:
    """The setting of one kind; None is off."""
    by_kind: dict[Kind, KeywordPolicy | None] = {
        "opt_out": policy.opt_out,
        "opt_in": policy.opt_in,
        "help": policy.help,
    }
    return by_kind[kind]
