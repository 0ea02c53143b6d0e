"""Lateness: how a row came in time, judged by our clock when it comes in."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipment.reading import AHEAD, HISTORICAL, LATE, LIVE, OLD, Codes, Ints

DAY_MS: Final = 86_400_000
_GRACE_MS: Final = 60_000
_JITTER_MS: Final = 15_000


class Tolerance(NamedTuple):
    """How far an instant may be from our clock, in ms: ``window`` and it is live all the same;
    ``jitter`` is by how much the delay of a steady connection varies."""

    window_ms: int
    jitter_ms: int


def tolerance(period_s: float, speed: float = 1.0) -> Tolerance:
    """Return the tolerance for a device that measures every ``period_s``: 2 periods and 60 s.

    A clock that runs ``speed`` times too fast, as in the demo, stretches every delay.
    """
    period_ms = round(min(period_s * 1000, DAY_MS))
    grace_ms, jitter_ms = round(_GRACE_MS * speed), round(_JITTER_MS * speed)
    return Tolerance(min(2 * period_ms + grace_ms, DAY_MS), period_ms + jitter_ms)


class Known(NamedTuple):
    """What is known of the device of each row: aligned arrays, in ms.

    ``watermark_ms`` is the newest instant it has said, ``behind_ms`` by how much its clock is slow.
    """

    window_ms: Ints
    watermark_ms: Ints
    behind_ms: Ints


def lateness(at_ms: Ints, marked: NDArray[np.bool_], now_ms: int, known: Known) -> Codes:
    """Return how each row came: LIVE, LATE, HISTORICAL, AHEAD or OLD.

    ``marked`` are the rows that their device calls history. A slow clock excuses what it explains.
    """
    lag_ms = now_ms - at_ms - known.behind_ms
    codes: Codes = np.full(len(at_ms), LIVE, np.int8)
    codes[(lag_ms > known.window_ms) | (at_ms < known.watermark_ms - known.window_ms)] = LATE
    codes[lag_ms > DAY_MS] = OLD
    codes[marked] = HISTORICAL
    codes[at_ms - now_ms > known.window_ms] = AHEAD
    return codes
