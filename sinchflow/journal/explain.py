"""The journal's faults in words."""

import apsw

from sinchflow.errors import JournalError


def explain(error: apsw.Error, path: str) -> JournalError:
    """What went wrong with the journal's file and how to mend it, in one sentence."""
    remedy = {
        apsw.FullError: "the disk is full: free some space",
        apsw.ReadOnlyError: "it cannot be written: check the folder's permissions and that the disk is not read-only",
        apsw.CantOpenError: "it cannot be opened: check that the folder exists and may be written",
        apsw.IOError: "the disk reports an error: check the machine's log",
        apsw.CorruptError: "it is damaged: restore a backup",
        apsw.NotADBError: "it is not a SQLite database: name another folder with --data",
        apsw.BusyError: "another program holds it locked",
    }
    for kind, words in remedy.items():
        if isinstance(error, kind):
            return JournalError(f"journal {path}: {words} ({error})")
    if "no such table" in str(error):
        return JournalError(f"journal {path}: it is of an earlier release: start the daemon once ({error})")
    return JournalError(f"journal {path}: {error}")
