"""Builders: a seeded fleet with the noise, the day and the wear that EQUIPMENT describes."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from equipment.catalog import DeviceModel, Metric
from equipment.reading import Batch, Block, Floats
from health.alarm import Alarm
from health.bank import Bank
from health.profile import Profile
from tests.health.given_readings import START_MS

# share of a day's work per hour, of the busiest hour
_LOAD = np.repeat([0.024, 0.286, 1.0, 0.333, 0.405, 0.071], [6, 1, 4, 3, 3, 7])
Wear = Callable[[float], float]  # days since start -> what is added to the healthy value


class _Stream:
    """The metrics of one sampling period on all devices: 60 % white noise, 40 % AR(1)."""

    def __init__(
        self, metrics: Sequence[Metric], every_s: float, devices: int, random: np.random.Generator
    ) -> None:
        self.metrics, self.every_s, self.random = metrics, every_s, random
        self.noise, self.swing, nominal = (
            np.array([getattr(m, name) for m in metrics]) for name in ("noise", "swing", "nominal")
        )
        shape = (devices, len(metrics))
        self.level = nominal + 0.5 * random.normal(size=shape) * self.noise
        self.keep = np.exp(-every_s / random.uniform(1800, 6000, (devices, 1)))
        self.slow = random.normal(size=shape)
        self.phase = random.uniform(0, 0.1, (devices, 1))

    def values(self, day: float) -> Floats:
        fresh = self.random.normal(size=self.slow.shape)
        self.slow = self.keep * self.slow + np.sqrt(1 - self.keep**2) * fresh
        noise = np.sqrt(0.6) * self.random.normal(size=self.slow.shape) + np.sqrt(0.4) * self.slow
        busy = (1.12, 1, 1, 1, 1, 0.4, 0.4)[int(day) % 7] * _LOAD[int(day * 24) % 24]
        swing = 0.7 * np.sin(2 * np.pi * (day + self.phase)) + 0.6 * busy
        healthy: Floats = self.level + self.noise * noise + self.swing * swing
        return healthy


def blocks(
    model: DeviceModel, devices: int, days: float, *, seed: int, wear: Mapping[str, Wear],
    only: Sequence[str] = (), coarse_s: float = 60.0,
) -> Iterator[Block]:  # fmt: skip
    """Yield the fleet's readings in order of time, no metric more often than ``coarse_s``."""
    random = np.random.default_rng(seed)
    names = [f"D{n}" for n in range(devices)]
    wanted = [m for m in model.metrics if not m.counter and m.noise > 0]
    wanted = [m for m in wanted if m.name in only] if only else wanted
    periods = sorted({max(m.every_s, coarse_s) for m in wanted})
    streams = [
        _Stream([m for m in wanted if max(m.every_s, coarse_s) == every], every, devices, random)
        for every in periods
    ]
    for tick in range(round(days * 86_400 / periods[0])):
        at_s = tick * periods[0]
        for stream in streams:
            if at_s % stream.every_s < periods[0]:
                yield _block(stream, names, at_s, wear)


def _block(stream: _Stream, names: list[str], at_s: float, wear: Mapping[str, Wear]) -> Block:
    values = stream.values(at_s / 86400)
    for column, metric in enumerate(stream.metrics):
        if metric.name in wear:
            values[:, column] += wear[metric.name](at_s / 86400)
    count = len(names)
    return Block(
        tuple(m.name for m in stream.metrics), names,
        np.full(count, START_MS + round(at_s * 1000), np.int64), values, ["b"] * count,
        np.zeros(count, np.int64), np.zeros(count, np.int8),
    )  # fmt: skip


def raised(
    profile: Profile, devices: int, days: float, *, seed: int, coarse_s: float = 60.0,
    wear: Mapping[str, Wear] | None = None, only: Sequence[str] = (),
) -> list[tuple[float, Alarm]]:  # fmt: skip
    """Step such a fleet and return (day, alarm) of every alarm that was raised."""
    code = profile.model.code
    bank = Bank({code: profile}, {f"D{n}": code for n in range(devices)})
    fleet = blocks(
        profile.model, devices, days, seed=seed, wear=wear or {}, only=only, coarse_s=coarse_s
    )
    alarms = (alarm for block in fleet for alarm in bank.step(Batch([block])))
    return [(days_of(alarm), alarm) for alarm in alarms if alarm.cleared_at is None]


def days_of(alarm: Alarm) -> float:
    """Days from the fleet's start to the raising of ``alarm``."""
    return (alarm.raised_at.timestamp() * 1000 - START_MS) / 86_400_000


def linear(total: float, days: float, start: float) -> Wear:
    """Wear that begins on day ``start`` and adds ``total`` evenly within ``days``."""
    return lambda day: total * max(0.0, (day - start) / days)


def exponential(total: float, days: float, start: float) -> Wear:
    """Wear that begins on day ``start`` and reaches ``total`` after ``days``, ever faster."""
    return lambda day: total * (np.exp(3 * min(max(0.0, (day - start) / days), 1.2)) - 1) / 19.0855
