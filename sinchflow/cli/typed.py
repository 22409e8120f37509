"""What is typed at the phone of `sinchflow simulate`: a text, or a command that begins with `/`."""

import re
from collections.abc import Callable, Iterator
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from sinchflow.cli.run_text import listed, status, trace_text, waits
from sinchflow.errors import SinchflowError
from sinchflow.language.suggest import nearest

if TYPE_CHECKING:
    from sinchflow.simulate.play.phone import Phone

#: Where the next of `NAME=VALUE …` begins.
_NEXT = re.compile(r"\s+(?=[A-Za-z_]\w*=)|\s*$")
_NAME = re.compile(r"([A-Za-z_]\w*)=")
_FAULTS = ("timeout", "connection")


class _Command(NamedTuple):
    usage: str
    help: str
    do: "Callable[[Phone, str], str | None]"


def obey(phone: "Phone", line: str) -> str | None:
    """Do what the line asks for; what there is to say about it. Raises SinchflowError when it cannot be done."""
    if not line.startswith("/"):
        phone.text(line)
        return None
    if line.startswith("//"):
        phone.text(line[1:])
        return None
    word, _, rest = line.strip().partition(" ")
    command = COMMANDS.get(word)
    if command is None:
        near = nearest(word, COMMANDS)
        meant = f"did you mean {near}? " if near else ""
        raise SinchflowError(
            f"no command {word}: {meant}/help lists them; a text that begins with / is sent as /{word}"
        )
    return command.do(phone, rest.strip())


def help_text() -> str:
    """All commands."""
    width = max(len(each.usage) for each in COMMANDS.values())
    lines = [f"{'any text'.ljust(width)}  texts it in; \\ at the end of a line: it goes on in the next one"]
    lines += [f"{each.usage.ljust(width)}  {each.help}" for each in COMMANDS.values()]
    lines.append(f"{'/quit'.ljust(width)}  leave (so does Ctrl-D)")
    return "\n".join(lines)


def _advance(phone: "Phone", rest: str) -> None:
    phone.advance(_one("/advance", rest))


def _now(phone: "Phone", rest: str) -> None:
    phone.go_to(_one("/now", rest))


def _from(phone: "Phone", rest: str) -> None:
    phone.become(_some("/from", rest))


def _to(phone: "Phone", rest: str) -> None:
    phone.text_to(rest or None)


def _name(phone: "Phone", rest: str) -> str | None:
    name, _, number = _some("/name", rest).partition(" ")
    phone.name(name, _some("/name", number.strip()))
    return None


def _receipt(phone: "Phone", rest: str) -> None:
    status, *code = _words("/receipt", rest, 2)
    phone.receipt(status, code[0] if code else None)


def _start(phone: "Phone", rest: str) -> None:
    name, _, given = _some("/start", rest).partition(" ")
    phone.start(name, dict(_inputs(given.strip())))


def _inputs(given: str) -> Iterator[tuple[str, Any]]:
    """`NAME=VALUE …`: a value in JSON where it begins as a list, a mapping or a quoted text; else up to the next."""
    at = 0
    while at < len(given):
        found = _NAME.match(given, at)
        if found is None:
            raise SinchflowError(f'"{given[at:]}": write inputs as NAME=VALUE, and a value with spaces in quotes')
        at = found.end()
        if given[at : at + 1] in ("[", "{", '"'):
            value, end = _json_at(given, at, f"input {found[1]}")
        else:
            end = next(each.start() for each in _NEXT.finditer(given, at))
            value = given[at:end]
        yield found[1], value
        at = end + len(given[end:]) - len(given[end:].lstrip())


def _webhook(phone: "Phone", rest: str) -> None:
    path, _, body = _some("/webhook", rest).partition(" ")
    phone.webhook(path, _json(body.strip(), "the body") if body.strip() else None)


def _respond(phone: "Phone", rest: str) -> str:
    phone.respond(_answer(_some("/respond", rest)))
    return f"the next call is answered so: {rest}"


def _answer(rest: str) -> dict[str, Any]:
    first, _, body = rest.partition(" ")
    body = body.strip()
    if first in _FAULTS and not body:
        return {"fault": first}
    if not (first.isascii() and first.isdecimal() and 100 <= int(first) <= 599):
        raise SinchflowError(_usage("/respond"))
    answer: dict[str, Any] = {} if first == "200" else {"status": int(first)}
    if body[:1] in ("{", "[", '"'):
        return answer | {"json": _json(body, "the answer")}
    return answer | ({"body": body} if body else {})


def _refuse(phone: "Phone", rest: str) -> str:
    phone.refuse(_some("/refuse", rest))
    return f"the next message is refused so: {rest}"


def _restart(phone: "Phone", _rest: str) -> None:
    phone.restart()


def _reload(phone: "Phone", _rest: str) -> str:
    count = phone.reload()
    return f"{count} flow{'s' * (count != 1)}"


def _undo(phone: "Phone", _rest: str) -> str:
    return f"taken back: {phone.undo()}"


