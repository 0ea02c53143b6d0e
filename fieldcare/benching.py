"""What measures: the benchmarks of the repository, printed as tables."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from fieldcare.cli import app, end

FIGURES = ("ingest", "storage", "start", "kill", "planning")
_FOLDER = Path(__file__).parent.parent / "benchmarks"


@app.command()
def bench(
    name: Annotated[
        str, typer.Argument(help="One of the files of benchmarks/; the main ones if empty.")
    ] = "",
) -> None:
    """Measure this machine: ingest, storage, start, loss, plans; side by side with the usual."""
    if not _FOLDER.is_dir():
        end("the benchmarks come with the repository, not with the installed package")
    known = sorted(f.stem for f in _FOLDER.glob("[a-z]*.py") if "def main(" in f.read_text("utf-8"))
    if name and name not in known:
        end(f"benchmark {name!r} is none of {', '.join(known)}")
    for one in [name] if name else FIGURES:
        subprocess.run([sys.executable, "-m", f"benchmarks.{one}"], check=True, cwd=_FOLDER.parent)
