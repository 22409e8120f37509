"""How long `sinchflow validate` takes over 10,000 flows in 1,000 files, and over one file in an editor's loop.

    python -m tests.benchmarks.validation         # one JSON object

The flows are the examples of `flows/`, ten in a file, each with words and addresses of its own. Times are those of
whole processes, start-up included: the median of `ROUNDS`, but for the first. Memory is of all processes together.
"""

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES, FLOWS_A_FILE = 1_000, 10
ROUNDS = 7


def write_project(root: Path) -> None:
    """Files of flows that differ in names, keywords, addresses and texts."""
    examples = [path.read_text() for path in sorted((ROOT / "flows").glob("*.yaml")) if ".test." not in path.name]
    (root / "flows").mkdir()
    (root / "sinchflow.yaml").write_text("country: AU\n")
    for file in range(FILES):
        numbers = range(file * FLOWS_A_FILE, (file + 1) * FLOWS_A_FILE)
        texts = [_own(examples[number % len(examples)], number) for number in numbers]
        (root / "flows" / f"team-{file:04}.yaml").write_text("---\n".join(texts))


def _own(example: str, number: int) -> str:
    """The example as a flow of its own: nothing that two flows cannot share is left as it was."""
    text = re.sub(r"^name: *(.*)$", lambda found: f"name: {found[1].strip()}-{number}", example, flags=re.MULTILINE)
    text = re.sub(r"path: (/[a-z-]+)", lambda found: f"path: {found[1]}-{number}", text)
    text = re.sub(
        r"^( *(?:- )?(?:inbound_sms: \{)?(?:keyword|exact|contains|starts_with): )(.*)$",
        lambda found: found[1] + re.sub(r"\w+", lambda word: f"{word[0]}{number}", found[2]),
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(r"^on: inbound_sms$", f'on: {{inbound_sms: {{to: "+6149{number:07}"}}}}', text, flags=re.MULTILINE)
    return f"{text.rstrip()}\n# {number}\n"


def run(root: Path, *arguments: str) -> float:
    """Seconds that one call of the command takes."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "sinchflow", "-C", str(root), "validate", *arguments]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def _again(root: Path, file: Path, *arguments: str) -> float:
    """The median after one change each."""
    taken = []
    for number in range(ROUNDS):
        file.write_text(f"{file.read_text()}# change {number}\n")
        taken.append(run(root, *arguments))
    return statistics.median(taken)


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large", Path(folder) / "small"
        for root in (large, small):
            root.mkdir()
        write_project(large)
        (small / "flows").mkdir()
        one = small / "flows" / "opening-hours.yaml"
        one.write_text((ROOT / "flows" / "opening-hours.yaml").read_text())
        run(small)
        figures = {
            "bare_python_s": statistics.median(_python() for _ in range(ROUNDS)),
            "first_s": run(large),
            "peak_MiB_of_one_process": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
            "processes": (os.cpu_count() or 1) + 1,
            "again_after_one_change_s": _again(large, large / "flows" / "team-0500.yaml"),
            "one_file_of_many_s": _again(large, large / "flows" / "team-0500.yaml", "flows/team-0500.yaml"),
            "one_file_s": _again(small, one, "flows/opening-hours.yaml"),
        }
        print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


def _python() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
