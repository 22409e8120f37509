"""Numbers that Python refuses to read, in every place of the admin API that takes one: 4xx, never a traceback."""

import pytest

LONG = "9" * 5_000
ASKED = [
    *(("GET", f"/api/{what}?limit={LONG}") for what in ("sends", "runs", "events", "events/quarantined", "contacts")),
    *(("GET", f"/api/runs/changes?{name}={LONG}") for name in ("after", "run")),
    *(("GET", f"/api/{what}/{LONG}") for what in ("runs", "events")),
    *(("POST", f"/api/{what}/{LONG}/resolve") for what in ("runs", "sends")),
    *(("GET", f"/api/runs/{odd}") for odd in ("²", "-1", "1.0", "٣", "0x1", str(2**63))),
]


@pytest.mark.filterwarnings("error")
def test_number_that_is_too_long_is_refused(play):
    async def scenario(house):
        found = {(method, path[:30]): (await house.admin(path, method)).status_code for method, path in ASKED}
        assert {key: status for key, status in found.items() if not 400 <= status < 500} == {}
        assert (await house.admin(f"/api/runs/changes?wait={LONG}")).status_code == 200

    play(scenario)
