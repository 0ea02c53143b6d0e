"""Builders: the command line as a process of its own, and a store it may read."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from desk.arrival import Arrival
from desk.office import Office
from fieldcare.clock import wall_clock
from fieldcare.settings import Settings, load
from fieldcare.wiring import Collecting, desk_of, open_stores
from tests import given

PATIENCE_S = 40.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_COMMAND = (sys.executable, "-m", "fieldcare")
_SPACE = {**os.environ, "COLUMNS": "250", "TERM": "dumb", "NO_COLOR": "1"}


def cli(*arguments: object, **settings: object) -> tuple[int, str]:
    """Run ``fieldcare`` with these arguments; return its exit code and what it said."""
    done = subprocess.run(
        [*_COMMAND, *map(str, arguments)],
        env=_SPACE | _environment(settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def _environment(settings: dict[str, Any]) -> dict[str, str]:
    return {f"FIELDCARE_{name.upper()}": str(value) for name, value in settings.items()}


class Running:
    """A command that goes on until it is told to stop."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""

    def address(self) -> str:
        """Return the address it announces."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if found := _ADDRESS.search(line):
                return found.group()
        raise AssertionError(f"it ended: {self.said}")

    def interrupt(self) -> int:
        """Press Ctrl-C; return the exit code."""
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=PATIENCE_S)
        self.said += said
        return self.process.returncode


@contextmanager
def started(*arguments: object, **settings: object) -> Iterator[Running]:
    """Start ``fieldcare`` with these arguments; it is killed at the end if it still runs."""
    process = subprocess.Popen(
        [*_COMMAND, *map(str, arguments)],
        env=_SPACE | _environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Running(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def until(true: Callable[[], object]) -> None:
    """Return as soon as something is true."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.05)


@contextmanager
def office(data: Path, *records: Any, settings: Settings | None = None) -> Iterator[Office]:
    """Open the stores in ``data``, put ``records`` there, and close them."""
    conf = settings or load(data=data)
    stores = open_stores(conf)
    try:
        with stores.records.begin() as work:
            for one in (given.site(), given.device(), *records):
                work.shelf(type(one)).put(one)
        yield desk_of(conf, stores, wall_clock)
    finally:
        stores.close()


def take(office: Office, data: Path, arrivals: Sequence[Arrival]) -> None:
    """Let the wiring's own ingest decide on ``arrivals``."""
    ingest = Collecting(load(data=data), office).ingest
    ingest.act(ingest.keep(arrivals))
    ingest.checkpoint()
