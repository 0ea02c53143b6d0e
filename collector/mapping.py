"""How a table of readings becomes messages of one device: a small TOML file.

device = "SKAB-1"
site = "BENCH"
model = "CHEM"
delimiter = ";"

[time]
column = "datetime"
format = "%Y-%m-%d %H:%M:%S"    # or iso, s, ms
zone = "Asia/Shanghai"          # for instants without one; UTC if not given

[metrics.wash_vacuum]
column = "Pressure"
unit = "kPa"
"""

import math
import tomllib
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from equipment.wire import Address, Birth, Declared, MalformedMessage, Tele, address


class BadMapping(ValueError):
    """A mapping that cannot be used; the text names the file's wrong part."""


class BadRow(ValueError):
    """A row that is no reading; the text says which column."""


class TimeColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which column is the instant, and how it is written."""

    column: str
    format: str = "iso"
    zone: str = "UTC"


class MetricColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which column is the metric, in which UCUM unit; ``period_s`` is declared in the birth."""

    column: str
    unit: str
    period_s: float = 60.0


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table's device, and the meaning of its columns. ``historical``: nobody is notified."""

    device: str
    site: str
    model: str
    time: TimeColumn
    metrics: dict[str, MetricColumn]
    serial: str = ""
    delimiter: str = ","
    historical: bool = True

    @property
    def address(self) -> Address:
        """Where its readings are published."""
        return Address(self.site, self.device, "tele")

    def birth(self, boot: str, at_ms: int) -> Birth:
        """Return what the device says first."""
        declared = [Declared(name, m.unit, m.period_s) for name, m in self.metrics.items()]
        return Birth(
            v=1,
            b=boot,
            serial=self.serial or self.device,
            model=self.model,
            metrics=declared,
            fw="replay",
            t=at_ms,
        )


def load(text: str, name: str = "mapping") -> Mapping:
    """Return the mapping written in ``text``. Raises BadMapping, which names ``name``."""
    try:
        mapping = msgspec.convert(tomllib.loads(text), Mapping)
        ZoneInfo(mapping.time.zone)
        address(mapping.address.topic)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, MalformedMessage) as error:
        raise BadMapping(f"{name}: {error}") from error
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadMapping(f"{name}: time zone {error}") from error
    if not mapping.metrics:
        raise BadMapping(f"{name}: no metrics - at `$.metrics`")
    if len(mapping.delimiter) != 1:
        raise BadMapping(f"{name}: delimiter is not one character - at `$.delimiter`")
    return mapping


class Rows:
    """Turns rows of a table with this header into readings."""

    def __init__(self, mapping: Mapping, header: Sequence[str], name: str = "table") -> None:
        places = {column.strip(): place for place, column in enumerate(header)}
        wanted = [mapping.time.column, *(m.column for m in mapping.metrics.values())]
        missing = [column for column in wanted if column not in places]
        if missing:
            raise BadMapping(f"{name}: no column {', '.join(missing)}; it has {', '.join(places)}")
        self._time = places[mapping.time.column]
        self._columns = {metric: places[m.column] for metric, m in mapping.metrics.items()}
        self._format = mapping.time.format
        self._zone = ZoneInfo(mapping.time.zone)
        self._historical = int(mapping.historical)

    def reading(self, cells: Sequence[str], boot: str, seq: int) -> Tele:
        """Return the reading of a row; an empty cell is a metric that was not read then."""
        values: dict[str, float] = {}
        for metric, place in self._columns.items():
            cell = cells[place].strip() if place < len(cells) else ""
            if cell:
                values[metric] = _number(cell, metric)
        if self._time >= len(cells):
            raise BadRow("row is shorter than its time column")
        if not values:
            raise BadRow("no value in any column")
        return Tele(b=boot, s=seq, t=self.at_ms(cells[self._time]), m=values, h=self._historical)

    def at_ms(self, cell: str) -> int:
        """Return the instant written in ``cell``, ms UTC."""
        try:
            if self._format in ("s", "ms"):
                return round(float(cell) * (1000 if self._format == "s" else 1))
            if self._format == "iso":
                at = datetime.fromisoformat(cell.strip())
            else:
                at = datetime.strptime(cell.strip(), self._format)  # noqa: DTZ007 - zone below
            return round((at if at.tzinfo else at.replace(tzinfo=self._zone)).timestamp() * 1000)
        except (ValueError, OverflowError) as error:
            raise BadRow(f"time {cell[:40]!r} is not {self._format}") from error


def _number(cell: str, metric: str) -> float:
    try:
        value = float(cell)
    except ValueError as error:
        raise BadRow(f"{metric}: {cell[:40]!r} is no number") from error
    if not math.isfinite(value):
        raise BadRow(f"{metric}: {cell[:40]!r} is no number")
    return value
