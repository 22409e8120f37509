"""What is wrong right now, by subject; tells when a trouble begins and when it is over, once each."""

from collections.abc import Callable


class Troubles(dict[str, str]):
    """Reasons in words by subject (`provider`, `journal`, `reload`, `webhooks`, …); empty is healthy."""

    def __init__(self) -> None:
        super().__init__()
        #: called with the subject, and the reason of a trouble that begins; None: it is over
        self.on_change: list[Callable[[str, str | None], None]] = []

    def __setitem__(self, subject: str, reason: str) -> None:
        is_new = subject not in self
        super().__setitem__(subject, reason)
        if is_new:
            for tell in self.on_change:
                tell(subject, reason)

    def setdefault(self, subject: str, reason: str) -> str:
        """Note the trouble unless there is one with this subject; the reason that stands."""
        if subject not in self:
            self[subject] = reason
        return self[subject]

    def __delitem__(self, subject: str) -> None:
        self.pop(subject)

    def pop(self, subject: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """Forget the trouble, if there is one."""
        if subject not in self:
            return default
        reason = super().pop(subject)
        for tell in self.on_change:
            tell(subject, None)
        return reason
