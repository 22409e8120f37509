"""A refused call, taken apart."""

import pytest

from sinchflow.sinch.apart import apart
from sinchflow.sinch.messages import Rejected

FORBIDDEN = "HTTP 403: no; the account lacks this feature or permission: ask the provider to switch it on"


def rejected(**known):
    return Rejected(message="no", **known)


@pytest.mark.parametrize(
    ("refusal", "count", "parts", "refused"),
    [
        (rejected(status=400, faults={1: "bad", 0: "worse"}), 4, [[2, 3]], {0: "worse", 1: "bad"}),
        (rejected(status=400, faults={0: "bad"}), 1, [], {0: "bad"}),
        (rejected(status=400, faults={0: "bad", 7: "of another call"}), 2, [[1]], {0: "bad"}),
        (rejected(status=None, faults={1: "half a character"}), 2, [[0]], {1: "half a character"}),
        (rejected(status=400), 5, [[0, 1], [2, 3, 4]], {}),
        (rejected(status=400, details=("because", "so")), 1, [], {0: "no; because; so"}),
        (rejected(status=403), 2, [], dict.fromkeys((0, 1), FORBIDDEN)),
        (rejected(status=302), 1, [], {0: "no"}),
    ],
)
def test_the_blamed_fail_alone_and_the_rest_goes_on(refusal, count, parts, refused):
    found = apart(refusal, count)
    assert [list(part) for part in found.parts] == parts
    assert found.refused == refused
