"""The few exceptions that mean "we cannot go on".

A mistake in the user's files is a `Diagnostic`, a step that fails is an `Outcome`; only what stops the program
or a command is raised. Each message says what happened, to what, and what to do next.
"""


class SinchflowError(Exception):
    """Ends the command with one line on stderr and `exit_code` (see design.md section 5)."""

    exit_code = 1


class UsageError(SinchflowError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = 2


class CannotStart(SinchflowError):
    """Port in use, journal not usable, settings or secrets missing, daemon not there."""

    exit_code = 3


class ProviderError(SinchflowError):
    """The provider or the network to it refused what a command asked for."""

    exit_code = 4


class JournalError(SinchflowError):
    """The journal could not store or read something; what was handed to it is not acknowledged."""

    exit_code = 3


class Unstorable(JournalError):
    """What was handed to the journal cannot be written as JSON: a fault of ours; trying again gives the same."""
