"""What a call of a flow's webhook brings, as the fields of its event (`EVENT_FIELDS["webhook"]`).

A body is JSON or a form by its Content-Type; any other is a text, and is read as JSON too where it is a JSON object or
list, because many senders do not say so. Nothing of it can refer to a secret of ours.
"""

from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from sinchflow.model.event import clean_data
from sinchflow.runtime.guard import Refusal

#: Names in a form or a query; more is no form that somebody filled in.
_MOST_NAMES = 1_000

_decode = msgspec.json.Decoder().decode


def read_call(
    *, method: str, path: str, query: bytes, headers: Iterable[tuple[bytes, bytes]], secret: Collection[bytes],
    body: bytes,
) -> dict[str, Any]:  # fmt: skip
    """The event's fields. secret: names of headers that are not kept. Raises Refusal when the body cannot be read."""
    kept: dict[str, str] = {}
    kind = ""
    for name, value in headers:
        if name == b"content-type":
            kind = value.partition(b";")[0].strip().lower().decode("latin-1")
        if name not in secret:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            kept[key] = f"{kept[key]}, {text}" if key in kept else text
    json, form, text_ = _read(kind, body)
    try:
        return {
            "method": method,
            "path": path,
            "query": clean_data(_names(query, "query")),
            "headers": clean_data(kept),
            "json": clean_data(json),
            "form": clean_data(form),
            "body": clean_data(text_),
        }
    except RecursionError:
        raise Refusal(400, "the body is nested too deep") from None


def _read(kind: str, body: bytes) -> tuple[Any, dict[str, Any] | None, str | None]:
    """The body as JSON, as a form, as a text; None where it is not that."""
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return _decode(body), None, None
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            raise Refusal(400, f"the body is said to be {kind} and cannot be read: {error}") from error
    if kind == "application/x-www-form-urlencoded":
        return None, _names(body, "form"), None
    if kind.startswith("multipart/"):
        raise Refusal(415, f"a body of {kind} is not taken: send JSON, application/x-www-form-urlencoded or text")
    if not body:
        return None, None, None
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(400, f"the body is not UTF-8: {error.reason} at byte {error.start}") from error
    json = None
    if text.lstrip()[:1] in ("{", "["):
        try:
            json = _decode(text)
        except (ValueError, RecursionError):
            json = None  # a text that looks like it
    return json, None, text


def _names(encoded: bytes, what: str) -> dict[str, Any]:
    """Name -> text, or the list of texts where a name comes more than once."""
    values: dict[str, Any] = {}
    try:
        pairs = parse_qsl(encoded.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_NAMES, errors="strict")
    except ValueError as error:  # a UnicodeError is one
        raise Refusal(400, f"the {what} cannot be read: {error}") from error
    for name, value in pairs:
        if name not in values:
            values[name] = value
        elif isinstance(values[name], list):
            values[name].append(value)
        else:
            values[name] = [values[name], value]
    return values
