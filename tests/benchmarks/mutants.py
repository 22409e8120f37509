"""Flows with one mistake each: whatever is wrong with a flow, the validator says where, quickly, and never falls over.

    python -m tests.benchmarks.mutants            # 100,000 mutated files, one JSON object of figures
    python -m tests.benchmarks.mutants 5000 7     # so many, from this seed

`mutants` makes the mistakes that people make (`KINDS`) of sound flows, and knows the lines at which one of them must
be found; `tests/language/test_mutations.py` holds the validator to it. The command adds random edits of bytes, runs
in a process for each core, and fails with the file that brought an exception or took more than `LONGEST_S`.
"""

import json
import multiprocessing
import os
import random
import re
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from sinchflow.language.check import Checker
from sinchflow.language.diagnostic import present_text
from sinchflow.language.document import compose, decode, documents
from sinchflow.language.languages import is_wording
from sinchflow.language.nodes import Document, Mapping, Node, Scalar, Sequence
from sinchflow.language.shape import read_schema
from sinchflow.model.flow import Flow

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: Seconds that one file may take.
LONGEST_S = 5.0

#: Keys whose values are the user's own data: nothing in them is a mistake.
_DATA = frozenset({"metadata", "headers", "json", "form", "query", "vars", "set", "remember", "outputs", "body"})
#: Keys whose keys are names that the user gives.
_NAMES = frozenset({"inputs", "categories"})
#: Keys whose values may be any word.
_FREE = frozenset({"name", "description", "id", "log", "stop", "fail", "reply", "message", "answer", "default", "as"})
_PIECES = ["{{ ", " }}", "{% if x %}", "'", '"', ": ", "- ", "\n", "\t", " # ", "&a ", "*a", "!x ", "|\n", "[",
           "]", "{", "}", ",", "? ", "<<: ", "null", "1e999", "\x00", "\U0001f600", "steps", "  ", "@", ""]  # fmt: skip


class Mutant(msgspec.Struct, frozen=True):
    """A flow with one mistake. lines: of which one has a finding, unless the flow means the same as before."""

    kind: str
    text: str
    lines: frozenset[int]


class _Place(msgspec.Struct, frozen=True):
    """An entry of a mapping: where it is, and whether its key is one of the language's."""

    key: Scalar
    value: Node
    path: tuple[str, ...]


def sound_flows() -> list[str]:
    """Every example flow and every sound case that is one file with one document."""
    paths = [*sorted((ROOT / "flows").glob("*.yaml")), *sorted((ROOT / "tests/cases/validate/ok").glob("*.yaml"))]
    texts = [decode(path.read_bytes(), path.name)[0] for path in paths if not path.name.endswith(".test.yaml")]
    return [text for text in texts if len(list(documents(text, "x"))) == 1]


def mutate(text: str, kind: str, random_: random.Random) -> Mutant | None:
    """The flow with a mistake of this kind; None where it has no place for one."""
    document = next(documents(text, "flow.yaml"))
    if compose(document):
        return None
    return KINDS[kind](document, list(_entries(document.root, ())), random_)


def _entries(node: Node | None, path: tuple[str, ...]) -> Iterator[_Place]:
    match node:
        case Mapping():
            for key, value in node.entries:
                inner = (*path, key.text)
                if path and path[-1] in _DATA | _NAMES:
                    if path[-1] in _NAMES:
                        yield from _entries(value, inner)
                    continue
                if not is_wording(node):
                    yield _Place(key, value, inner)
                    yield from _entries(value, inner)
        case Sequence():
            for item in node.items:
                yield from _entries(item, path)
        case _:
            pass


def _replaced(document: Document, node: Node, instead: str) -> str:
    return f"{document.text[: node.start]}{instead}{document.text[node.end :]}"


def _line(document: Document, node: Node) -> int:
    return document.origin(node.start).line


