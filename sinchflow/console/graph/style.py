"""The colours of a picture: calm ones, one for each kind of step, on light pages and on dark ones.

Plain rules without custom properties, which other programs than browsers do not know. All are below one class, so that
the picture may also stand within a page.
"""

from collections.abc import Mapping

_LIGHT = {
    "page": "#ffffff", "card": "#ffffff", "border": "#c9d1da", "ink": "#1c2530", "muted": "#566373", "faint": "#6b7785",
    "line": "#8794a3", "frame": "#f5f7fa", "soft": "#eef1f5",
    "trigger": "#18794e", "send": "#1767b3", "call": "#7a3fb0", "wait": "#9a5b00", "data": "#48606f",
    "decision": "#34465c", "control": "#34465c", "flow": "#3f4fb5", "error": "#b3362b",
}  # fmt: skip
_DARK = {
    "page": "#12171d", "card": "#1b222b", "border": "#4b5866", "ink": "#e4e9ef", "muted": "#a9b4c0", "faint": "#8b97a4",
    "line": "#738192", "frame": "#161c23", "soft": "#222b35",
    "trigger": "#56c08d", "send": "#6cb2f2", "call": "#c08df0", "wait": "#e2a74a", "data": "#9db4c2",
    "decision": "#b9c7d8", "control": "#b9c7d8", "flow": "#9aa6f5", "error": "#ef7d73",
}  # fmt: skip
_COLOURED = ("trigger", "send", "call", "wait", "data", "decision", "control", "flow")
_FONTS = 'system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif'


def _rules(colours: Mapping[str, str]) -> list[str]:
    look = {
        ".page": "fill:{page}",
        ".card": "fill:{card};stroke:{border}",
        "text": "fill:{ink}",
        ".note": "fill:{muted}",
        ".about": "fill:{muted}",
        ".place": "fill:{faint}",
        ".edge": "stroke:{line}",
        ".edge.error": "stroke:{error}",
        ".arrow": "fill:{line}",
        ".arrow.error": "fill:{error}",
        ".label": "fill:{muted}",
        ".label-back": "fill:{page}",
        ".frame": "fill:none;stroke:{border}",
        ".frame-title": "fill:{muted}",
        ".gate .card": "fill:{frame}",
        ".end .card": "fill:{soft}",
        ".decision .card": "fill:{soft};stroke:{line}",
        ".fail .card": "stroke:{error}",
        ".fail .kind": "fill:{error}",
        **{f".{kind} .stripe": f"fill:{{{kind}}}" for kind in _COLOURED},
        **{f".{kind} .kind": f"fill:{{{kind}}}" for kind in _COLOURED},
    }
    return [f".sinchflow-graph {name}{{{rule.format_map(colours)}}}" for name, rule in look.items()]


_SHAPES = [
    f".sinchflow-graph{{font-family:{_FONTS}}}",
    ".sinchflow-graph .title{font-size:18px;font-weight:600}",
    ".sinchflow-graph .about{font-size:13px}",
    ".sinchflow-graph .place{font-size:10.5px}",
    ".sinchflow-graph .label{font-size:12px;text-anchor:middle}",
    ".sinchflow-graph .frame-title{font-size:12px;font-weight:600}",
    ".sinchflow-graph .edge{fill:none;stroke-width:1.4}",
    ".sinchflow-graph .edge.error{stroke-dasharray:5 4}",
    ".sinchflow-graph .gate .card,.sinchflow-graph .frame.part{stroke-dasharray:5 4}",
    ".sinchflow-graph a .kind{text-decoration:underline}",
]

STYLE = "\n".join(
    [
        *_SHAPES,
        *_rules(_LIGHT),
        "@media (prefers-color-scheme:dark){",
        *_rules(_DARK),
        "}",
        "",
    ]
)
