"""The bookkeeping of `for_each` and `parallel`: which branches are open, which have ended, and what came of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from sinchflow.engine.caller import ActionError
from sinchflow.engine.draft import Draft, new_branch
from sinchflow.expression.filters import LARGEST_LIST, shown
from sinchflow.expression.template import Templates
from sinchflow.model.flow import Text, Value
from sinchflow.model.run import Frame, Problem

#: Results that an output shows, of more items only those that failed; the counts are of all.
MOST_RESULTS = 200


def items_value(written: Value, scope: Mapping[str, Any], templates: Templates) -> Any:
    """What `items` gives: one expression may give many more than any other value. Raises ExpressionError."""
    if isinstance(written, Text):
        return templates.value(written, scope, LARGEST_LIST)
    return templates.data(written, scope)


class Loops:
    """Works on the frames and branches of a draft."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def items_of(self, value: Any, written: Value) -> tuple[Any, ...]:
        """What a loop goes through: a list's items, a mapping's entries. Raises ActionError for anything else.

        written: what gave the value, for the error.
        """
        if isinstance(value, Mapping):
            return tuple({"key": key, "value": each} for key, each in msgspec.to_builtins(dict(value)).items())
        if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
            return tuple(msgspec.to_builtins(list(value)))
        source = f"`{written.source[:80]}`" if isinstance(written, Text) else "it"
        raise ActionError(f"items is a list or a mapping, but {source} gives {shown(value)}")

    def begin_iterations(self, address: str, most: int) -> Sequence[int]:
        """Begin the next iterations, up to `most` open at a time; which ones."""
        frame = self._draft.frames[address]
        room = 0 if frame.is_over else min(most - len(frame.open), frame.size - frame.begun)
        begun = range(frame.begun, frame.begun + max(room, 0))
        if begun:
            items = self._draft.items(address)
            for index in begun:
                self._draft.branches[f"{address}.for_each.{index}"] = new_branch(items[index])
            self._draft.frames[address] = replace(frame, begun=frame.begun + len(begun), open=(*frame.open, *begun))
        return begun

    def begin_branches(self, address: str, size: int) -> Iterable[int]:
        """Begin all branches of `parallel`."""
        self._draft.frames[address] = Frame(size=size, begun=size, open=tuple(range(size)))
        return range(size)

    def end_iteration(self, address: str, index: int, problem: Problem | None, *, is_over: bool) -> None:
        """An iteration has ended, well or not. is_over: no more are to be begun."""
        branch = self._draft.branches[f"{address}.for_each.{index}"]
        self._draft.drop(f"{address}.for_each.{index}")
        del self._draft.branches[f"{address}.for_each.{index}"]
        error = None if problem is None else problem.message
        result = {"index": index, "item": branch.item, "ok": problem is None, "error": error}
        self._end(address, index, result, is_over=is_over)

    def end_branch(self, address: str, index: int) -> None:
        """A branch of `parallel` has ended well."""
        self._end(address, index, {"index": index, "ok": True, "error": None}, is_over=False)

    def _end(self, address: str, index: int, result: dict[str, Any], *, is_over: bool) -> None:
        frame = self._draft.frames[address]
        is_shown = len(frame.results) < MOST_RESULTS and (frame.size <= MOST_RESULTS or not result["ok"])
        self._draft.frames[address] = replace(
            frame,
            open=tuple(each for each in frame.open if each != index),
            ended=frame.ended + 1,
            failed=frame.failed + (not result["ok"]),
            results=(*frame.results, result) if is_shown else frame.results,
            is_over=frame.is_over or is_over,
        )

    def output(self, frame: Frame) -> dict[str, Any]:
        """`steps.ID` of the block."""
        results = sorted(frame.results, key=lambda result: int(result["index"]))
        return {"results": results, "count": frame.ended, "failed": frame.failed}
