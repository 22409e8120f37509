"""The `sinchflow` command: runs what is asked for, and turns exceptions into one line and an exit code."""

import contextlib
import os
import sys

from sinchflow.cli.quick import quick
from sinchflow.cli.screen import guard_output
from sinchflow.errors import SinchflowError


def main() -> None:
    """Run the command line and exit: 0 fine, 1 findings or failures, 2 usage, 3 cannot start, 4 provider or network."""
    arguments = sys.argv[1:]
    is_debug = "--debug" in arguments
    guard_output()
    try:
        code = quick(arguments)
        if code is not None:
            sys.exit(code)
        from sinchflow.cli.app import build
        from sinchflow.cli.invocation import Invocation

        build(arguments)(obj=Invocation(), prog_name="sinchflow")
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell tells it: nothing is left half done
    except BrokenPipeError:
        sys.exit(1)  # whoever read this has gone (`| head`), and needs no words
    except SinchflowError as error:
        report(f"sinchflow: {error}", is_debug=is_debug)
        sys.exit(error.exit_code)
    except Exception as error:
        # The last resort of the process: a bug of ours must still read as one line.
        again = "" if is_debug else "; run with `sinchflow --debug …` for the details"
        report(f"sinchflow: internal error: {type(error).__name__}: {error}{again}", is_debug=is_debug)
        sys.exit(1)
    finally:
        _finish_output()


def _finish_output() -> None:
    """Write what is left, here and not at the interpreter's end, which would tell of a reader who has gone."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def report(line: str, *, is_debug: bool) -> None:
    """The error on stderr, after its traceback where `--debug` asks for one. No secret is in it, whoever quoted one."""
    from sinchflow.runtime.secrets import Secrets, conceal

    if is_debug:
        import traceback

        line = f"{traceback.format_exc()}{line}"
    with contextlib.suppress(SinchflowError):  # they cannot be read, so nobody can have quoted them
        Secrets.from_environment()
    print(conceal(line), file=sys.stderr)