def _key_typo(document: Document, places: list[_Place], random_: random.Random) -> Mutant | None:
    """A key with a letter left out, doubled or swapped."""
    known = [place for place in places if place.key.text in _KEYS and place.key.style == "" and len(place.key.text) > 2]
    if not known:
        return None
    place = random_.choice(known)
    word, at = place.key.text, random_.randrange(len(place.key.text) - 1)
    typo = random_.choice(
        [
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        ]
    )
    if typo == word or typo in _KEYS:
        return None
    return Mutant("key typo", _replaced(document, place.key, typo), frozenset({_line(document, place.key)}))


def _wrong_type(document: Document, places: list[_Place], random_: random.Random) -> Mutant | None:
    """A mapping that makes no sense where a value stands."""
    values = [each for each in places if isinstance(each.value, Scalar) and each.value.style != "|"]
    values = [each for each in values if each.path[-1] not in {"default", "value", "items", *_DATA}]
    if not values:
        return None
    place = random_.choice(values)
    lines = frozenset({_line(document, place.key), _line(document, place.value)})
    return Mutant("wrong type", _replaced(document, place.value, "{zz: 1}"), lines)


def _deleted_id(document: Document, places: list[_Place], random_: random.Random) -> Mutant | None:
    """A step without the id by which others read what it gives; it keeps the word as its name."""
    ids = [each for each in places if each.path[-1] == "id" and isinstance(each.value, Scalar)]
    ids = [each for each in ids if re.search(rf"steps\.{re.escape(_text(each.value))}\b", document.text)]
    if not ids:
        return None
    place = random_.choice(ids)
    uses = re.finditer(rf"steps\.{re.escape(_text(place.value))}\b", document.text)
    lines = frozenset(_line_of(document.text, found.start()) for found in uses)
    return Mutant("deleted id", _replaced(document, place.key, "name"), lines)


def _swapped_step(document: Document, places: list[_Place], random_: random.Random) -> Mutant | None:
    """A step above the one whose output it reads."""
    lines = document.text.splitlines(keepends=True)
    pairs = []
    for steps in (each.value for each in places if each.path[-1] == "steps"):
        if not isinstance(steps, Sequence) or document.text[steps.start] == "[":
            continue
        starts = [*(_line(document, item) - 1 for item in steps.items), _line_of(document.text, steps.end) - 1]
        for first, (start, middle, end) in zip(
            steps.items, zip(starts, starts[1:], starts[2:], strict=False), strict=False
        ):
            name = first.get("id") if isinstance(first, Mapping) else None
            if isinstance(name, Scalar) and re.search(rf"steps\.{re.escape(name.text)}\b", "".join(lines[middle:end])):
                pairs.append((start, middle, end))
    if not pairs or "\r" in document.text or not document.text.endswith("\n"):
        return None
    start, middle, end = random_.choice(pairs)
    text = "".join([*lines[:start], *lines[middle:end], *lines[start:middle], *lines[end:]])
    return Mutant("swapped step", text, frozenset(range(start + 1, end + 1)))


def _unquoted(document: Document, places: list[_Place], random_: random.Random) -> Mutant | None:
    """A text without its quotes."""
    quoted = [each.value for each in places if isinstance(each.value, Scalar) and each.value.style in ("'", '"')]
    if not quoted:
        return None
    scalar = random_.choice(quoted)
    bare = document.text[scalar.start + 1 : scalar.end - 1]
    return Mutant("unquoted", _replaced(document, scalar, bare), frozenset(_range(document, scalar)))


def _wrong_word(document: Document, places: list[_Place], random_: random.Random) -> Mutant | None:
    """A word of the language misspelt, or a keyword that no message can match."""
    words = [each for each in places if isinstance(each.value, Scalar) and each.value.text in _WORDS]
    words = [each for each in words if each.path[-1] not in _FREE]
    keywords = [each for each in places if each.path[-1] == "keyword" and isinstance(each.value, Scalar)]
    if not words and not keywords:
        return None
    place = random_.choice([*words, *keywords])
    new = "two words" if place in keywords else f"{_text(place.value)}x"
    return Mutant("wrong word", _replaced(document, place.value, new), frozenset({_line(document, place.value)}))


