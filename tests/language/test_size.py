"""Flows far larger than any that is written: what they cost grows with their size, and not with its square."""

import time

import pytest

from sinchflow.language.check import Checker
from sinchflow.language.diagnostic import present_each

_HEAD = "on: {inbound_sms: {keyword: AA}}\n"
_WAIT = f"{_HEAD}steps:\n  - wait_for_reply:\n      timeout: 1h\n      categories:\n"
FLOWS = {
    "variables that nothing reads": (
        lambda n: f"{_HEAD}steps:\n  - reply: hi\nvars:\n" + "".join(f"  v{i}: x\n" for i in range(n))
    ),
    "categories": lambda n: _WAIT + "".join(f"        c{i}: {{contains: w{i} x}}\n" for i in range(n)),
    "holes of one text": lambda n: f"{_HEAD}steps:\n  - reply: '" + "{{ event.content }} " * n + "'\n",
    "variables set from one another": (
        lambda n: (
            f"{_HEAD}vars: {{v0: x}}\nsteps:\n"
            + "".join(f"  - set: {{v{i}: '{{{{ vars.v{i - 1} ~ vars.v{i - 1} }}}}'}}\n" for i in range(1, n // 20))
            + f"  - log: '{{{{ vars.v{n // 20 - 1} | upper }}}}'\n"
        )
    ),
    "texts with mistakes": (
        lambda n: f"{_HEAD}steps:\n" + "".join(f'  - reply: "{{{{ contct.x{i} }}}}"\n' for i in range(n))
    ),
}


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_large_flows_are_checked_in_a_time_that_grows_with_them(tmp_path, flow):
    (tmp_path / "flows").mkdir()

    def seconds(size):
        (tmp_path / "flows" / "a.yaml").write_text(flow(size))
        begin = time.process_time()
        checked = Checker(builds=False).check(tmp_path)
        assert len([*present_each(checked.diagnostics, checked.texts)]) == len(checked.diagnostics)
        return time.process_time() - begin

    seconds(10)  # with all imports
    assert seconds(4_000) < 8 * seconds(1_000) + 0.5
