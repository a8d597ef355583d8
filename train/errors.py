"""The one way a stage tells its user about a mistake of theirs."""

import sys
from collections.abc import Callable


class UserError(ValueError):
    """A mistake the user can mend, in one sentence: where, what is, what is needed.

    Every stage raises its own subclass; `run_command` prints it and exits 2.
    """


def run_command(name: str, command: Callable[[], None]) -> None:
    """Run a stage's command line: a `UserError` becomes one line on stderr and exit status 2."""
    try:
        command()
    except UserError as error:
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(2)
    except OSError as error:  # a full disk, a read-only folder, a missing file
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"{name}: {where}{error.strerror or error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write(f"{name}: stopped\n")
        sys.exit(130)
