"""Whatever stands in a file: findings at places that exist, never an exception."""

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinchflow.language.build import build_flow
from sinchflow.language.check import Checker
from sinchflow.language.diagnostic import present_text, split_lines
from sinchflow.language.document import compose, documents
from sinchflow.language.nodes import Mapping
from tests.examples import examples

CASES = Path(__file__).parents[1] / "cases" / "validate"
SEEDS = [path.read_bytes() for kind in ("ok", "err") for path in sorted((CASES / kind).glob("*.yaml"))]
PIECES = [
    b"{{ ", b" }}", b"{% if x %}", b"'", b'"', b": ", b"- ", b"\n", b"\r", b"\t", b"#", b" # ", b"&a ", b"*a", b"!x ",
    b"|\n", b">-\n", b"---\n", b"...\n", b"[", b"]", b"{", b"}", b",", b"? ", b"<<: ", b"null", b"~", b"1e999", b"\xff",
    b"\x00", b"\xf0\x9f\x98\x80", b"\\u0000", b"\xe2\x80\xa8", b"%YAML 1.1\n", b"steps", b"on", b"choose", b"  ", b"@",
    b"",
]  # fmt: skip
QUIET = settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
CHECKER = Checker()
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def check_bytes(root, data):
    (root / "flows").mkdir(exist_ok=True)
    (root / "flows" / "a.yaml").write_bytes(data)
    (root / "sinchflow.yaml").write_bytes(data)
    checked = CHECKER.check(root, now=NOW)
    for item in checked.diagnostics:
        lines = split_lines(checked.texts[item.file])
        assert 1 <= item.line <= len(lines)
        assert 1 <= item.column <= len(lines[item.line - 1]) + 1
        assert item.length >= 1
    present_text(checked.diagnostics, checked.texts)


@QUIET
@given(data=st.binary(max_size=200))
def test_random_bytes_are_never_an_exception(data, tmp_path):
    check_bytes(tmp_path, data)


@QUIET
@given(
    seed=st.sampled_from(SEEDS),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(PIECES)), min_size=1, max_size=4),
)
def test_flows_with_random_edits_are_never_an_exception(seed, edits, tmp_path):
    for at, cut, piece in edits:
        start = int(at * len(seed))
        seed = seed[:start] + piece + seed[start + cut :]
    check_bytes(tmp_path, seed)


KEYS = st.sampled_from(
    [
        "name",
        "on",
        "steps",
        "reply",
        "send_sms",
        "to",
        "message",
        "http",
        "url",
        "json",
        "set",
        "choose",
        "if",
        "else",
        "log",
        "stop",
        "fail",
        "id",
        "timeout",
        "retry",
        "on_error",
        "vars",
        "throttle",
        "max",
        "per",
        "contact",
        "inbound_sms",
        "keyword",
        "regex",
        "metadata",
        "delivery_receipt",
        "status",
        "expect",
        "auth",
        "opt_out",
        "opt_in",
        "number",
        "get_message_status",
        "get_sender_ids",
        "cancel_message",
        "message_id",
        "account",
        "accounts",
        "flow",
        "from",
        "webhooks",
        "public_url",
        "catch_up",
        "every",
        "scheduled",
    ]
)
TREES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["{{ event.x }}", "5s", "a", "", "2xx", "("])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=25,
)


@QUIET
@given(tree=st.dictionaries(KEYS, TREES, max_size=6))
def test_any_tree_of_known_keys_is_judged(tree, tmp_path):
    import yaml

    check_bytes(tmp_path, yaml.safe_dump(tree, sort_keys=False).encode())


def test_deepest_flow_that_is_read_is_checked_without_running_out_of_stack(tmp_path):
    text, indent = "on: manual\nsteps:\n", "  "
    for _ in range(19):
        text += f"{indent}- choose:\n{indent}    - else:\n"
        indent += " " * 8
    text += f"{indent}- lug: x\n"
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "a.yaml").write_text(text)
    checked = Checker().check(tmp_path)
    assert [item.rule for item in checked.diagnostics] == ["unknown-key"]
    (document,) = documents(text.replace("lug", "log"), "a.yaml")
    assert compose(document) == []
    assert isinstance(document.root, Mapping)
    assert build_flow(document).steps


def test_a_chain_of_very_many_filters_is_a_finding(tmp_path):
    chain = "| upper " * 5_000
    data = f"on: inbound_sms\nvars: {{x: '{{{{ 1 {chain}}}}}'}}\nsteps:\n  - reply: '{{{{ vars.x {chain}}}}}'\n"
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "a.yaml").write_text(data)
    assert "template-not-allowed" in {item.rule for item in CHECKER.check(tmp_path).diagnostics}
