"""Fleet: the devices a user may see, in any order, a page at a time, however many there are."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import NamedTuple, TypeVar

from api import shapes, views
from api.context import Backstage
from equipment.catalog import DeviceModel
from equipment.device import Device
from equipment.words import Words
from health.fault import Fault
from health.state import STATES, device_health
from storage.interface import Work

T = TypeVar("T")
SILENT_AFTER = timedelta(minutes=15)
_MANY = 100_000
_AT_ONCE = 500
_RANK = {state: rank for rank, state in enumerate(STATES)}  # best first
_WELL = "NORMAL"
_NO_MODEL = Words("未知型号", "unknown model")


class Asked(NamedTuple):
    """Which devices: in ``state``, ``silent`` or not, with ``text`` in id, serial or site name.

    ``worst_first`` orders by state and then id, else by id alone.
    """

    state: str | None = None
    silent: bool | None = None
    text: str = ""
    worst_first: bool = False


class Fleet:
    """One look at the devices for one user's answer."""

    def __init__(self, stage: Backstage, work: Work, desk: views.Desk) -> None:
        self._stage, self._work, self._desk = stage, work, desk
        self._now = stage.office.now()

    @cached_property
    def faults(self) -> Mapping[str, Sequence[Fault]]:
        """Device -> its open faults."""
        found: dict[str, list[Fault]] = defaultdict(list)
        for fault in self._work.shelf(Fault).find(closed_at=None, limit=_MANY):
            if self._desk.scope.sees_device(fault.device):
                found[fault.device].append(fault)
        return found

    @cached_property
    def unwell(self) -> Mapping[str, str]:
        """Device -> its state, for those that are not well."""
        states = {id: device_health(faults).state for id, faults in self.faults.items()}
        return {id: state for id, state in states.items() if state != _WELL}

    def page(self, asked: Asked, after: str, limit: int) -> shapes.Page[shapes.DeviceRow]:
        """Return at most ``limit`` rows behind the cursor ``after``, and where to go on."""
        found = list(islice(self._matching(asked, after), limit + 1))
        rows = self.rows(found[:limit])
        following = self._cursor(asked, found[limit - 1]) if len(found) > limit else None
        return shapes.Page(items=rows, next=following)

    def rows(self, devices: Sequence[Device]) -> list[shapes.DeviceRow]:
        """Return ``devices`` as rows."""
        seen = self.seen_at([device.id for device in devices])
        return [
            views.device_row(
                self._desk,
                device,
                self.model(device),
                self.faults.get(device.id, ()),
                seen_at=seen.get(device.id),
                silent=self.is_silent(seen.get(device.id)),
            )
            for device in devices
        ]

    def model(self, device: Device) -> DeviceModel:
        """Return the model of ``device``, one without metrics if it is unknown."""
        known = self._stage.models.get(device.model)
        return known or DeviceModel(device.model, "", 0, _NO_MODEL, ())

    def seen_at(self, devices: Sequence[str]) -> Mapping[str, datetime]:
        """Return device -> when its newest reading was taken, without those never heard."""
        return {
            id: datetime.fromtimestamp(max(last.values())[0] / 1000, UTC)
            for id, last in self._stage.office.telemetry.last(devices).items()
        }

    def is_silent(self, seen_at: datetime | None) -> bool:
        """Return whether a device last heard at ``seen_at`` is silent now."""
        return seen_at is None or self._now - seen_at > SILENT_AFTER

    def everything(self) -> Iterable[Device]:
        """Return all devices in scope, by id."""
        return self._by_id("")

    def _cursor(self, asked: Asked, last: Device) -> str:
        rank = _RANK[self.unwell.get(last.id, _WELL)]
        return f"{rank}:{last.id}" if asked.worst_first else last.id

    def _matching(self, asked: Asked, after: str) -> Iterator[Device]:
        for some in _batches(self._ordered(asked, after)):
            named = [device for device in some if self._has(device, asked.text.casefold())]
            if asked.silent is not None:
                seen = self.seen_at([device.id for device in named])
                named = [d for d in named if self.is_silent(seen.get(d.id)) == asked.silent]
            yield from named

    def _has(self, device: Device, text: str) -> bool:
        if not text:
            return True
        names = (device.id, device.serial, *self._desk.site(device.site).title)
        return any(text in name.casefold() for name in names)

    def _ordered(self, asked: Asked, after: str) -> Iterator[Device]:
        """Yield the devices in the order and state asked for, from the cursor on.

        Only a few are ever unwell, so the worst come from the faults, and the well ones by id.
        """
        if asked.worst_first:
            cut, _, id = after.rpartition(":")
            place = (-int(cut or _RANK["FAILURE"]), id)
            yield from self._by_ids(self._unwell_behind(asked.state, place))
            if asked.state in (None, _WELL):
                yield from self._well(id if cut == str(_RANK[_WELL]) else "")
        elif asked.state in (None, _WELL):
            yield from self._well(after) if asked.state else self._by_id(after)
        else:
            ids = (id for id, state in self.unwell.items() if state == asked.state and id > after)
            yield from self._by_ids(sorted(ids))

    def _unwell_behind(self, state: str | None, place: tuple[int, str]) -> list[str]:
        keys = ((-_RANK[s], id) for id, s in self.unwell.items() if state in (None, s))
        return [id for key, id in sorted(keys) if (key, id) > place]

    def _well(self, after: str) -> Iterator[Device]:
        return (device for device in self._by_id(after) if device.id not in self.unwell)

    def _by_ids(self, ids: Iterable[str]) -> Iterator[Device]:
        for some in _batches(iter(ids)):
            found = {d.id: d for d in self._work.shelf(Device).find(id=list(some), limit=_MANY)}
            yield from (found[id] for id in some if id in found)

    def _by_id(self, after: str) -> Iterator[Device]:
        if self._desk.scope.devices is not None:
            yield from self._by_ids(sorted(id for id in self._desk.scope.devices if id > after))
            return
        while some := self._work.shelf(Device).find(limit=_AT_ONCE, after=after):
            yield from some
            after = some[-1].id


def _batches(things: Iterator[T]) -> Iterator[list[T]]:
    while some := list(islice(things, _AT_ONCE)):
        yield some
