"""What a device says now and then: control results, error codes, maintenance that was done."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from equipment.wire import Event, Maint, Message, Qc
from simulators import noise
from simulators.analyzer import Analyzer
from simulators.faults import Episode, present, progress
from simulators.modes import MODES, Signal
from simulators.workload import DAY_MS

_HOUR_MS = 3_600_000
_CONTROLS_MS = (23 * _HOUR_MS + 1_800_000, 6 * _HOUR_MS)  # 07:30 and 14:00 in China


class Control(NamedTuple):
    """One control material: what it is made to read, and how far it may scatter."""

    assay: str
    level: int
    unit: str
    mean: float
    sd: float


CONTROLS: dict[str, tuple[Control, ...]] = {
    "CHEM": (Control("GLU", 1, "mmol/L", 5.4, 0.08), Control("GLU", 2, "mmol/L", 15.2, 0.25)),
    "IMMU": (Control("TSH", 1, "m[IU]/L", 0.42, 0.02), Control("TSH", 2, "m[IU]/L", 5.8, 0.22)),
    "HEMA": (Control("WBC", 1, "10*9/L", 3.1, 0.09), Control("WBC", 2, "10*9/L", 7.6, 0.17)),
}


class Occasion(NamedTuple):
    """A message of ``kind`` at an instant; sequence and boot are the sender's to fill in."""

    at_ms: int
    kind: str
    message: Message


def occasions(
    analyzer: Analyzer, from_ms: int, to_ms: int, episodes: Sequence[Episode], boot: str
) -> list[Occasion]:
    """Return control results and errors of [from_ms, to_ms), in order, with sequence 0."""
    said = [
        *_controls(analyzer, from_ms, to_ms, episodes, boot),
        *_errors(analyzer, from_ms, to_ms, episodes, boot),
    ]
    return sorted(said, key=lambda occasion: occasion.at_ms)


def _controls(
    analyzer: Analyzer, from_ms: int, to_ms: int, episodes: Sequence[Episode], boot: str
) -> Iterator[Occasion]:
    for at_ms in _due(analyzer, from_ms, to_ms):
        bias, spread = _quality(episodes, at_ms)
        for control in CONTROLS.get(analyzer.model.code, ()):
            keyed = noise.keys((analyzer.key, "qc", control.assay, control.level))
            z = bias + spread * float(noise.gauss(keyed, np.array([at_ms]))[0])
            value = round(control.mean + z * control.sd, 3)
            qc = Qc(
                boot, 0, at_ms, control.assay, control.level, value, control.unit,
                control.mean, control.sd, "SIM-1",
            )  # fmt: skip
            yield Occasion(at_ms, "qc", qc)


def _due(analyzer: Analyzer, from_ms: int, to_ms: int) -> list[int]:
    days = range(from_ms // DAY_MS - 1, to_ms // DAY_MS + 1)
    instants = (
        day * DAY_MS + of_day + analyzer.phase_ms for day in days for of_day in _CONTROLS_MS
    )
    return [at_ms for at_ms in instants if from_ms <= at_ms < to_ms]


def _quality(episodes: Sequence[Episode], at_ms: int) -> tuple[float, float]:
    """Return bias (SD) and spread (factor) of control results."""
    bias, spread, at = 0.0, 1.0, np.array([at_ms])
    for episode in episodes:
        mode = MODES[episode.mode]
        share = float((progress(episode, at) * present(episode, at))[0]) * episode.scale
        bias += mode.qc_bias * share
        spread *= 1 + (mode.qc_spread - 1) * share
    return bias, spread


def _errors(
    analyzer: Analyzer, from_ms: int, to_ms: int, episodes: Sequence[Episode], boot: str
) -> Iterator[Occasion]:
    """Yield at most one error of a kind per hour, at a drawn instant of it."""
    for episode in (one for one in episodes if one.active(from_ms, to_ms)):
        for signal in MODES[episode.mode].signals:
            for at_ms in _error_instants(analyzer, from_ms, to_ms, episode, signal):
                yield Occasion(at_ms, "event", Event(boot, 0, at_ms, signal.code, signal.severity))


def _error_instants(
    analyzer: Analyzer, from_ms: int, to_ms: int, episode: Episode, signal: Signal
) -> list[int]:
    hours = np.arange(from_ms // _HOUR_MS, to_ms // _HOUR_MS + 1)
    keyed = noise.keys(*((analyzer.key, signal.code, what) for what in ("happens", "when")))
    happens, when = noise.uniform(keyed[:, None], hours[None, :])
    at_ms = hours * _HOUR_MS + (when * _HOUR_MS).astype(np.int64)
    share = progress(episode, at_ms) * present(episode, at_ms) * episode.scale
    wanted = (happens < signal.per_day / 24 * share) & (at_ms >= from_ms) & (at_ms < to_ms)
    instants: list[int] = at_ms[wanted].tolist()
    return instants


def repairs(episodes: Sequence[Episode], from_ms: int, to_ms: int) -> list[Episode]:
    """Return the episodes that a person repaired in [from_ms, to_ms)."""
    return [
        episode
        for episode in episodes
        if episode.repaired_ms is not None
        and from_ms <= episode.repaired_ms < to_ms
        and not episode.healed
    ]


def maintenance(episode: Episode, boot: str) -> Occasion:
    """Return the record of the repair of ``episode``."""
    mode, at_ms = MODES[episode.mode], episode.repaired_ms or 0
    maint = Maint(boot, 0, at_ms, "repair", mode.component, list(mode.resets))
    return Occasion(at_ms, "maint", maint)
