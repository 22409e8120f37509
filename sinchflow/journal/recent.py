"""The keys of recent events, in memory: what tells a repeat from a new event before an index is asked.

A key is here from the moment its event is handed to the writer until the writer has moved it to the table `seen`. While
its event is not yet on disk, repeats of it wait for that: a repeat is acknowledged only when the event is durable.
"""

from collections.abc import Iterable

from sinchflow.journal.journal import Accepted


class Recent:
    """Keys, and who waits for which. On the loop's thread only."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        #: None: the event is on disk; else those who wait for it
        self._keys: dict[bytes, list[Accepted] | None] = dict.fromkeys(keys)

    def is_repeat(self, key: bytes, done: Accepted) -> bool:
        """Whether the key is known; if so `done` is told, now or once the event is durable. Else the key is new."""
        if key not in self._keys:
            self._keys[key] = []
            return False
        waiting = self._keys[key]
        if waiting is None:
            done(False)
        else:
            waiting.append(done)
        return True

    def settle(self, key: bytes, result: bool | Exception) -> None:
        """The writer's answer for the event with this key: stored, an old repeat, or an error."""
        waiting = self._keys.get(key)
        if result is True:
            self._keys[key] = None
        else:
            self._keys.pop(key, None)
        for done in waiting or ():
            done(result if isinstance(result, Exception) else False)

    def forget(self, keys: Iterable[bytes]) -> None:
        """These are in `seen` now."""
        for key in keys:
            self._keys.pop(key, None)
