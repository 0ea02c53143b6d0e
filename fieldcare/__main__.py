"""The command line: every verb of the product; --help reads like a table of contents."""

from fieldcare import benching, commands, inspecting, registering, replaying, showing, simulating
from fieldcare.cli import app

VERBS = (showing, commands, simulating, replaying, inspecting, registering, benching)


def main() -> None:
    """Run the command that was asked for."""
    app()


if __name__ == "__main__":
    main()
