"""How many examples a property is shown with.

`HYPOTHESIS_PROFILE=long pytest` takes all of them; without it a third is taken, at least 30: another hundred of the
same shapes add little to a run that is repeated at each commit, as each run draws others.
"""

import os


def examples(most: int) -> int:
    """The number for this run. most: of the long form."""
    return most if os.environ.get("HYPOTHESIS_PROFILE") == "long" else max(30, most // 3)
