"""Secrets: where they come from, and how they get into a request at the last moment.

A secret is the environment variable `SINCHFLOW_SECRET_NAME`, else the file NAME in the project's `secrets_dir`, else in
systemd's credentials folder (`$CREDENTIALS_DIRECTORY`, systemd.exec(5)). Up to the request it travels as a reference
(model/event.py).
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec

from sinchflow.errors import CannotStart
from sinchflow.model.event import SECRET_BEGIN, SECRET_END
from sinchflow.model.flow import Condition, Text
from sinchflow.model.origin import Origin
from sinchflow.model.project import Project
from sinchflow.sinch.concealing import Veil

PREFIX = "SINCHFLOW_SECRET_"
_LEAST_OF_ALL = 8

_NAME = re.compile(r"\bsecrets\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*['\"]([A-Za-z_]\w*)['\"]\s*\])")
_REFERENCE = re.compile(f"{SECRET_BEGIN}([A-Za-z_][A-Za-z0-9_]*){SECRET_END}")
_QUOTED_REFERENCE = re.compile(f"{quote(SECRET_BEGIN)}([A-Za-z_][A-Za-z0-9_]*){quote(SECRET_END)}")


class MissingSecret(msgspec.Struct, frozen=True):
    """A secret that a file refers to and nobody supplies."""

    name: str
    origin: Origin

    def __str__(self) -> str:
        return f"secret {self.name} is missing: set the environment variable {PREFIX}{self.name} ({self.origin})"


class Secrets:
    """The values known to this process, by name."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> "Secrets":
        """All that the environment, files in `folder` and systemd's credentials folder hold, in this order.

        Raises CannotStart when files cannot be read.
        """
        environ = os.environ if environ is None else environ
        credentials = environ.get("CREDENTIALS_DIRECTORY")
        given = _files_in(Path(credentials), "$CREDENTIALS_DIRECTORY") if credentials else {}
        own = {} if folder is None else _files_in(folder, "secrets_dir")
        variables = {
            name.removeprefix(PREFIX): value.rstrip("\r\n")
            for name, value in environ.items()
            if name.startswith(PREFIX)
        }
        _concealed.note(*given.values(), *variables.values())
        if folder is not None:
            _concealed.note_project(*own.values())
        return cls({**given, **own, **variables})

    @classmethod
    def of_project(cls, root: Path, project: Project) -> "Secrets":
        """All that are known to the project in this folder. Raises CannotStart."""
        return cls.from_environment(folder=None if project.secrets_dir is None else root / project.secrets_dir)

    def missing(self, things: Iterable[Any]) -> list[MissingSecret]:
        """The secrets that flows or settings refer to and that are not known, each once."""
        found: dict[str, MissingSecret] = {}
        for thing in things:
            for text in texts_in(thing):
                for match in _NAME.finditer(text.source):
                    name = match[1] or match[2]
                    if name not in self._values:
                        found.setdefault(name, MissingSecret(name, text.origin))
        return list(found.values())

    def with_stand_ins(self, things: Iterable[Any]) -> "Secrets":
        """These secrets, and a made-up value for each that is missing (for `dev`).

        A URL, because some secrets are one, and a token may look like anything; nobody can own `.invalid` (RFC 2606).
        """
        stand_ins = {missing.name: self.stand_in(missing.name) for missing in self.missing(things)}
        return Secrets({**stand_ins, **self._values})

    @staticmethod
    def stand_in(name: str) -> str:
        """The made-up value of a secret."""
        return f"https://{name.lower().replace('_', '-')}.invalid"

    def only(self, names: Iterable[str]) -> dict[str, str]:
        """The values of these names."""
        return {name: self._values[name] for name in names}

    def fill(self, text: str) -> str:
        """The text with references replaced by the values. Raises KeyError with the name of an unknown one."""
        if SECRET_BEGIN not in text:
            return text
        return _REFERENCE.sub(lambda match: self._values[match[1]], text)

    def fill_json(self, text: str) -> str:
        """As `fill`, for a text that is JSON: the value is escaped to stand inside a JSON string."""
        if SECRET_BEGIN not in text:
            return text
        return _REFERENCE.sub(lambda match: json.dumps(self._values[match[1]])[1:-1], text)

    def fill_form(self, text: str) -> str:
        """As `fill`, for a text that is form-encoded: the reference and the value are percent-encoded."""
        return _QUOTED_REFERENCE.sub(lambda match: quote_plus(self._values[match[1]]), text)

    def names_in(self, text: str) -> set[str]:
        """The names that a rendered text refers to, however it is encoded."""
        return {*_REFERENCE.findall(text), *_QUOTED_REFERENCE.findall(text)}

    def veil(self, names: Iterable[str], more: Iterable[str] = ()) -> Veil:
        """Hides the values of these secrets, and `more`, in case somebody quotes them."""
        return Veil([*(self._values[name] for name in names if name in self._values), *more])


class _Concealed:
    """The values that this process has read last, those that are long enough to be no common word."""

    def __init__(self) -> None:
        self._own: tuple[str, ...] = ()
        self._project: tuple[str, ...] = ()
        self.veil = Veil(())

    def note(self, *values: str) -> None:
        """From the environment."""
        self._own = values
        self._renew()

    def note_project(self, *values: str) -> None:
        """From a project's own files."""
        self._project = values
        self._renew()

    def _renew(self) -> None:
        self.veil = Veil(each for each in (*self._own, *self._project) if len(each) >= _LEAST_OF_ALL)


_concealed = _Concealed()


def conceal(text: str) -> str:
    """The text without any secret that this process has read last, wherever from; itself when it has none."""
    return _concealed.veil.hide(text)


def _files_in(folder: Path, what: str) -> dict[str, str]:
    try:
        files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
        contents = [(path.name, path.read_bytes()) for path in files]
    except OSError as error:
        raise CannotStart(
            f"secrets in {what} cannot be read ({error.strerror or error}): {error.filename or folder}"
        ) from error
    values = {}
    for name, content in contents:
        try:
            values[name] = content.decode().rstrip("\r\n")
        except UnicodeError as error:
            raise CannotStart(f"the secret {folder / name} is not UTF-8: secrets are texts") from error
    return values


def names_secret(text: str) -> bool:
    """Whether a rendered text refers to any secret, however it is encoded."""
    return bool(_REFERENCE.search(text) or _QUOTED_REFERENCE.search(text))


def show_references(text: str) -> str:
    """A rendered text for people: references as `{{ secrets.NAME }}`."""
    return _REFERENCE.sub(r"{{ secrets.\1 }}", text)


def texts_in(thing: Any) -> Iterator[Text | Condition]:
    """Every text of a flow or project, depth first."""
    match thing:
        case Text() | Condition():
            yield thing
        case msgspec.Struct():
            for field in thing.__struct_fields__:
                yield from texts_in(getattr(thing, field))
        case dict():
            for value in thing.values():
                yield from texts_in(value)
        case tuple() | list():
            for item in thing:
                yield from texts_in(item)
