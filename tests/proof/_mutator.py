"""Makes inputs that break parsers: sound ones with bytes, pieces and whole parts exchanged for what nobody expects."""

import json
import random
from collections.abc import Sequence
from typing import Any

#: What has broken parsers of many kinds.
PIECES = [
    b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"\\udc00\\ud800",
    b"\xef\xb7\x90TOKEN\xef\xb7\x91", b"\\ufdd0",
    b"\r", b"\n", b"\r\n", b"\t", b"\x1b[31m", b"\x7f", b"\xc2\x85", b"\xe2\x80\xa8", b"\xf0\x9f\x91\x8d",
    b"\xf4\x90\x80\x80",
    b"NaN", b"-Infinity", b"1e999999", b"-1e-999999", b"9" * 400, b"9" * 5_000, b"0." + b"9" * 5_000, b"-0",
    b"0x" + b"f" * 2_000,
    b"18446744073709551616", b"9223372036854775808", b"1_000", b"1:30:00", b"0o777", b"null", b"true", b"''", b'""',
    b'"', b"'",
    b"[" * 200, b"{" * 200, b'{"a":' * 200, b"[" * 5_000, b"(" * 500, b"]" * 100, b"}" * 100, b"- " * 300, b"? " * 50,
    b"!!python/name:os",
    b"&a [*a]", b"*a", b"&a", b"<<: *a", b"<<: {a: b}", b"!!binary x", b"---\n", b"...\n", b"%YAML 9.9\n",
    b"0001-01-01",
    b"9999-12-31T23:59:60Z", b"2026-02-30", b"{{ 'a' * 10**9 }}", b"{{ range(10**9) }}",
    b'{{ "%1000000000d" | format(1) }}',
    b"{{ 9 ** 9 ** 9 }}", b"{{ x.__class__ }}", b"{% for a in x %}" * 12, b"{% if x %}" * 90, b"{{", b"}}", b"{%",
    b"{#", b"%",
    b"{{ " + b"(" * 300, b"{{ x" + b"|upper" * 300, b"{{ 1" + b" + 1" * 500, b"{{ " + b"-" * 500 + b"1 }}",
    b"{{ '9' * 9999 | int }}",
    b"(a*)*b", b"(?:a{1000}){1000}", b"(((((((((a{10}){10}){10}){10}){10}){10}){10}){10}){10})", b"[\\p{L}",
    b"(?P<a>x)(?P<a>y)", b"\\C",
    b"a" * 10_000, b"*?" * 200, b"=?utf-8?q?x?=", b"%00", b"%ff", b"%", b"&" * 1_001, b"a=b&" * 1_001, b"a;q=0",
    b"\\u0000",
    b"../../etc/passwd", b"file:///etc/passwd", b"http://127.0.0.1/", b"$esc.javascript", b"${x}", b"$", b"#set($a=1)",
]  # fmt: skip
#: Values that may take the place of any part of JSON.
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**40, 0.1, -0.0, 1e308, 1e-320, "", " ", "\0",
    "a", "$x",
    "\ud800", "\ufdd0A\ufdd1", "é👍", "9" * 30, "2026-13-45T99:99:99Z", "+" * 50, [], {}, [[]], [None], {"": None},
    [{}],
    {"a": {"a": {"a": []}}}, "x" * 70_000, "2026-02-03T04:05:06Z", "true", "null", "enroute", "+61491570156",
    "\u202e", "*" * 40,
]  # fmt: skip
#: Texts that no encoder writes, for the place of `null`.
RAW = [b"9" * 5_000, b"1e999999", b"-" + b"9" * 400, b"NaN", b"[" * 3_000 + b"]" * 3_000,
b'{"a":' * 3_000 + b"1" + b"}" * 3_000, b"1." + b"0" * 6_000, b'"\\ud800"', b"00", b"+1"]  # fmt: skip


def mutated(corpus: Sequence[bytes], pieces: Sequence[bytes], chance: random.Random, longest: int = 60_000) -> bytes:
    """One input, made of one or two of the corpus."""
    data = chance.choice(corpus)
    if chance.random() < 0.05:
        return data
    if data[:1] in b"{[" and chance.random() < 0.5:
        found = _json(data, chance)
        data = data if found is None else found
        if chance.random() < 0.8:
            return data[:longest]
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        data = _edited(data, corpus, pieces, chance)
    return data[:longest]


def _edited(data: bytes, corpus: Sequence[bytes], pieces: Sequence[bytes], chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    end = min(len(data), at + chance.choice((0, 0, 1, 2, 8, 40)))
    match chance.randrange(8):
        case 0 | 1:
            return data[:at] + chance.choice(PIECES) + data[end:]
        case 2 | 3 if pieces:
            return data[:at] + chance.choice(pieces) + data[end:]
        case 4:
            return data[:at] + bytes([chance.randrange(256)]) + data[end:]
        case 5:
            other = chance.choice(corpus)
            begin = chance.randrange(len(other) + 1)
            return data[:at] + other[begin : begin + chance.choice((5, 30, 300))] + data[end:]
        case 6:
            return data[:at] + data[at:end] * chance.choice((2, 3, 50)) + data[end:]
        case _:
            return data[:at] if chance.random() < 0.3 else data[:at] + data[end:]


def _json(data: bytes, chance: random.Random) -> bytes | None:
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return None
    places: list[tuple[Any, Any]] = []
    _collect(tree, places)
    if not places:
        return None
    holder, key = chance.choice(places)
    match chance.randrange(6):
        case 0:
            del holder[key]
        case 1:
            other, elsewhere = chance.choice(places)
            holder[key] = json.loads(json.dumps(other[elsewhere]))
        case 2 if isinstance(holder, dict):
            holder[chance.choice(["", "\0", "$x", "\ufdd0", "a" * 300, str(key).upper()])] = holder[key]
        case 3:
            holder[key] = "RAW-PIECE"
            return json.dumps(tree).encode().replace(b'"RAW-PIECE"', chance.choice(RAW), 1)
        case _:
            holder[key] = chance.choice(VALUES)
    return json.dumps(tree, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")


def _collect(tree: Any, places: list[tuple[Any, Any]]) -> None:
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        places.append((tree, key))
        _collect(tree[key], places)