KINDS: dict[str, Callable[[Document, list[_Place], random.Random], Mutant | None]] = {
    "key typo": _key_typo,
    "wrong type": _wrong_type,
    "deleted id": _deleted_id,
    "swapped step": _swapped_step,
    "unquoted": _unquoted,
    "wrong word": _wrong_word,
}


def meaning(flow: Flow) -> Any:
    """What a flow does, whatever its places are."""
    return _without_places(msgspec.to_builtins(flow, builtin_types=(bytes,)))


def _without_places(data: Any) -> Any:
    match data:
        case dict():
            return {key: _without_places(value) for key, value in data.items() if key not in ("origin", "digest")}
        case list() | tuple():
            return [_without_places(item) for item in data]
        case _:
            return data


def _text(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _line_of(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _range(document: Document, node: Node) -> range:
    return range(_line(document, node), _line_of(document.text, node.end) + 1)


def _known_words(schema: Any) -> Iterator[tuple[str, str]]:
    match schema:
        case dict():
            yield from (("key", name) for name in schema.get("properties", {}))
            yield from (("word", word) for word in schema.get("enum", ()) if isinstance(word, str) and len(word) > 3)
            for value in schema.values():
                yield from _known_words(value)
        case list():
            for value in schema:
                yield from _known_words(value)
        case _:
            pass


_KNOWN = set(_known_words(read_schema("flow")))
_KEYS = frozenset(name for kind, name in _KNOWN if kind == "key")
_WORDS = frozenset(name for kind, name in _KNOWN if kind == "word") - {"string"}


# --- the long run


def _scrambled(text: str, random_: random.Random) -> str:
    for _ in range(random_.randint(1, 4)):
        at = random_.randrange(len(text) + 1)
        text = text[:at] + random_.choice(_PIECES) + text[at + random_.randint(0, 12) :]
    return text


def _work(task: tuple[int, int]) -> dict[str, Any]:
    """Check so many mutated files, from a seed; stops at the first that brings an exception or takes too long."""
    seed, count = task
    random_, flows, checker = random.Random(seed), sound_flows(), Checker(builds=False)
    figures = {"files": 0, "findings": 0, "slowest_s": 0.0, "failed": ""}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "flows").mkdir()
        while figures["files"] < count:
            text = random_.choice(flows)
            if random_.random() < 0.5:
                text = _scrambled(text, random_)
            else:
                mutant = mutate(text, random_.choice(list(KINDS)), random_)
                text = mutant.text if mutant else _scrambled(text, random_)
            (root / "flows" / "a.yaml").write_bytes(text.encode(errors="replace"))
            start = time.perf_counter()
            try:
                checked = checker.check(root, now=NOW)
                present_text(checked.diagnostics, checked.texts)
            except Exception:
                return {**figures, "failed": f"{traceback.format_exc()}\n{text}"}
            taken = time.perf_counter() - start
            figures["files"] += 1
            figures["findings"] += len(checked.diagnostics)
            figures["slowest_s"] = max(figures["slowest_s"], taken)
            if taken > LONGEST_S:
                return {**figures, "failed": f"took {taken:.1f} s\n{text}"}
    return figures


def main() -> None:
    """Check mutated files and print figures; exit code 1 with the file at which the validator fell over."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    start = time.perf_counter()
    tasks = [(seed + at, min(1000, count - at * 1000)) for at in range((count + 999) // 1000)]
    with multiprocessing.Pool(os.cpu_count()) as pool:
        results = list(pool.imap_unordered(_work, tasks))
    failed = [result["failed"] for result in results if result["failed"]]
    print(
        json.dumps(
            {
                "seed": seed,
                "files": sum(result["files"] for result in results),
                "findings": sum(result["findings"] for result in results),
                "slowest_s": round(max(result["slowest_s"] for result in results), 3),
                "seconds": round(time.perf_counter() - start, 1),
                "peak_MiB": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
                "fell_over": len(failed),
            }
        )
    )
    if failed:
        sys.exit(failed[0])


if __name__ == "__main__":
    main()
