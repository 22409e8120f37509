"""The long form: plays proofs and prints their figures.

    python -m tests.proof                        # all of them, in full: some hours
    python -m tests.proof kills --scale 0.1      # one, a tenth of it
    python -m tests.proof simulation --seed 17   # the same again

One JSON object a proof on stdout, and one line a figure on stderr. Ends with 1 when a figure misses its aim.
"""

import argparse
import importlib
import json
import pkgutil
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from tests.proof.dose import Dose, Figure, fresh_seed

Proof = Callable[[Dose], Iterable[Figure]]


def proofs() -> dict[str, Proof]:
    """All there are, by name."""
    found: dict[str, Proof] = {}
    for each in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if not each.name.startswith(("_", "test_")):
            module = importlib.import_module(f"tests.proof.{each.name}")
            if hasattr(module, "prove"):
                found[each.name] = module.prove
    return found


def main() -> int:
    """Play what the command line names."""
    known = proofs()
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; all when none is given")
    parser.add_argument("--seed", type=int, help="of all that is random; made up and printed when not given")
    parser.add_argument("--scale", type=float, default=1.0, help="1 plays the numbers that issue 7 names (default 1)")
    parser.add_argument("--keep", action="store_true", help="leave the folders of proofs that miss an aim")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - known.keys():
        parser.error(f"there is no proof {', '.join(sorted(unknown))}; proofs: {', '.join(known)}")
    seed = fresh_seed() if chosen.seed is None else chosen.seed
    missed = [name for name in chosen.names or known if not _play(name, known[name], seed, chosen)]
    if missed:
        print(f"missed: {', '.join(missed)}; again with --seed {seed}", file=sys.stderr)
    return 1 if missed else 0


def _play(name: str, proof: Proof, seed: int, chosen: argparse.Namespace) -> bool:
    """Whether every aim was reached."""
    folder = Path(tempfile.mkdtemp(prefix=f"proof-{name}-"))
    dose = Dose(seed=seed, scale=chosen.scale, folder=folder, say=lambda words: print(f"… {words}", file=sys.stderr))
    print(f"{name} (seed {seed}, scale {chosen.scale:g})", file=sys.stderr)
    began = time.monotonic()
    figures = list(proof(dose))
    is_met = all(figure.is_met is not False for figure in figures)
    for figure in figures:
        mark = {True: "ok  ", False: "MISS", None: "    "}[figure.is_met]
        aim = f"   (aim {figure.aim})" if figure.aim else ""
        print(f"  {mark} {figure.name}: {figure.value}{aim}", file=sys.stderr)
    record = {
        "proof": name, "seed": seed, "scale": chosen.scale, "seconds": round(time.monotonic() - began, 1),
        "is_met": is_met, "figures": [msgspec.to_builtins(figure) for figure in figures],
    }  # fmt: skip
    print(json.dumps(record, ensure_ascii=False), flush=True)
    if is_met or not chosen.keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"  kept: {folder}", file=sys.stderr)
    return is_met


if __name__ == "__main__":
    sys.exit(main())
