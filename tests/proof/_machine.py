"""A process of its own for something that may end in the middle, hang, or speak on stderr."""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

#: How a machine ends by itself, by a fault in what it played, and because it was ended for taking too long.
WHOLE, BROKEN, HUNG = 0, 70, -signal.SIGALRM


def play(work: Callable[[], None], said: Path, *, patience_s: int = 60) -> int:
    """How the process ended that did the work: its exit code, or a signal's number below 0. said: what it prints."""
    with warnings.catch_warnings():  # of threads that a fork does not take along: none of them is needed
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        _be_it(work, said, patience_s)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _be_it(work: Callable[[], None], said: Path, patience_s: int) -> None:
    code = BROKEN
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(patience_s)
        spoken = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(spoken, 1)
        os.dup2(spoken, 2)
        sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        work()
        code = WHOLE
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
