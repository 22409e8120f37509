"""What a check found, and running many checks at once, each within its time.

A check is a function that gives findings. One that crashes, or takes too long, is a finding too.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from sinchflow.errors import SinchflowError
from sinchflow.sinch.words import shown

State = Literal["ok", "warn", "fail", "skipped"]

_LONGEST = 400
_HINT = "mend that first"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line. hint: how to mend it. is_outside: the provider's or the network's fault, not this machine's."""

    check: str
    state: State
    words: str
    hint: str = ""
    is_outside: bool = False


Check = Callable[[], Iterable[Finding]]


def ok(check: str, words: str) -> Finding:
    """All is as it should be."""
    return Finding(check=check, state="ok", words=shown(words, _LONGEST))


def warn(check: str, words: str, hint: str, *, is_outside: bool = False) -> Finding:
    """It works, but somebody should know."""
    return Finding(check=check, state="warn", words=shown(words, _LONGEST), hint=hint, is_outside=is_outside)


def fail(check: str, words: str, hint: str, *, is_outside: bool = False) -> Finding:
    """It does not work, or will not for long."""
    return Finding(check=check, state="fail", words=shown(words, _LONGEST), hint=hint, is_outside=is_outside)


def skipped(check: str, words: str) -> Finding:
    """It could not be looked at."""
    return Finding(check=check, state="skipped", words=shown(words, _LONGEST))


def examine(checks: Sequence[tuple[str, Check]], patience_s: float) -> Iterator[Finding]:
    """The findings of all checks, in their order. They run at once, each in a thread that ends with the process."""
    answers: list[queue.SimpleQueue[list[Finding]]] = []
    for name, check in checks:
        answer: queue.SimpleQueue[list[Finding]] = queue.SimpleQueue()
        answers.append(answer)
        threading.Thread(target=_run, args=(name, check, answer), daemon=True, name=f"check-{name}").start()
    deadline, told = time.monotonic() + patience_s, set[str]()
    for (name, _), answer in zip(checks, answers, strict=True):
        try:
            for finding in answer.get(timeout=max(deadline - time.monotonic(), 0.01)):
                yield _once(finding, told)
        except queue.Empty:
            yield fail(name, f"did not end within {patience_s:g} s", "try again; --offline leaves the network out")


def _run(name: str, check: Check, answer: "queue.SimpleQueue[list[Finding]]") -> None:
    found: list[Finding] = []
    try:
        found.extend(check())
    except SinchflowError as error:
        found.append(fail(name, _first_line(error), _HINT))
    except Exception as error:  # a bug of ours is one line of the report, and the other checks go on
        found.append(fail(name, f"the check itself crashed: {type(error).__name__}: {error}", "report this"))
    answer.put(found)


def _once(finding: Finding, told: set[str]) -> Finding:
    """What is in the way of several checks is said by the first of them."""
    is_known = finding.state == "fail" and finding.words in told
    told.add(finding.words)
    return skipped(finding.check, "could not be looked at, for the reason above") if is_known else finding


def _first_line(error: SinchflowError) -> str:
    lines: list[Any] = [line for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) if lines and lines[0].endswith(":") else lines[0] if lines else type(error).__name__
