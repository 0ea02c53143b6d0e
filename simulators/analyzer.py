"""The signals of one device as a pure function of event time: seed, device, faults -> values.

A value depends on its own instant only, so a range may be cut anywhere and thinned at will.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from equipment.catalog import MODELS, DeviceModel, Metric
from equipment.reading import Floats, Ints
from simulators import noise
from simulators.faults import Episode, shift
from simulators.modes import MODES
from simulators.workload import DAY_MS, TESTS_PER_DAY, Workload, day_number, warmth

Row = tuple[int, dict[str, float]]

_WHITE, _SLOW = math.sqrt(0.6), math.sqrt(0.4)
_TAU_MS = (30 * 60_000, 100 * 60_000)
_OFFSET = 0.5
_STARTUP_MS = 23 * 3_600_000  # 07:00 in China: calibration and background counts
_WARMED = frozenset({"cabinet", "reagent_cooler", "compressor", "condenser"})
_WHOLE = frozenset({"{step}", "{test}", "{count}", "s"})

_LAMP_CHANGED_H = 850
_LICENCE_DAYS, _RENEWED_DAYS = 180, 160
_TESTS_PER_CAN = 900
_WASHES_PER_TEST = 2.4
_OPENINGS, _LONGEST_OPENING_S = 0.02, 45


@dataclass(frozen=True, slots=True)
class Frame:
    """Values of metrics that share a period: ``values`` is (instants, metrics), rounded."""

    metrics: tuple[str, ...]
    at_ms: Ints
    values: Floats


class Analyzer:
    """A device that is not there. Equal arguments make equal devices."""

    def __init__(self, seed: int, device: str, model: DeviceModel) -> None:
        self.device = device
        self.model = model
        self.key = noise.key(seed, device)
        self.phase_ms = self.key % 10_000
        volume = 0.7 + 0.6 * self.luck("volume")
        self.workload = Workload(
            TESTS_PER_DAY.get(model.code, 0) * volume, noise.key(seed, device, "workload")
        )
        self._panels: dict[float, list[_Panel]] = {}

    def luck(self, name: str) -> float:
        """Return a constant of this device in [0, 1)."""
        return noise.key(self.key, name) / 2**64

    def frames(
        self, from_ms: int, to_ms: int, episodes: Sequence[Episode] = (), thin_s: float = 0.0
    ) -> Iterator[Frame]:
        """Yield all values due in [from_ms, to_ms), one frame per sampling period.

        With ``thin_s``, periods are at least that long; it should be a multiple of a minute.
        """
        for panel in self._panels_of(thin_s):
            at_ms = panel.instants(from_ms, to_ms)
            if len(at_ms):
                yield Frame(panel.names, at_ms, panel.values(at_ms, episodes))

    def rows(
        self, from_ms: int, to_ms: int, episodes: Sequence[Episode] = (), thin_s: float = 0.0
    ) -> list[Row]:
        """Return all values due in [from_ms, to_ms) by instant, as a batch message carries them."""
        by_instant: dict[int, dict[str, float]] = {}
        for frame in self.frames(from_ms, to_ms, episodes, thin_s):
            for at_ms, values in zip(frame.at_ms.tolist(), frame.values.tolist(), strict=True):
                read = dict(zip(frame.metrics, values, strict=True))
                by_instant.setdefault(at_ms, {}).update(read)
        return sorted(by_instant.items())

    def shortest_period_s(self, thin_s: float = 0.0) -> float:
        """Return the time between two rows."""
        return min(panel.period_ms for panel in self._panels_of(thin_s)) / 1000

    def _panels_of(self, thin_s: float) -> list["_Panel"]:
        if thin_s not in self._panels:
            groups: dict[float, list[Metric]] = {}
            for metric in self.model.metrics:
                groups.setdefault(max(metric.every_s, thin_s), []).append(metric)
            self._panels[thin_s] = [
                _Panel(self, round(every_s * 1000), tuple(group))
                for every_s, group in groups.items()
            ]
        return self._panels[thin_s]


class _Panel:
    """The metrics of one device that share a period, as columns of one array."""

    def __init__(self, owner: Analyzer, period_ms: int, metrics: tuple[Metric, ...]) -> None:
        self.owner = owner
        self.period_ms = period_ms
        self.names = tuple(metric.name for metric in metrics)
        self.metrics = metrics
        self._phase_ms = owner.phase_ms + (_STARTUP_MS if period_ms >= DAY_MS else 0)
        self._white = noise.keys(*((owner.key, name, "white") for name in self.names))
        self._slow = noise.keys(*((owner.key, name, "slow") for name in self.names))
        self._sigma = np.array([metric.noise for metric in metrics])[:, None]
        self._level = np.array([_level(owner, metric) for metric in metrics])[:, None]
        self._warm = np.array([m.swing * (m.component in _WARMED) for m in metrics])[:, None]
        self._busy = np.array([_pull(metric) for metric in metrics])[:, None]
        self._floor = np.array([_floor(metric) for metric in metrics])[:, None]
        self._digits = [_digits(metric) for metric in metrics]
        self._tau_ms = _taus(owner, self.names)

    def instants(self, from_ms: int, to_ms: int) -> Ints:
        """Return the instants in [from_ms, to_ms) at which these metrics are due."""
        first = -((self._phase_ms - from_ms) // self.period_ms)
        last = -((self._phase_ms - to_ms) // self.period_ms)
        return np.arange(first, last, dtype=np.int64) * self.period_ms + self._phase_ms

    def values(self, at_ms: Ints, episodes: Sequence[Episode]) -> Floats:
        """Return (instants, metrics)."""
        values = self._healthy(at_ms)
        for row, metric in enumerate(self.metrics):
            special = SPECIAL.get(metric.name)
            if special is not None:
                values[row] = special(self.owner, at_ms, episodes)
        self._spoil(values, at_ms, episodes)
        return _rounded(np.maximum(values, self._floor), self._digits)

    def _spoil(self, values: Floats, at_ms: Ints, episodes: Sequence[Episode]) -> None:
        """Add to ``values`` what the episodes do to them."""
        first, last = int(at_ms[0]), int(at_ms[-1])
        for episode in episodes:
            if episode.active(first, last + 1):
                for effect in MODES[episode.mode].effects:
                    if effect.metric in self.names:
                        values[self.names.index(effect.metric)] += shift(episode, effect, at_ms)

    def _healthy(self, at_ms: Ints) -> Floats:
        white = noise.gauss(self._white[:, None], at_ms[None, :])
        slow = noise.wander(self._slow, at_ms, self._tau_ms)
        values: Floats = self._level + self._sigma * (_WHITE * white + _SLOW * slow)
        values += self._warm * warmth(at_ms) + self._busy * self.owner.workload.busyness(at_ms)
        return values


def _taus(owner: Analyzer, names: Sequence[str]) -> Ints:
    shortest, longest = _TAU_MS
    lucks = [owner.luck(f"{name}/tau") for name in names]
    return np.array([round(shortest + (longest - shortest) * luck) for luck in lucks])


def _level(owner: Analyzer, metric: Metric) -> float:
    """Devices of one model differ a little."""
    return metric.nominal + metric.noise * _OFFSET * (2 * owner.luck(metric.name) - 1)


def _pull(metric: Metric) -> float:
    """Work pulls a metric down where only a low value is bad, else up."""
    if metric.component in _WARMED:
        return 0.0
    low, high = metric.warn
    return -metric.swing if low is not None and high is None else metric.swing


def _floor(metric: Metric) -> float:
    """What counts or measures an amount is never negative."""
    signed = metric.nominal < 0 or (metric.warn[0] is not None and metric.warn[0] < 0)
    return -math.inf if signed else 0.0


def _digits(metric: Metric) -> int:
    """Return the decimals an instrument would show: about half a sigma."""
    if metric.noise == 0 or metric.unit in _WHOLE:
        return 0
    return max(0, math.ceil(-math.log10(metric.noise / 2)))


def _rounded(values: Floats, digits: Sequence[int]) -> Floats:
    scale = np.array([10.0**digit for digit in digits])[:, None]
    rounded: Floats = np.rint(values * scale) / scale + 0.0
    return rounded.T


Special = Callable[[Analyzer, Ints, Sequence[Episode]], Floats]


def _tests(owner: Analyzer, at_ms: Ints, _: Sequence[Episode]) -> Floats:
    return np.floor(owner.workload.done(at_ms))


def _washes(owner: Analyzer, at_ms: Ints, _: Sequence[Episode]) -> Floats:
    return np.floor(owner.workload.done(at_ms) * _WASHES_PER_TEST)


def _lamp_hours(owner: Analyzer, at_ms: Ints, episodes: Sequence[Episode]) -> Floats:
    """The lamp is changed in good time, and counts anew whenever it is replaced."""
    hours = at_ms / 3_600_000 + owner.luck("lamp") * _LAMP_CHANGED_H
    for changed_ms in _changes(episodes, "lamp_on_time"):
        hours = np.where(at_ms >= changed_ms, (at_ms - changed_ms) / 3_600_000, hours)
    lit: Floats = np.floor(hours % _LAMP_CHANGED_H)
    return lit


def _changes(episodes: Sequence[Episode], counter: str) -> list[int]:
    """Return the instants, in order, at which a repair set ``counter`` to zero."""
    return sorted(
        episode.repaired_ms
        for episode in episodes
        if episode.repaired_ms is not None and counter in MODES[episode.mode].resets
    )


def _diluent(owner: Analyzer, at_ms: Ints, _: Sequence[Episode]) -> Floats:
    """A can empties with the work and is changed at a fifth."""
    used = owner.workload.done(at_ms) / _TESTS_PER_CAN + owner.luck("can")
    level: Floats = 100 - 80 * (used % 1.0)
    return level


def _software_days(owner: Analyzer, at_ms: Ints, _: Sequence[Episode]) -> Floats:
    """Software has a life of half a year and is renewed in good time."""
    age = day_number(at_ms) + int(owner.luck("software") * _RENEWED_DAYS)
    left: Floats = (_LICENCE_DAYS - age % _RENEWED_DAYS).astype(np.float64)
    return left


def _door_open(owner: Analyzer, at_ms: Ints, _: Sequence[Episode]) -> Floats:
    keyed = noise.keys((owner.key, "door"), (owner.key, "door", "how long"))
    opened, length = noise.uniform(keyed[:, None], at_ms[None, :] // 60_000)
    open_s: Floats = np.where(opened < _OPENINGS, 3 + length * (_LONGEST_OPENING_S - 3), 0.0)
    return open_s


def _never(owner: Analyzer, at_ms: Ints, _: Sequence[Episode]) -> Floats:
    return np.zeros(len(at_ms))


SPECIAL: dict[str, Special] = {
    "tests_total": _tests,
    "cbc_total": _tests,
    "cartridges_total": _tests,
    "washes_total": _washes,
    "lamp_on_time": _lamp_hours,
    "diluent_level": _diluent,
    "software_days_left": _software_days,
    "door_open": _door_open,
    "sim_check_failures": _never,
}


def analyzer(seed: int, device: str, model: str) -> Analyzer:
    """Return the analyser ``device`` of the catalogue's ``model``."""
    return Analyzer(seed, device, MODELS[model])
