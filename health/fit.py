"""Fit: the line, or the ever steeper curve, that explains points best; many series at once."""

from typing import NamedTuple

import numpy as np

from equipment.reading import Floats, Ints
from health.table import Flags

FEWEST = 10  # points a line is drawn through
_FEWEST_CURVED = 16
_CURVED = 4.0  # standard errors of the bend before it is believed
_STEEPEST = 2.5  # growth over the span of the points, at most


class Fit(NamedTuple):
    """Per row, at x = 0: level, slope with its standard error, and growth, slope'/slope.

    ``covers`` is how far back the points reach; ``steady`` is False where a single jump between
    two levels explains the points better. The error is infinite for too few points.
    Growth is 0 for a line.
    """

    points: Ints
    covers: Floats
    level: Floats
    slope: Floats
    error: Floats
    growth: Floats
    steady: Flags


class _Sums(NamedTuple):
    """Points centred on their mean; ``rest`` is what the line leaves."""

    points: Ints
    x0: Floats
    dx: Floats
    slope: Floats
    sxx: Floats
    rest: Floats


def fit(x: Floats, y: Floats, used: Flags) -> Fit:
    """Least squares per row over the ``used`` points; x is 0 now and negative before.

    The error is widened for residuals that resemble their neighbours, as slow noise does.
    """
    count = used.sum(axis=1)
    n = np.maximum(count, 1)
    x0, y0 = (np.where(used, v, 0.0).sum(axis=1) / n for v in (x, y))
    dx, dy = (np.where(used, v - v0[:, None], 0.0) for v, v0 in ((x, x0), (y, y0)))
    sxx = np.maximum((dx * dx).sum(axis=1), 1e-9)
    slope = (dx * dy).sum(axis=1) / sxx
    rest = np.where(used, dy - slope[:, None] * dx, 0.0)
    sums = _Sums(count, x0, dx, slope, sxx, rest)
    error, squares = _error(rest, count, 1 / sxx)
    tiny = 1e-9 * (np.abs(y0) + 1e-3) / np.sqrt(sxx)
    covers = np.where(used, -x, 0.0).max(axis=1)
    error = np.where(count >= FEWEST, np.maximum(error, tiny), np.inf)
    line = Fit(count, covers, y0 - slope * x0, slope, error, np.zeros(len(x)), squares >= 0)
    best, left = _bent(line, squares, sums, used)
    return best._replace(steady=left <= _jump(dy, used))


def _bent(line: Fit, squares: Floats, sums: _Sums, used: Flags) -> tuple[Fit, Floats]:
    """Replace lines by parabolas where these are surely better and grow steeper towards now."""
    n, dx = np.maximum(sums.points, 1), sums.dx
    skew = (dx**3).sum(axis=1) / sums.sxx
    bend = np.where(used, dx * dx - (sums.sxx / n)[:, None] - skew[:, None] * dx, 0.0)
    size = np.maximum((bend * bend).sum(axis=1), 1e-9)
    curve = (bend * sums.rest).sum(axis=1) / size
    rest = sums.rest - curve[:, None] * bend
    bend_error, left = _error(rest, sums.points, 1 / size)
    lean = -2 * sums.x0 - skew  # the slope now is the line's and this much of the curve
    slope = sums.slope + curve * lean
    now = sums.x0 * sums.x0 - sums.sxx / n + skew * sums.x0
    taken = (
        (sums.points >= _FEWEST_CURVED)
        & (np.abs(curve) > _CURVED * bend_error)
        & (curve * slope > 0)
        & (slope * line.slope > 0)
    )
    error, _ = _error(rest, sums.points, 1 / sums.sxx + lean * lean / size)
    growth = 2 * curve / np.where(slope == 0, 1.0, slope)
    growth = np.minimum(growth, _STEEPEST / np.maximum(line.covers, 1e-9))
    bent = (line.level + curve * now, slope, np.maximum(error, 1e-30), growth)
    old = (line.level, line.slope, line.error, line.growth)
    level, slope, error, growth = (np.where(taken, b, a) for b, a in zip(bent, old, strict=True))
    best = line._replace(level=level, slope=slope, error=error, growth=growth)
    return best, np.where(taken, left, squares)


def without_day(x: Floats, y: Floats, used: Flags, phase: Floats) -> Floats:
    """Return the points without what repeats daily: two harmonics, fitted beside a parabola.

    ``phase`` is the time of day of each point, in radians. Points that are all of one time of day
    are left as they are.
    """
    scale = np.maximum(np.abs(x).max(axis=1, keepdims=True), 1e-9)
    z = x / scale
    n = np.maximum(used.sum(axis=1, keepdims=True), 1)
    waves = [f(k * phase) for k in (1, 2) for f in (np.sin, np.cos)]
    waves = [w - np.where(used, w, 0.0).sum(axis=1, keepdims=True) / n for w in waves]
    terms = np.stack([*waves, np.ones_like(z), z, z * z], axis=2) * used[:, :, None]
    square = np.einsum("rpi,rpj->rij", terms, terms) + 1e-6 * np.eye(terms.shape[2])
    weights = np.linalg.solve(square, np.einsum("rpi,rp->ri", terms, y)[:, :, None])
    daily = np.einsum("rpi,ri->rp", terms[:, :, :4], weights[:, :4, 0])
    rest: Floats = y - daily
    return rest


def _error(rest: Floats, count: Ints, per_variance: Floats) -> tuple[Floats, Floats]:
    """Return the standard error of a coefficient, and the squares that are left."""
    squares = (rest * rest).sum(axis=1)
    alike = (rest[:, 1:] * rest[:, :-1]).sum(axis=1) / np.maximum(squares, 1e-30)
    alike = np.clip(alike + 4.0 / np.maximum(count, 1), 0.0, 0.9)
    variance = squares / np.maximum(count - 2, 1) * per_variance
    return np.sqrt(variance * (1 + alike) / (1 - alike)), squares


def _jump(dy: Floats, used: Flags) -> Floats:
    """Return the squares left by the best single jump between two levels, per row."""
    left_n, left = np.cumsum(used, axis=1), np.cumsum(dy, axis=1)
    right_n: Ints = left_n[:, -1:] - left_n
    gained = left**2 / np.maximum(left_n, 1) + left**2 / np.maximum(right_n, 1)
    split = (left_n >= 2) & (right_n >= 2)
    squares: Floats = (dy * dy).sum(axis=1) - np.where(split, gained, 0.0).max(axis=1)
    return squares


def crossing(room: Floats, slope: Floats, growth: Floats) -> Floats:
    """Return the time to cross ``room``: 0 for none left, inf when not moving towards it.

    With slope s growing at rate k the way covered in time T is s (exp(kT) - 1) / k.
    """
    moving = slope > 0
    straight = room / np.where(moving, slope, 1.0)
    bends = growth > 0
    bent = np.log1p(growth * straight) / np.where(bends, growth, 1.0)
    time: Floats = np.where(moving, np.where(bends, bent, straight), np.inf)
    return np.where(room == 0, 0.0, time)
