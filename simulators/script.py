"""Which device gets which fault when: drawn from a seed, listed, or injected while it runs."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from equipment.device import Device
from simulators import noise
from simulators.faults import Episode
from simulators.instants import at_of, ms_of
from simulators.modes import MODES, Mode
from simulators.workload import FIRST_DAY

FAILURES_PER_YEAR: dict[str, float] = {
    "CHEM": 5.0, "IMMU": 5.0, "HEMA": 4.0, "POCT": 0.3, "ULTF": 0.2,
}  # fmt: skip
_WEAR_OUT = 1.5
_YEAR_S = 365.25 * 86400
_REPAIR_S = (2 * 3600.0, 30 * 3600.0)


class UnknownFault(ValueError):
    """A fault that this device cannot have; the text names both."""


class Script:
    """The faults of a fleet, as a list of episodes. Safe to use from several threads."""

    def __init__(self, devices: Iterable[Device], episodes: Iterable[Episode] = ()) -> None:
        self._models = {device.id: device.model for device in devices}
        self._lock = Lock()
        self._episodes: dict[str, tuple[Episode, ...]] = dict.fromkeys(self._models, ())
        for episode in episodes:
            self._add(episode)

    def episodes(self, device: str) -> tuple[Episode, ...]:
        """Return the episodes of ``device``; none if it is not a simulated one."""
        return self._episodes.get(device, ())

    def __iter__(self) -> Iterator[Episode]:
        return (episode for episodes in list(self._episodes.values()) for episode in episodes)

    def inject(
        self,
        device: str,
        mode: str,
        at: datetime,
        *,
        lead: timedelta | None = None,
        scale: float = 1.0,
    ) -> Episode:
        """Let ``mode`` begin in ``device`` at ``at``, to fail after ``lead``; return the episode.

        Without ``lead`` the mode's own interval is used. Raises UnknownFault.
        """
        onset_ms = ms_of(at)
        if mode not in MODES:
            raise UnknownFault(f"mode {mode!r} is none of {', '.join(MODES)}")
        seconds = _lead_s(device, MODES[mode], onset_ms) if lead is None else lead.total_seconds()
        episode = Episode(device, mode, onset_ms, seconds, scale)
        self._add(episode)
        return episode

    def repair(self, device: str, what: str, at: datetime) -> tuple[Episode, ...]:
        """End all that is wrong with ``what``, a component or a mode; return what was repaired."""
        at_ms = ms_of(at)
        with self._lock:
            before = self.episodes(device)
            after = tuple(_repaired(episode, what, at_ms) for episode in before)
            if before:
                self._episodes[device] = after
        return tuple(new for old, new in zip(before, after, strict=True) if old is not new)

    def _add(self, episode: Episode) -> None:
        model = self._models.get(episode.device)
        if model != MODES[episode.mode].model:
            raise UnknownFault(
                f"mode {episode.mode!r} is one of {MODES[episode.mode].model}, "
                f"device {episode.device!r} is {model or 'unknown'}"
            )
        with self._lock:
            self._episodes[episode.device] += (episode,)


def _repaired(episode: Episode, what: str, at_ms: int) -> Episode:
    mode = MODES[episode.mode]
    if what not in (mode.id, mode.component) or not episode.active(at_ms, at_ms + 1):
        return episode
    return replace(episode, repaired_ms=at_ms, healed=False)


def drawn(
    seed: int,
    devices: Iterable[Device],
    start: datetime,
    end: datetime,
    *,
    often: float = 1.0,
    repaired: bool = True,
) -> list[Episode]:
    """Return the episodes that show in [start, end), each repaired some hours after its failure.

    ``often`` multiplies the failures per year. Without ``repaired`` they wait for somebody to
    repair them. The same seed always tells the same story, whatever the window.
    """
    from_ms, to_ms = ms_of(start), ms_of(end)
    showing = [
        episode
        for device in devices
        for episode in _life(seed, device, to_ms, often)
        if episode.active(from_ms, to_ms)
    ]
    return [e if repaired or e.healed else replace(e, repaired_ms=None) for e in showing]


def _life(seed: int, device: Device, to_ms: int, often: float) -> Iterator[Episode]:
    """Yield the failures of ``device``, one after the other, with Weibull gaps (wear-out)."""
    modes = [mode for mode in MODES.values() if mode.model == device.model]
    mean_s = _YEAR_S / (FAILURES_PER_YEAR[device.model] * often)
    keyed = noise.keys(*((seed, device.id, what) for what in ("gap", "mode", "repair", "heal")))
    now_ms = ms_of(FIRST_DAY)
    for turn in range(1_000_000):
        gap, which, repair, heal = noise.uniform(keyed, np.array([turn] * 4)).tolist()
        now_ms += int(1000 * mean_s * _weibull(gap))
        if now_ms >= to_ms:
            return
        mode = _picked(modes, which)
        episode = _spent(Episode(device.id, mode.id, now_ms, 0.0), mode, repair, heal)
        now_ms = episode.repaired_ms or now_ms
        yield episode


def _weibull(luck: float) -> float:
    """Return a Weibull gap of mean 1."""
    return math.pow(-math.log1p(-luck), 1 / _WEAR_OUT) / math.gamma(1 + 1 / _WEAR_OUT)


def _picked(modes: list[Mode], luck: float) -> Mode:
    left = luck * sum(mode.share for mode in modes)
    for mode in modes:
        left -= mode.share
        if left < 0:
            return mode
    return modes[-1]


def _spent(episode: Episode, mode: Mode, repair: float, heal: float) -> Episode:
    """Return ``episode`` with its end: it heals on the way, or is repaired after its failure."""
    lead_s = _lead_s(episode.device, mode, episode.onset_ms)
    if heal < mode.heals:
        healed_ms = episode.onset_ms + int(1000 * lead_s * (0.2 + 0.6 * repair))
        return replace(episode, lead_s=lead_s, repaired_ms=healed_ms, healed=True)
    soonest, latest = _REPAIR_S
    after_s = lead_s + soonest + (latest - soonest) * repair
    return replace(episode, lead_s=lead_s, repaired_ms=episode.onset_ms + int(1000 * after_s))


def _lead_s(device: str, mode: Mode, onset_ms: int) -> float:
    shortest, longest = mode.lead_s
    return shortest + (longest - shortest) * noise.key("lead", device, mode.id, onset_ms) / 2**64


def label(episode: Episode) -> Mapping[str, Any]:
    """Return the truth about an episode, as one JSON object."""
    mode = MODES[episode.mode]
    return {
        "device": episode.device,
        "mode": mode.id,
        "component": mode.component,
        "title": mode.title._asdict(),
        "onset": at_of(episode.onset_ms).isoformat(),
        "failure": at_of(episode.failure_ms).isoformat(),
        "repaired_at": at_of(episode.repaired_ms).isoformat() if episode.repaired_ms else None,
        "healed": episode.healed,
        "signature": {effect.metric: effect.delta * episode.scale for effect in mode.effects},
    }


def write_labels(script: Script, path: Path) -> int:
    """Write one JSON line per episode to ``path``, oldest first; return how many."""
    episodes = sorted(script, key=lambda episode: (episode.onset_ms, episode.device))
    lines = [json.dumps(label(episode), ensure_ascii=False) + "\n" for episode in episodes]
    path.write_text("".join(lines), encoding="utf-8")
    return len(lines)
