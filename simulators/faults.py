"""An episode of a failure mode: how far it has come, and what it does to the signals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from equipment.reading import Floats, Ints
from simulators import noise
from simulators.modes import MODES, Effect

_STEEPNESS = 4.0
_CLEANS = 20
_BURST_MS = 1_800_000


@dataclass(frozen=True, slots=True)
class Episode:
    """One failure mode at work in one device, from the first sign until it is repaired.

    It fails ``lead_s`` after ``onset_ms`` and stays failed. ``scale`` multiplies its signature.
    """

    device: str
    mode: str
    onset_ms: int
    lead_s: float
    scale: float = 1.0
    repaired_ms: int | None = None
    healed: bool = False

    @property
    def failure_ms(self) -> int:
        """When it has reached its full signature."""
        return self.onset_ms + int(self.lead_s * 1000)

    def active(self, from_ms: int, to_ms: int) -> bool:
        """Return whether it shows anywhere in [from_ms, to_ms)."""
        return self.onset_ms < to_ms and (self.repaired_ms is None or self.repaired_ms > from_ms)


def _linear(x: Floats) -> Floats:
    return x


def _exponential(x: Floats) -> Floats:
    grown: Floats = np.expm1(_STEEPNESS * x) / np.expm1(_STEEPNESS)
    return grown


def _step(x: Floats) -> Floats:
    return np.ones_like(x)


def _sawtooth(x: Floats) -> Floats:
    """Rise between two cleans, each time a twentieth higher."""
    cycles = x * _CLEANS
    cycle = np.ceil(cycles)
    tooth: Floats = cycle / _CLEANS * (cycles - cycle + 1)
    return tooth


SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "linear": _linear,
    "ramp": _linear,
    "exponential": _exponential,
    "step": _step,
    "sawtooth": _sawtooth,
    "intermittent": _linear,
}


def progress(episode: Episode, at_ms: Ints, begins: float = 0.0) -> Floats:
    """Return how far the episode is at every instant: 0 before its onset, 1 from its failure on.

    Nothing happens in the first ``begins`` share of the lead time.
    """
    start = episode.onset_ms + begins * episode.lead_s * 1000
    lasts = max(1.0, episode.failure_ms - start)
    share: Floats = np.clip((at_ms - start) / lasts, 0.0, 1.0)
    return share


def present(episode: Episode, at_ms: Ints) -> Floats:
    """Return 1.0 where the episode has begun and is not repaired, else 0.0."""
    there = at_ms >= episode.onset_ms
    if episode.repaired_ms is not None:
        there &= at_ms < episode.repaired_ms
    return there.astype(np.float64)


def shift(episode: Episode, effect: Effect, at_ms: Ints) -> Floats:
    """Return what the episode adds to the metric of ``effect`` at every instant."""
    shape = effect.shape or MODES[episode.mode].shape
    share = progress(episode, at_ms, effect.begins)
    grown = _bursts(episode, share, at_ms) if shape == "intermittent" else SHAPES[shape](share)
    added: Floats = episode.scale * effect.delta * grown * present(episode, at_ms)
    return added


def _bursts(episode: Episode, share: Floats, at_ms: Ints) -> Floats:
    """Return 1.0 in half-hours in which it shows, ever more of them, all at failure."""
    keyed = noise.keys(("burst", episode.device, episode.mode, episode.onset_ms))
    return (noise.uniform(keyed, at_ms // _BURST_MS) < share).astype(np.float64)
