"""How long `sinchflow test` takes for 1,000 transcripts: whole processes, over the examples' tests again and again.

    python -m tests.benchmarks.transcripts [--scripts 1000] [--times 5]

A bare loop of Python is timed beside it: machines differ, and so does one machine from hour to hour.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def write(root: Path, scripts: int) -> int:
    """A project with the examples, and at least so many tests; how many there are."""
    (root / "flows").mkdir()
    for path in (ROOT / "flows").glob("*.yaml"):
        if not path.name.endswith(".test.yaml"):
            shutil.copy(path, root / "flows")
    count, turn = 0, 0
    while count < scripts:
        for path in sorted((ROOT / "flows").glob("*.test.yaml")):
            text = path.read_text(encoding="utf-8")
            (root / f"{turn}-{path.name}").write_text(text, encoding="utf-8")
            count += text.count("\n  - name:")
        turn += 1
    return count


def bare_loop_s() -> float:
    """What ten million turns of a loop cost here and now."""
    began, total = time.perf_counter(), 0
    for number in range(10_000_000):
        total += number
    return time.perf_counter() - began


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scripts", type=int, default=1000)
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as folder:
        count = write(Path(folder), asked.scripts)
        seconds = []
        for _ in range(asked.times):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "sinchflow", "test"], cwd=folder, env=environ, check=True, capture_output=True
            )
            seconds.append(time.perf_counter() - began)
    shown = ", ".join(f"{each:.2f}" for each in sorted(seconds))
    print(f"{count} transcripts: median {statistics.median(seconds):.2f} s of {shown}; bare loop {bare_loop_s():.2f} s")


if __name__ == "__main__":
    main()
