"""How `sinchflow test` shows what came of transcript tests: as a chat, as JUnit's XML, and the ways nobody walked."""

import html
import shutil
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from sinchflow.language.diagnostic import printable, split_lines

if TYPE_CHECKING:
    from sinchflow.language.script import Script
    from sinchflow.simulate.play.coverage import Covered, Share
    from sinchflow.simulate.play.many import Result
    from sinchflow.simulate.play.outcome import Failure, Line

_ALL = "all flows"
#: Before each kind of line in a chat.
SIGNS = {"in": "›", "out": "‹", "call": "→", "time": "…", "event": "•", "note": "#", "fault": "#"}
_NARROWEST, _WIDEST = 60, 160
#: Lines of a chat before the one that is wrong.
_MOST_LINES = 40


def failure_text(script: "Script", result: "Result", texts: Mapping[str, str], zone: str) -> str:
    """One failing script, as people read it: place, chat, what was wanted beside what was found."""
    failure = result.failure
    assert failure is not None
    width = min(max(shutil.get_terminal_size((100, 24)).columns, _NARROWEST), _WIDEST)
    lines = [f"{failure.origin}: {script.name}", f"  {printable(failure.message)}"]
    for part in (
        [f"  {line}" for line in _chat(result.chat, zone, width - 2)],
        [*_side_by_side(failure, width), *(f"  because: {printable(clue)}" for clue in failure.clues)],
    ):
        lines += ["", *part] if part else []
    source = split_lines(texts.get(failure.origin.file, ""))
    if failure.origin.line <= len(source):
        number = str(failure.origin.line)
        mark = " " * (failure.origin.column - 1) + "^" * failure.origin.length
        lines += ["", f"  {number} | {printable(source[failure.origin.line - 1])}", f"  {' ' * len(number)} | {mark}"]
    return "\n".join(line.rstrip() for line in lines)


def _chat(chat: "Sequence[Line]", zone: str, width: int) -> Iterator[str]:
    shown = chat[-_MOST_LINES:]
    if len(chat) > len(shown):
        yield f"({len(chat) - len(shown)} lines before)"
    day = None
    who_width = max((len(line.who) for line in shown), default=0)
    for line in shown:
        at = line.at.astimezone(ZoneInfo(zone))
        if at.date() != day:
            day = at.date()
            yield f"{day:%a %d %b %Y}"
        head = f"{at:%H:%M:%S}  {line.who.ljust(who_width)} {SIGNS[line.kind]} "
        wrapped = textwrap.wrap(printable(line.text), max(20, width - len(head))) or [""]
        yield head + wrapped[0]
        yield from (" " * len(head) + more for more in wrapped[1:])


def _side_by_side(failure: "Failure", width: int) -> Iterator[str]:
    """Wanted on the left, found on the right."""
    if not failure.differences:
        return
    half = (width - 5) // 2
    if all(not each.wanted for each in failure.differences):
        for each in failure.differences:
            yield from (f"  {line}" for line in textwrap.wrap(printable(each.found), width - 2))
        return
    yield f"  {'expected'.ljust(half)} │ actual"
    for each in failure.differences:
        left = textwrap.wrap(printable(each.wanted), half) or [""]
        right = textwrap.wrap(printable(each.found), half) or [""]
        for at in range(max(len(left), len(right))):
            one = left[at] if at < len(left) else ""
            other = right[at] if at < len(right) else ""
            yield f"  {one.ljust(half)} │ {other}"


def junit(scripts: "Sequence[Script]", results: "Sequence[Result]", texts: Mapping[str, str], zone: str) -> bytes:
    """JUnit's XML, as CI servers read it: a suite for each file, a case for each test."""
    by_file: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_file[scripts[result.place].origin.file].append(result)
    root = ElementTree.Element("testsuites")
    for file, own in by_file.items():
        failed = sum(each.failure is not None for each in own)
        suite = ElementTree.SubElement(
            root, "testsuite", name=file, tests=str(len(own)), failures=str(failed), errors="0",
            time=f"{sum(each.seconds for each in own):.3f}",
        )  # fmt: skip
        for each in own:
            script = scripts[each.place]
            case = ElementTree.SubElement(
                suite, "testcase", name=script.name, classname=file, file=file, line=str(script.origin.line),
                time=f"{each.seconds:.3f}",
            )  # fmt: skip
            if each.failure is not None:
                told = ElementTree.SubElement(case, "failure", message=_xml(each.failure.message), type="transcript")
                told.text = _xml(failure_text(script, each, texts, zone))
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _xml(text: str) -> str:
    """Without what XML 1.0 cannot hold."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def coverage_text(covered: "Iterable[Covered]", share: "Share") -> Iterator[str]:
    """Flow by flow, with the place of every way that no test has walked."""
    listed = list(covered)
    width = max(len(name) for name in (_ALL, *(each.name for each in listed)))
    for each in listed:
        own = each.share
        yield f"{each.name.ljust(width)}  {own.percent:5.1f} %  {own.met}/{own.all}"
        yield from (f"    {point.origin}: {printable(point.words)}" for point in each.missing)
    yield f"{_ALL.ljust(width)}  {share.percent:5.1f} %  {share.met}/{share.all}"


_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Coverage of flows</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; color: #222 }}
h2 {{ font-size: 1.1rem; margin: 2rem 0 .3rem }}
table {{ border-collapse: collapse; width: 100% }}
td {{ padding: .15rem .6rem; border-bottom: 1px solid #eee; vertical-align: top }}
td:first-child {{ width: 2rem }} td:nth-child(2) {{ width: 22rem; color: #666; font-family: monospace }}
.met td:first-child {{ color: #087f23 }} .open {{ background: #fff1f0 }} .open td:first-child {{ color: #b00020 }}
.share {{ color: #666; font-weight: normal }}
</style></head><body>
<h1>Coverage of flows: {percent:.1f} %</h1>
<p>{met} of {all} ways that the flows can go were walked by transcript tests.</p>
{flows}
</body></html>
"""


def coverage_html(covered: "Iterable[Covered]", share: "Share") -> str:
    """One page that needs nothing else."""
    parts = []
    for each in covered:
        own = each.share
        rows = "\n".join(
            f'<tr class="{"met" if met else "open"}"><td>{"✓" if met else "✗"}</td>'
            f"<td>{html.escape(str(point.origin))}</td><td>{html.escape(printable(point.words))}</td></tr>"
            for point, met in each.points
        )
        head = f'{html.escape(each.name)} <span class="share">{own.percent:.1f} % · {own.met}/{own.all}</span>'
        parts.append(f"<h2>{head}</h2>\n<table>\n{rows}\n</table>")
    return _PAGE.format(percent=share.percent, met=share.met, all=share.all, flows="\n".join(parts))
