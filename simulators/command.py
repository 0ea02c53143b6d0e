"""``fieldcare simulate``: an invented region speaks to a broker until it is told to stop."""

import asyncio
import signal
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from simulators import hospital
from simulators.client import Door
from simulators.fleet import Pace, Progress, World, simulate
from simulators.script import Script, drawn, write_labels

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_REPORT_S = 1.0
_FAST = 60.0
_THIN_S = 60.0
_YEAR = timedelta(days=365)

Report = Callable[[Progress, datetime], None]


class BadAddress(ValueError):
    """A broker address that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to simulate. Event time starts at ``start_at`` and runs ``speed`` times as fast.

    ``often`` multiplies the failures per year; ``duration_s`` is wall time, None for no end;
    ``labels`` is a file for the truth about the faults, one JSON object per line.
    """

    start_at: datetime
    seed: int = 1
    devices: int = 40
    sites: int = 12
    speed: float = 1.0
    duration_s: float | None = None
    often: float = 1.0
    labels: Path | None = None


def door_of(url: str) -> Door:
    """Return where ``url`` points, mqtt://host:port or mqtts://host:port. Raises BadAddress."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise BadAddress(f"address {url!r} is not mqtt://host:port or mqtts://host:port")
    tls = ssl.create_default_context() if parts.scheme == "mqtts" else None
    return Door(parts.hostname, parts.port or _PORTS[parts.scheme], tls)


async def run(
    url: str, wish: Wish, password: Callable[[str], str], report: Report | None = None
) -> Progress:
    """Simulate ``wish`` at the broker ``url`` until its end, Ctrl-C or SIGTERM.

    ``password`` gives the secret of a device id; ``report`` is called every second. Returns what
    was done; the labels are on disk from the first second, and complete at the end.
    """
    region = hospital.region(wish.seed, wish.devices, wish.sites)
    faults = drawn(
        wish.seed, region.devices, wish.start_at, wish.start_at + _YEAR, often=wish.often
    )
    script = Script(region.devices, faults)
    now = _accelerated(wish.start_at, wish.speed)
    thin_s = _THIN_S if wish.speed > _FAST else 0.0
    world = World(wish.seed, script, now, password, pace=Pace(wish.speed, thin_s=thin_s))
    stop = _stop_of(wish.duration_s)
    progress = Progress()
    _write(script, wish.labels)
    reporting = asyncio.create_task(_report(report, progress, now))
    try:
        return await simulate(door_of(url), region.devices, world, stop, progress=progress)
    finally:
        reporting.cancel()
        _write(script, wish.labels)


def _accelerated(start_at: datetime, speed: float) -> Callable[[], datetime]:
    """Return a clock that reads ``start_at`` now and runs ``speed`` times as fast."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    return lambda: start_at + timedelta(seconds=(loop.time() - began) * speed)


def _stop_of(duration_s: float | None) -> asyncio.Event:
    """Return an event that is set after ``duration_s``, or by Ctrl-C or SIGTERM."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if duration_s is not None:
        loop.call_later(duration_s, stop.set)
    return stop


async def _report(report: Report | None, progress: Progress, now: Callable[[], datetime]) -> None:
    while report is not None:
        report(progress, now())
        await asyncio.sleep(_REPORT_S)


def _write(script: Script, path: Path | None) -> None:
    if path is not None:
        write_labels(script, path)
