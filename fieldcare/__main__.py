"""The command line: every verb of the product; --help reads like a table of contents."""

import sys

from collector.address import BadAddress
from fieldcare import (
    benching,
    commands,
    inspecting,
    quarantining,
    registering,
    replaying,
    showing,
    simulating,
)
from fieldcare.cli import app, console
from fieldcare.settings import WrongSetting
from health.document import ProfileError

VERBS = (
    showing,
    commands,
    simulating,
    replaying,
    quarantining,
    inspecting,
    registering,
    benching,
)


def main() -> None:
    """Run the command that was asked for; what the caller can put right ends with code 2."""
    try:
        app()
    except (WrongSetting, BadAddress, ProfileError, OSError) as error:
        console.print(f"[red]fieldcare:[/red] {error}", highlight=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
