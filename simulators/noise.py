"""Randomness without memory: every draw is a pure function of a key and an instant.

So a signal does not depend on where a time range starts or how it is cut, and a simulator that
restarts continues exactly where it stopped. Integer arithmetic and elementwise sums only: the
same bytes on every machine.
"""

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from equipment.reading import Floats, Ints

Keys = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_TAPS = 12
_NODES_PER_TAU = 2
_PHI = math.exp(-1 / _NODES_PER_TAU)
_WEIGHTS = tuple(
    _PHI**tap * math.sqrt((1 - _PHI**2) / (1 - _PHI ** (2 * _TAPS))) for tap in range(_TAPS)
)


def key(*parts: object) -> int:
    """Return the 64-bit key that ``parts`` name."""
    name = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def keys(*names: tuple[object, ...]) -> Keys:
    """Return one key per name."""
    return np.array([key(*name) for name in names], dtype=np.uint64)


def _mixed(words: Keys) -> Keys:
    """Return well-mixed words. Source: the finaliser of SplitMix64."""
    words = (words ^ (words >> np.uint64(30))) * _FIRST
    words = (words ^ (words >> np.uint64(27))) * _SECOND
    mixed: Keys = words ^ (words >> np.uint64(31))
    return mixed


def _hashed(keyed: Keys, ticks: Ints) -> Keys:
    return _mixed(_mixed(ticks.astype(np.uint64) * _GOLDEN) ^ keyed)


def uniform(keyed: Keys, ticks: Ints) -> Floats:
    """Return draws from [0, 1) for every pair of the broadcast ``keyed`` and ``ticks``."""
    draws: Floats = (_hashed(keyed, ticks) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return draws


def gauss(keyed: Keys, ticks: Ints) -> Floats:
    """Return standard normal draws for every pair of the broadcast arguments.

    A sum of eight uniforms, so never beyond 4.9 sigma.
    """
    first = _hashed(keyed, ticks)
    both = np.stack([first, _mixed(first + _GOLDEN)], axis=-1)
    total = both.view(np.uint16).sum(axis=-1, dtype=np.int64)
    draws: Floats = (total - 8 * 32767.5) / (65536.0 * math.sqrt(8 / 12))
    return draws


def wander(keyed: Keys, at_ms: Ints, tau_ms: Ints) -> Floats:
    """Return unit-variance noise (keys, instants) that forgets itself in about ``tau_ms``.

    An AR(1) sequence on a grid of two nodes per ``tau_ms``, cut off after twelve steps so that
    it needs no past, and interpolated between the nodes.
    """
    step = (tau_ms // _NODES_PER_TAU)[:, None]
    node = at_ms[None, :] // step
    share = (at_ms[None, :] - node * step) / step
    first = node.min(axis=1, keepdims=True)
    values = _nodes(keyed, first, int((node - first).max()) + 2)
    left = np.take_along_axis(values, node - first, axis=1)
    right = np.take_along_axis(values, node - first + 1, axis=1)
    spread = np.sqrt((1 - share) ** 2 + share**2 + 2 * share * (1 - share) * _PHI)
    noise: Floats = (left * (1 - share) + right * share) / spread
    return noise


def _nodes(keyed: Keys, first: Ints, count: int) -> Floats:
    shocks = gauss(keyed[:, None], first + np.arange(1 - _TAPS, count))
    total = np.zeros((len(keyed), count))
    for tap, weight in enumerate(_WEIGHTS):
        start = _TAPS - 1 - tap
        total += weight * shocks[:, start : start + count]
    return total
