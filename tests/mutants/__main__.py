"""`python -m tests.mutants [FLOW…] [--show]`: what becomes of each mutant of the examples; --show lists them all."""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.mutants.fates import EXAMPLES, Example


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition(": ")[2])
    parser.add_argument("flows", nargs="*", metavar="FLOW", help=f"only these: {', '.join(EXAMPLES)}")
    parser.add_argument("--show", action="store_true", help="every mutant with its fate, not only those that survive")
    asked = parser.parse_args()
    total: Counter[str] = Counter()
    for name in asked.flows or EXAMPLES:
        began, counts = time.perf_counter(), Counter[str]()
        with tempfile.TemporaryDirectory() as folder:
            example = Example(name, Path(folder))
            for fate in example.fates(example.mutants()):
                counts[fate.what] += 1
                if asked.show or fate.what == "survived":
                    print(f"  {fate.mutant}: {fate.what}{f': {fate.by}' if fate.by else ''}", flush=True)
        print(f"{name}: {_summary(counts)} in {time.perf_counter() - began:.1f} s", flush=True)
        total += counts
    print(f"all: {_summary(total)}")


def _summary(counts: Counter[str]) -> str:
    played = counts["caught"] + counts["survived"]
    share = f"{100 * counts['caught'] / played:.1f} %" if played else "none"
    rest = ", ".join(f"{counts[what]} {what}" for what in ("refused", "the same") if counts[what])
    return f"{share} caught ({counts['caught']} of {played}{f'; {rest}' if rest else ''})"


if __name__ == "__main__":
    main()