def _new(phone: "Phone", _rest: str) -> str:
    phone.anew()
    return "all is forgotten; it begins again"


def _trace(phone: "Phone", rest: str) -> str:
    if rest and not (rest.isascii() and rest.isdecimal() and len(rest) < 10):
        raise SinchflowError(_usage("/trace"))
    run, records = phone.trace(int(rest) if rest else None)
    reason = f": {run['reason']}" if run["reason"] else ""
    place = f" ({run['place']})" if run["place"] else ""
    lines = [f"run {run['id']} of {run['flow']}: {status(run)}{reason}{place}"]
    lines += [f"  waits  {each}" for each in waits(run, phone.now, phone.zone)]
    return "\n".join([*lines, *trace_text(records, phone.now, phone.zone)])


def _runs(phone: "Phone", _rest: str) -> str:
    runs = phone.runs()
    return listed(runs, phone.now, phone.zone) if runs else "there is no run so far"


def _flows(phone: "Phone", _rest: str) -> str:
    width = max((len(flow.name) for flow in phone.flows), default=0)
    lines = [f"{flow.name.ljust(width)}  {flow.description or ''}".rstrip() for flow in phone.flows]
    return "\n".join(lines) or "there is no flow yet"


def _save(phone: "Phone", rest: str) -> str:
    return _saved(phone, _some("/save", rest), overwrites=False)


def _save_over(phone: "Phone", rest: str) -> str:
    return _saved(phone, _some("/save!", rest), overwrites=True)


def _saved(phone: "Phone", rest: str, *, overwrites: bool) -> str:
    file, _, name = rest.partition(" ")
    return f"{phone.save(file, name.strip() or None, overwrites=overwrites)}: it passes"


def _help(_phone: "Phone", _rest: str) -> str:
    return help_text()


COMMANDS = {
    each.usage.partition(" ")[0]: each
    for each in (
        _Command("/from NUMBER", "be another customer; also by a name from /name", _from),
        _Command("/name NAME NUMBER", "call a number by a name, in the chat and in saved tests", _name),
        _Command("/to NUMBER", "text this number of ours from now on; alone: the usual one", _to),
        _Command("/advance 1h", "let time pass; what is due happens", _advance),
        _Command("/now 2026-12-02T09:00", "let time pass until then", _now),
        _Command("/receipt failed 330", "Sinch reports on the last message (to the customer of now); a code may follow",
                 _receipt),
        _Command("/start FLOW NAME=VALUE …", "start a flow by hand", _start),
        _Command("/webhook PATH JSON", "call a webhook of a flow, with its token and signature", _webhook),
        _Command("/respond 503 BODY", "answer the next `http` call so, not with 200 {}; also: timeout, connection",
                 _respond),
        _Command("/refuse WORDS", "Sinch does not take the next message, and says so", _refuse),
        _Command("/restart", "the daemon is killed and started again", _restart),
        _Command("/reload", "read the flows again", _reload),
        _Command("/undo", "take the last thing back", _undo),
        _Command("/new", "forget all and begin again", _new),
        _Command("/trace RUN", "a run step by step, without a number the last one", _trace),
        _Command("/runs", "all runs", _runs),
        _Command("/flows", "all flows", _flows),
        _Command("/save FILE NAME", "write it all as a transcript test, or add it to a file of the same flow", _save),
        _Command("/save! FILE NAME", "the same, in the place of the file that is there", _save_over),
        _Command("/help", "this", _help),
    )
}  # fmt: skip


def _usage(word: str) -> str:
    return f"write {COMMANDS[word].usage}: {COMMANDS[word].help}"


def _some(word: str, rest: str) -> str:
    if not rest:
        raise SinchflowError(_usage(word))
    return rest


def _one(word: str, rest: str) -> str:
    return _words(word, rest, 1)[0]


def _words(word: str, rest: str, most: int) -> list[str]:
    words = rest.split()
    if not 1 <= len(words) <= most:
        raise SinchflowError(_usage(word))
    return words


def _json(text: str, what: str) -> Any:
    value, end = _json_at(text, 0, what)
    if text[end:].strip():
        raise SinchflowError(f"{what} is no JSON: something follows its end: {text[end:].strip()}")
    return value


def _json_at(text: str, at: int, what: str) -> tuple[Any, int]:
    """The JSON that begins there, and where it ends."""
    try:
        _, end = _DECODER.raw_decode(text, at)
        return msgspec.json.decode(text[at:end]), end  # it refuses halves of characters and numbers without end
    except JSONDecodeError as error:
        after = text[error.pos : error.pos + 20]
        where = f'at "{after}"' if after else "at its end"
        reason = f"{error.msg[:1].lower()}{error.msg[1:]} {where}"
    except (ValueError, msgspec.MsgspecError) as error:
        reason = str(error)
    except RecursionError:
        reason = "it is nested too deep"
    raise SinchflowError(f"{what} is no JSON: {reason}")


def _refuse_constant(name: str) -> None:
    raise SinchflowError(f"{name} is no JSON")


_DECODER = JSONDecoder(parse_constant=_refuse_constant)
