"""A process that has the program loaded, and forks for each command that it reads: so each command has a process of its
own, without the half second that loading takes.

Reads JSON lines: `argv`, `cwd`, `env`, and the files for `stdin`, `stdout` and `stderr`. Writes the exit code of each.
"""

import importlib
import json
import os
import pkgutil
import signal
import sys

import sinchflow.cli
from sinchflow.cli.main import main

#: A command takes much less.
PATIENCE_S = 60


def load() -> None:
    """What commands import when they run."""
    for module in pkgutil.iter_modules(sinchflow.cli.__path__):
        importlib.import_module(f"sinchflow.cli.{module.name}")
    for name in ("rich.console", "sinchflow.language.check", "sinchflow.runtime.daemon", "jinja2", "jsonschema"):
        importlib.import_module(name)


def play(asked: dict[str, object]) -> None:
    """Be the command. Does not return."""
    signal.alarm(PATIENCE_S)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    modes = ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_WRONLY), (2, "stderr", os.O_WRONLY))
    for number, name, flags in modes:
        os.dup2(os.open(asked[name], flags), number)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = ["sinchflow", *asked["argv"]]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    """Until the input ends."""
    load()
    with os.fdopen(os.dup(0)) as orders:
        for line in orders:
            asked = json.loads(line)
            child = os.fork()
            if not child:
                play(asked)
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
