"""How runs, events and commands are stored: JSON through msgspec, with a format number beside each record."""

from typing import Any

import msgspec

from sinchflow.model.command import SendMessage
from sinchflow.model.event import Event
from sinchflow.model.run import Run

#: Raised when a stored shape changes in a way that older readers or writers cannot meet.
FORMAT = 1

_encode = msgspec.json.Encoder().encode
_decode_event = msgspec.json.Decoder(Event).decode
_decode_run = msgspec.json.Decoder(Run).decode
_decode_send = msgspec.json.Decoder(SendMessage).decode
_decode_data = msgspec.json.Decoder().decode


def encode(record: Event | Run | SendMessage) -> bytes:
    """The record as UTF-8 JSON."""
    return _encode(record)


def decode_event(data: bytes | str) -> Event:
    """An event from what `encode` gave. Raises msgspec.DecodeError when it is not one."""
    return _decode_event(data)


def decode_run(data: bytes | str) -> Run:
    """A run from what `encode` gave. Raises msgspec.DecodeError when it is not one."""
    return _decode_run(data)


def decode_send(data: bytes | str) -> SendMessage:
    """A send's command from what `encode` gave. Raises msgspec.DecodeError when it is not one."""
    return _decode_send(data)


def encode_data(data: Any) -> bytes:
    """JSON-like data as UTF-8 JSON."""
    return _encode(data)


def decode_data(data: bytes | str) -> Any:
    """The data from what `encode_data` gave."""
    return _decode_data(data)


def to_plain(value: Any) -> Any:
    """JSON-like data made of str, int, float, bool, None, list and dict: what a JSON round trip would give."""
    return msgspec.to_builtins(value)
