"""For: a condition must hold through covered event time before it raises, or clears."""

from typing import NamedTuple

import numpy as np

from equipment.reading import Floats
from health.parameter import Parameter, duration
from health.table import Flags, Picks, Table

HOLDING = (Parameter("for", duration, 0.0), Parameter("keep", duration, 0.0))


class Turned(NamedTuple):
    """Which of the seats just asked about raised an alarm, and which cleared theirs."""

    raised: Flags
    cleared: Flags


class Hold:
    """A stop-watch per seat. It counts covered time only: through a gap it stands still.

    Not alarming, it starts when the condition is ``up`` and is put back when it is ``down``.
    Alarming, it starts when the condition is ``down`` and is put back when it no longer is.
    """

    def __init__(self) -> None:
        self.state = Table([("active", "?"), ("counting", "?"), ("held_ms", "f8")])

    def busy(self, seats: Picks) -> Flags:
        """Return which seats alarm or are about to."""
        rows = self.state.rows.take(seats)
        busy: Flags = rows["active"] | rows["counting"]
        return busy

    def step(
        self,
        seats: Picks,
        up: Flags,
        down: Flags,
        *,
        covered_ms: Floats,
        raise_ms: Floats,
        keep_ms: Floats,
    ) -> Turned:  # fmt: skip
        """Take in one condition per seat; no seat twice. ``covered_ms`` is since the last one."""
        rows = self.state.rows.take(seats)
        active, counting = rows["active"], rows["counting"]
        going = np.where(active, down, up | (counting & ~down))
        held = np.where(going & counting, rows["held_ms"] + covered_ms, 0.0)
        raised = ~active & going & up & (held >= raise_ms)
        cleared = active & going & (held >= keep_ms)
        turned = raised | cleared
        rows["active"] = active ^ turned
        rows["counting"] = going & ~turned
        rows["held_ms"] = np.where(turned, 0.0, held)
        self.state.rows.put(seats, rows)
        return Turned(raised, cleared)

    def release(self, seats: Picks) -> Flags:
        """Put the seats back to not alarming; return which of them were alarming."""
        active: Flags = self.state.rows.take(seats)["active"]
        self.state.rows.put(seats, np.zeros(1, self.state.rows.dtype))
        return active
