"""Bank: steps many series at once: state in arrays, one row per series.

The same readings, each device's in order of time, give the same alarms however they are batched
and wherever the bank was stopped and restored.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from equipment.catalog import Metric
from equipment.reading import Batch, Note
from health.alarm import Alarm
from health.evidence import alarm_of, cleared
from health.passes import Places, Rows, before, passes, rows_of
from health.profile import Profile, RuleRow
from health.recent import Recent
from health.rules import RULES
from health.rules.rule import Fed, Rule
from health.seats import Seats
from health.series import Buckets, Readings, Series
from health.snapshot import Extent, pack, unpack
from health.table import Picks, Table


class _Device(NamedTuple):
    """A device in the bank: its profile, and where its rows begin in each table."""

    id: str
    profile: Profile
    extent: Extent

    @property
    def key(self) -> tuple[str, str, str]:
        """What must be the same for its state to be of use."""
        return self.id, self.profile.model.code, self.profile.digest


class Bank:
    """All rules on all series of many devices."""

    def __init__(self, profiles: Mapping[str, Profile], models: Mapping[str, str]) -> None:
        """``profiles`` is by model code, ``models`` gives the model code of each device id."""
        self._profiles = dict(profiles)
        self._places = Places()
        self._devices: list[_Device] = []
        self._series, self._recent = Series(), Recent()
        self._owner: list[tuple[int, Metric]] = []
        self._rules: list[tuple[Rule, Seats]] = [(rule(), Seats()) for rule in RULES]
        self._active: dict[tuple[int, int], Alarm] = {}
        for device, model in models.items():
            self.add(device, model)

    @property
    def not_newer(self) -> int:
        """How many readings the rules ignored: not newer than the newest of their series."""
        return self._series.not_newer

    def active(self) -> list[Alarm]:
        """Return the alarms that are raised and not cleared, oldest first."""
        return sorted(self._active.values(), key=lambda alarm: (alarm.raised_at, alarm.id))

    def add(self, device: str, model: str) -> None:
        """Watch one more device, afresh if it was of another model until now.

        A device that is there as such, or a model without profile, is left.
        """
        profile = self._profiles.get(model)
        known = self._places.number.get(device)
        if profile is None or (
            known is not None and self._devices[known].profile.model.code == model
        ):
            return
        first = len(self._series.state)
        seats = tuple(len(seats.rows) for _, seats in self._rules)
        self._places.add(device, profile.model, first)
        for metric in profile.model.metrics:
            every_ms = round(metric.every_s * 1000)
            self._series.add(profile.step_ms(metric), every_ms, profile.gap_ms)
            self._recent.state.add()
            self._owner.append((len(self._devices), metric))
        offsets = {metric.name: place for place, metric in enumerate(profile.model.metrics)}
        for row in profile.rules:
            self._seat(row.kind, row, first + offsets[row.metric])
        counts = tuple(
            len(seats.rows) - n for (_, seats), n in zip(self._rules, seats, strict=True)
        )
        extent = Extent((first, *seats), (len(profile.model.metrics), *counts))
        self._devices.append(_Device(device, profile, extent))

    def _seat(self, kind: str, row: RuleRow, series: int) -> None:
        rule, seats = next(pair for pair in self._rules if pair[0].kind == kind)
        rule.seat(row.parameters)
        seats.add(row, series)
        self._series.narrow(series, *rule.loud(row.parameters))

    def step(self, batch: Batch) -> list[Alarm]:
        """Take in a batch and return the alarms it raised and cleared, in order of event time."""
        alarms: list[Alarm] = []
        parts = rows_of(batch.blocks, self._places)
        for note in self._maintenance(batch.notes):
            device = self._places.number[note.device]
            pairs = [before(part, device, note.at_ms) for part in parts]
            alarms += self._read([early for early, _ in pairs])
            parts = [rest for _, rest in pairs]
            alarms += self._maintain(note)
        alarms += self._read(parts)
        return sorted(
            alarms, key=lambda a: (a.cleared_at or a.raised_at, a.id, a.cleared_at is None)
        )

    def _maintenance(self, notes: Sequence[Note]) -> list[Note]:
        known = (n for n in notes if n.kind == "maint" and n.device in self._places.number)
        return sorted(known, key=lambda note: note.at_ms)

    def _maintain(self, note: Note) -> Iterator[Alarm]:
        """Mute the device a while; what was serviced starts a new baseline segment."""
        device = self._devices[self._places.number[note.device]]
        span = self._places.series(note.device)
        self._series.mute(np.arange(span.start, span.stop), note.at_ms + device.profile.mute_ms)
        component, resets = note.body.get("component"), note.body.get("resets") or ()
        serviced = np.array(
            [
                number
                for number, metric in zip(span, device.profile.model.metrics, strict=True)
                if metric.component == component or metric.name in resets
            ],
            np.int64,
        )
        self._series.forget(serviced)
        for number, (rule, seats) in enumerate(self._rules):
            if rule.segmented and len(serviced):
                mine, _ = seats.on(serviced, len(self._series.state))
                for seat in mine[rule.forget(mine)]:
                    yield cleared(self._active.pop((number, int(seat))), note.at_ms)

    def _read(self, parts: Sequence[Rows]) -> Iterator[Alarm]:
        for readings in passes(parts):
            seen, buckets, loud = self._series.step(readings)
            if len(buckets.by):
                yield from self._feed_buckets(seen, buckets)
            if len(loud):
                yield from self._feed_readings(seen.only(loud))

    def _feed_readings(self, readings: Readings) -> Iterator[Alarm]:
        covered = self._series.covered_ms(readings.series, readings.gap_ms)
        step = self._series.shape.rows["step_ms"][readings.series]
        fed = Fed(readings.series, readings.at_ms, readings.value, covered, step, self._recent)
        busy = np.zeros(len(readings.series), np.bool_)
        for number, (rule, seats) in enumerate(self._rules):
            if rule.feeds_on == "readings":
                mine, place = seats.on(readings.series, len(self._series.state))
                yield from self._ask(number, mine, fed.only(place), readings.only(place))
                busy[place[rule.hold.busy(mine)]] = True
        self._series.watch(readings.series, busy)

    def _feed_buckets(self, seen: Readings, buckets: Buckets) -> Iterator[Alarm]:
        closing = seen.only(buckets.by)
        self._recent.push(closing.series, buckets.at_ms, buckets.mean)
        shape = self._series.shape.rows[closing.series]
        alone = self._series.covered_ms(closing.series, closing.gap_ms)
        covered = np.where(shape["bucket_ms"] == 0, alone, shape["step_ms"])
        fed = Fed(
            closing.series, buckets.at_ms, buckets.mean, covered, shape["step_ms"], self._recent
        )
        for number, (rule, seats) in enumerate(self._rules):
            if rule.feeds_on == "buckets":
                mine, place = seats.on(closing.series, len(self._series.state))
                if len(mine):
                    yield from self._ask(number, mine, fed.only(place), closing.only(place))

    def _ask(self, number: int, mine: Picks, fed: Fed, readings: Readings) -> Iterator[Alarm]:
        """Let a rule judge its seats, hold the verdict, and say what turned."""
        rule, _ = self._rules[number]
        up, down = rule.judge(mine, fed)
        given = rule.given.rows.take(mine)
        turned = rule.hold.step(
            mine, up, down, covered_ms=fed.covered_ms, raise_ms=given["for"], keep_ms=given["keep"]
        )
        for place in np.flatnonzero(turned.raised | turned.cleared):
            key, at_ms = (number, int(mine[place])), int(readings.at_ms[place])
            if turned.cleared[place]:
                yield cleared(self._active.pop(key), at_ms)
            else:
                alarm = self._alarm(key, at_ms, readings, int(place))
                self._active[key] = alarm
                yield alarm

    def _alarm(self, key: tuple[int, int], at_ms: int, readings: Readings, place: int) -> Alarm:
        rule, seats = self._rules[key[0]]
        series = seats.series[key[1]]
        owner, metric = self._owner[series]
        device = self._devices[owner]
        points = rule.window(key[1]) or self._recent.points(series)
        return alarm_of(
            device.id, device.profile, metric, row=seats.rows[key[1]], rule=rule, seat=key[1],
            at_ms=at_ms, value=float(readings.value[place]), points=points,
            lateness=int(readings.lateness[place]),
        )  # fmt: skip

    def _tables(self) -> list[list[Table]]:
        """Return the tables of the snapshot, in the order of an Extent."""
        tables = [[self._series.state, self._recent.state]]
        return tables + [[rule.state, rule.hold.state] for rule, _ in self._rules]

    def snapshot(self) -> bytes:
        """Return everything a bank must know to go on as if it had never stopped."""
        devices = [
            (d.id, d.profile.model.code, d.profile.digest, d.extent.counts) for d in self._devices
        ]
        active = [(number, seat, alarm) for (number, seat), alarm in self._active.items()]
        return pack(devices, self._tables(), active, self.not_newer)

    def restore(self, state: bytes) -> None:
        """Go on from ``state``, a snapshot of a bank with any other set of devices.

        Devices that are not watched here are left out; those whose profile has changed since, and
        those that are new here, start afresh. Raises UnreadableSnapshot.
        """
        kept = unpack(state, self._tables())
        mine = {device.key: device.extent for device in self._devices}
        moves = kept.moves(mine)
        kept.copy(moves, self._tables())
        self._series.not_newer = kept.not_newer
        self._active = kept.moved_alarms(moves)
