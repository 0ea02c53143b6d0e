"""What all commands share: the application, the terminal, settings and their errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from aftersales.access import Role
from aftersales.machine import By
from fieldcare import settings as settings_of
from fieldcare.clock import wall_clock
from fieldcare.logs import set_up
from fieldcare.settings import Settings
from fieldcare.wiring import Stores, open_stores

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Device health, preventive tickets and routes against the 2-hour promise.",
)
console = Console()
Data = Annotated[Path | None, typer.Option(help="Folder for everything that is kept.")]


def end(why: str) -> NoReturn:
    """Say what is wrong and end with code 2."""
    console.print(f"[red]fieldcare:[/red] {escape(why)}", highlight=False)
    raise typer.Exit(2)


def as_sent(text: str) -> Text:
    """Return what others wrote: nothing in it is markup, and what cannot be seen is spelt out."""
    return Text("".join(c if c.isprintable() else ascii(c)[1:-1] for c in text))


def settings(**given: Any) -> Settings:
    """Return the settings, arguments that are None left out; end with what is wrong with them."""
    try:
        return settings_of.load(**{name: v for name, v in given.items() if v is not None})
    except settings_of.WrongSetting as error:
        end(str(error))


@contextmanager
def opened(data: Path | None) -> Iterator[Stores]:
    """Open the stores for a short command, quietly."""
    set_up(quiet=True)
    stores = open_stores(settings(data=data), collects=False)
    try:
        yield stores
    finally:
        stores.close()


def by_hand() -> By:
    """Return the one at the terminal, who may do what an administrator may."""
    return By("cli", Role.AD, wall_clock(), source="cli")


def bar(label: str) -> Progress:
    """Return a progress bar that goes when it is done."""
    columns = (TextColumn(label), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)
