"""Lets Python keep what it compiles, in `__pycache__` as it does by default.

Some hundred processes of the tests load the program, and each of pytest's workers rewrites the assertions of every
module. Where `PYTHONDONTWRITEBYTECODE` is set, as in many containers, each of them would compile it all anew: half of
the time that a process takes.

Examples of properties have no deadline: how long one takes says more of what else the machine does than of the program.
"""

import os
import sys

from hypothesis import settings

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
