"""A run's `inputs`: from what the event or the caller gives to values of the types that the flow declares."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sinchflow.engine.caller import ActionError
from sinchflow.engine.numbers import to_e164
from sinchflow.expression.filters import LARGEST_INT
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.flow import Flow, Input
from sinchflow.model.run import Facts

_WHOLE = re.compile(r"[+-]?[0-9]+")


def settle_inputs(
    flow: Flow, given: Mapping[str, Any] | None, scope: Mapping[str, Any], facts: Facts, templates: Templates
) -> dict[str, Any]:
    """All inputs of the flow. given: by a person, a program or another flow; None: taken from the event.

    Raises ActionError, with the input's name, or ExpressionError.
    """
    if given is not None and (unknown := sorted(given.keys() - flow.inputs.keys())):
        known = ", ".join(flow.inputs) or "none"
        raise ActionError(f'flow "{flow.name}" has no input "{unknown[0]}"; it has: {known}')
    values: dict[str, Any] = {}
    for name, wanted in flow.inputs.items():
        value = _written(wanted, name, given, {**scope, "inputs": values}, templates)
        if value is None and wanted.is_required:
            raise ActionError(f'input "{name}" of flow "{flow.name}" is missing')
        try:
            values[name] = None if value is None else convert(wanted.type, value, facts)
        except ValueError as error:
            raise ActionError(f'input "{name}": {error}') from None
    return values


def fault_of(flow: Flow, given: Mapping[str, Any], facts: Facts) -> str | None:
    """Why a flow cannot be begun with these inputs, or None; what its templates make of the rest shows in the run."""
    if unknown := sorted(given.keys() - flow.inputs.keys()):
        return f'flow "{flow.name}" has no input "{unknown[0]}"; it has: {", ".join(flow.inputs) or "none"}'
    for name, wanted in flow.inputs.items():
        if given.get(name) is None:
            if wanted.is_required:
                return f'input "{name}" of flow "{flow.name}" is missing'
            continue
        try:
            convert(wanted.type, given[name], facts)
        except ValueError as error:
            return f'input "{name}": {error}'
    return None


def _written(
    wanted: Input, name: str, given: Mapping[str, Any] | None, scope: Mapping[str, Any], templates: Templates
) -> Any:
    if given is not None and given.get(name) is not None:
        return given[name]
    value = None
    if given is None and wanted.has_value:
        try:
            value = templates.data(wanted.value, scope)
        except ExpressionError as error:
            if not (error.is_missing and not wanted.is_required):
                raise  # nothing stands for what the event lacks
    return templates.data(wanted.default, scope) if value is None else value


def convert(kind: str, value: Any, facts: Facts) -> Any:
    """The value in the input's type. Raises ValueError with the reason."""
    match kind:
        case "string":
            if isinstance(value, (list, Mapping)):
                raise ValueError(f"a text is expected, not {_kind(value)}")
            return value if isinstance(value, str) else _spelt(value)
        case "number" | "integer":
            return _number(kind, value)
        case "boolean":
            if isinstance(value, bool):
                return value
            if value in ("true", "false"):
                return value == "true"
            raise ValueError(f"true or false is expected, not {_shown(value)}")
        case "phone":
            number = None if isinstance(value, (bool, list, Mapping)) else to_e164(str(value), facts.country)
            if number is None:
                raise ValueError(f"{_shown(value)} is not a phone number; write it as +COUNTRY…, or set `country`")
            return number
        case "datetime":
            return _datetime(value, facts)
        case "list":
            if not isinstance(value, (list, tuple)):
                raise ValueError(f"a list is expected, not {_kind(value)}")
            return list(value)
        case _:
            if not isinstance(value, Mapping):
                raise ValueError(f"a mapping is expected, not {_kind(value)}")
            return dict(value)


def _number(kind: str, value: Any) -> int | float:
    wanted = "number" if kind == "number" else "whole number"
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
        exact = int(value) if isinstance(value, int) or _is_whole(value) else None
        if math.isnan(number):
            raise ValueError
        if abs(number) > LARGEST_INT:
            raise OverflowError
    except (TypeError, ValueError):
        raise ValueError(f"a {wanted} is expected, not {_shown(value)}") from None
    except OverflowError:
        raise ValueError(f"the number {_shown(value)} is too large") from None
    if exact is not None:
        return exact
    if kind == "integer" and not number.is_integer():
        raise ValueError(f"a whole number is expected, not {_shown(value)}")
    return int(number) if number.is_integer() else number


def _is_whole(value: Any) -> bool:
    """Whether a text writes a number without a point."""
    return isinstance(value, str) and _WHOLE.fullmatch(value.strip()) is not None


def _datetime(value: Any, facts: Facts) -> str:
    """In ISO 8601 with its offset: stored as text, taken as a time by filters and delays."""
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        zoned = time if time.tzinfo is not None else time.replace(tzinfo=ZoneInfo(facts.timezone))
        zoned.astimezone(UTC)
        return zoned.isoformat()
    except (ValueError, OverflowError):
        raise ValueError(f"{_shown(value)} is no ISO 8601 time; write it like 2026-12-03T10:00+11:00") from None


def _spelt(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _shown(value: Any) -> str:
    return f'"{str(value)[:100]}"' if isinstance(value, (str, int, float)) else _kind(value)


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case Mapping():
            return "a mapping"
        case _:
            return "a list" if isinstance(value, (list, tuple)) else "nothing"
