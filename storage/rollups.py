"""Roll-ups: a minute and an hour of each metric as lowest, highest, mean and count, on the server.

They are computed from the readings on the server once an hour was quiet for a while, and again
when readings of it came late. They have a bucket of their own, which keeps them longer.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from storage.buckets import Buckets, counted, gist
from storage.dirty import HOUR_MS, DirtyHours
from storage.influx_link import Link, Refused, Server, TooLarge
from storage.influx_query import by_device
from storage.interface import Series
from storage.lines import aggregate_lines, name, numbers
from storage.register import UNKNOWN, Register, by_model
from storage.tail import StorageError

log = logging.getLogger(__name__)

MINUTE_MS: Final = 60_000
MINUTES, HOURS = "_1m", "_1h"
PARTS: Final = ("min", "max", "mean", "count")
_DEVICES_AT_ONCE: Final = 10
_LINES_AT_ONCE: Final = 500
_BREATH_S: Final = 0.02


class RollUps:
    """The thread. It waits while ``busy`` says that readings are still on their way."""

    def __init__(
        self,
        server: Server,
        register: Register,
        dirty: DirtyHours,
        *,
        busy: Callable[[], bool],
        every_s: float = 60.0,
        quiet_s: float = 60.0,
    ) -> None:
        self._readings, self._rollups = Link(server), Link(server, server.rollups)
        self._register, self._dirty, self._busy = register, dirty, busy
        self._every_s, self._quiet_s = every_s, quiet_s
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rollups", daemon=True)
        self.why = ""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is not rolled up stays marked."""
        self._closing.set()
        self._thread.join()
        self._readings.close()
        self._rollups.close()

    def _run(self) -> None:
        while not self._closing.wait(self._every_s):
            try:
                while not self._busy() and self._roll_next():
                    pass
                self.why = ""
            except StorageError as error:
                if str(error) != self.why:
                    log.warning("roll-ups wait", extra={"why": str(error)})
                self.why = str(error)
            except Exception:  # the loop at the top of a thread
                log.exception("rolling up failed")

    def _roll_next(self) -> bool:
        """Roll up the oldest hour that is due; return whether there was one."""
        due = self._dirty.take(time.monotonic() - self._quiet_s)
        if due is None or self._closing.is_set():
            return False
        rolled = False
        try:
            for devices in self._of_one_model(due.devices):
                self._roll(due.hour * HOUR_MS, devices)
            rolled = True
        finally:
            if rolled:
                self._dirty.done(due.hour)
            else:
                self._dirty.give_back(due.hour)
        return True

    def _of_one_model(self, devices: Sequence[str]) -> Iterator[list[str]]:
        """Yield some devices of one model at a time."""
        models = by_model(self._register, devices)
        models.pop(UNKNOWN.model, None)
        for mine in models.values():
            for start in range(0, len(mine), _DEVICES_AT_ONCE):
                yield mine[start : start + _DEVICES_AT_ONCE]

    def _roll(self, hour_ms: int, devices: Sequence[str]) -> None:
        model = self._register(devices[0]).model
        lines: list[str] = []
        for device, readings in by_device(self._readings, model, devices, hour_ms, HOUR_MS):
            site = self._register(device).site
            tags = f",site={name(site)},device={name(device)},model={name(model)} "
            for suffix, width in ((MINUTES, MINUTE_MS), (HOURS, HOUR_MS)):
                lines += rolled(name(model) + suffix + tags, readings, hour_ms, width)
        self._write(lines)
        self._closing.wait(_BREATH_S)

    def _write(self, lines: Sequence[str]) -> None:
        """Write ``lines``; what the server refuses for good must not hold up other hours."""
        for start in range(0, len(lines), _LINES_AT_ONCE):
            try:
                self._rollups.write("\n".join(lines[start : start + _LINES_AT_ONCE]).encode())
            except (Refused, TooLarge) as error:
                log.error("the server refused roll-ups", extra={"why": str(error)})


def rolled(head: str, readings: Mapping[str, Series], hour_ms: int, width: int) -> list[str]:
    """Return a line per bucket of ``width`` ms of the hour that begins at ``hour_ms``."""
    fields = [f"{name(metric)}_{part}" for metric in readings for part in PARTS]
    rows = [["null"] * len(fields) for _ in range(HOUR_MS // width)]
    for place, series in enumerate(readings.values()):
        window, counts = counted([gist(series)], Buckets(hour_ms, width))
        columns = (window.low, window.high, window.mean, counts.astype(float))
        places = ((window.at_ms - hour_ms) // width).tolist()
        for part, column in enumerate(columns, len(PARTS) * place):
            for row, digits in zip(places, numbers(column.tolist()), strict=True):
                rows[row][part] = digits
    return aggregate_lines(head, fields, ((hour_ms + n * width, r) for n, r in enumerate(rows)))
