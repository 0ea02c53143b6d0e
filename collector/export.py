"""How an export in line protocol becomes messages of its devices: a small TOML file.

device_tag = "analyser"          # the tag that names the device; or: device = "CHEM-001"
site_tag = "hospital"            # or: site = "S001"
measurement = "chem"             # others are passed over; all are read if not given
precision = "ns"                 # of the time: ns, us, ms or s

[devices]                        # what the tag says -> our id; without a row it is the id itself
"analyser 12" = "CHEM-001"

[metrics.wash_vacuum]            # without any, every field is a metric, in the catalogue's unit
field = "vac"
unit = "kPa"
"""

import tomllib
from typing import Final

import msgspec

from collector.line_protocol import TICKS, Point
from collector.mapping import BadMapping, BadRow
from equipment.wire import Address, Birth, Declared, MalformedMessage, Tele, address

DEVICES_LIMIT: Final = 100_000


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which field is the metric, in which UCUM unit."""

    field: str
    unit: str
    measurement: str = ""
    period_s: float = 60.0


class Export(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the tags and fields of an export mean. ``historical``: nobody is notified.

    The defaults are what fieldcare itself writes to InfluxDB.
    """

    device_tag: str = "device"
    device: str = ""
    site_tag: str = "site"
    site: str = ""
    measurement: str = ""
    precision: str = "ns"
    devices: dict[str, str] = {}
    metrics: dict[str, Field] = {}
    historical: bool = True


def load_export(text: str, name: str = "mapping") -> Export:
    """Return the mapping written in ``text``. Raises BadMapping, which names ``name``."""
    try:
        export = msgspec.convert(tomllib.loads(text), Export)
        for device in filter(None, (export.device, *export.devices.values())):
            address(Address(export.site or "any", device, "tele").topic)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, MalformedMessage) as error:
        raise BadMapping(f"{name}: {error}") from error
    if export.precision not in TICKS:
        wrong = f"precision {export.precision!r} is none of {', '.join(TICKS)}"
        raise BadMapping(f"{name}: {wrong} - at `$.precision`")
    return export


class Points:
    """Turns points into readings; each device numbers its own."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self._ticks = TICKS[export.precision]
        self._metrics = {(m.measurement, m.field): name for name, m in export.metrics.items()}
        self._next: dict[str, int] = {}

    def birth(self, boot: str, device: str, at_ms: int) -> Birth:
        """Return what the device says first: the units, those of the catalogue if none given."""
        declared = [Declared(n, m.unit, m.period_s) for n, m in self._export.metrics.items()]
        return Birth(
            v=1, b=boot, serial=device, model="", metrics=declared, fw="replay", t=max(at_ms, 0)
        )

    def reading(self, point: Point, boot: str) -> tuple[Address, Tele] | None:
        """Return a point as a message, None for one of something else. Raises BadRow."""
        export = self._export
        if export.measurement and point.measurement != export.measurement:
            return None
        values = self._values(point)
        if not values:
            return None
        where = self._where(point)
        if point.time is None:
            raise BadRow("no time at the end of the line")
        at_ms = round(point.time // self._ticks)
        if at_ms < 0:
            raise BadRow(f"time {point.time} is before 1970")
        seq = self._number(where.device)
        return where, Tele(b=boot, s=seq, t=at_ms, m=values, h=int(export.historical))

    def _number(self, device: str) -> int:
        seq = self._next.get(device, 0)
        if not seq and len(self._next) >= DEVICES_LIMIT:
            raise BadRow(f"device {device!r} is one of more than {DEVICES_LIMIT}: the wrong tag?")
        self._next[device] = seq + 1
        return seq

    def _values(self, point: Point) -> dict[str, float]:
        if not self._metrics:
            return point.fields
        named = (
            (self._metrics.get((point.measurement, f)) or self._metrics.get(("", f)), value)
            for f, value in point.fields.items()
        )
        return {metric: value for metric, value in named if metric}

    def _where(self, point: Point) -> Address:
        export, tags = self._export, point.tags
        said = export.device or tags.get(export.device_tag, "")
        site = export.site or tags.get(export.site_tag, "")
        for what, found, tag in (
            ("device", said, export.device_tag),
            ("site", site, export.site_tag),
        ):
            if not found:
                raise BadRow(f"no tag {tag[:60]!r} that names the {what}")
        where = Address(site, export.devices.get(said, said), "tele")
        try:
            return address(where.topic)
        except MalformedMessage as error:
            raise BadRow(str(error)) from error
