"""One mapper between frozen dataclasses and table rows, for every kind of record.

A field becomes a column: text, numbers, booleans, bytes, dates and instants as themselves,
everything else (words, tuples, nested records) as JSON that msgspec reads back by its type.
"""

import dataclasses
import enum
import types
import typing
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

T = TypeVar("T")


class Instant(sa.TypeDecorator[datetime]):
    """An aware UTC instant, kept as a naive UTC timestamp with microseconds."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse naive instants; keep the rest in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"instant {value} has no time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Give the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


_PLAIN: dict[Any, type[sa.types.TypeEngine[Any]]] = {
    str: sa.Text,
    int: sa.BigInteger,
    float: sa.Double,
    bool: sa.Boolean,
    bytes: sa.LargeBinary,
    date: sa.Date,
    datetime: Instant,
}


class _Field(typing.NamedTuple):
    name: str
    hint: Any
    column: type[sa.types.TypeEngine[Any]] | None  # None: kept as JSON text
    optional: bool


def _bare(hint: Any) -> tuple[Any, bool]:
    """Return the hint without ``| None``, and whether it was there."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        rest = [a for a in typing.get_args(hint) if a is not type(None)]
        if len(rest) == 1:
            return rest[0], True
    return hint, False


_KNOWN: dict[type[Any], tuple[_Field, ...]] = {}


def _fields(kind: type[Any]) -> tuple[_Field, ...]:
    if kind not in _KNOWN:
        _KNOWN[kind] = tuple(_read_fields(kind))
    return _KNOWN[kind]


def _read_fields(kind: type[Any]) -> typing.Iterator[_Field]:
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        hint, optional = _bare(hints[field.name])
        is_enum = isinstance(hint, type) and issubclass(hint, enum.Enum)
        column = sa.Text if is_enum else _PLAIN.get(hint)
        yield _Field(field.name, hint, column, optional)


def table_of(
    kind: type[Any], name: str, metadata: sa.MetaData, indexed: tuple[str, ...]
) -> sa.Table:
    """Return the table that keeps records of ``kind``; its first field is the primary key."""
    columns = [
        sa.Column(
            f.name,
            f.column or sa.Text,
            primary_key=place == 0,
            nullable=f.optional,
            index=f.name in indexed or None,
        )
        for place, f in enumerate(_fields(kind))
    ]
    return sa.Table(name, metadata, *columns)


def to_row(record: Any) -> dict[str, Any]:
    """Return the column values of ``record``."""
    row = {}
    for f in _fields(type(record)):
        value = getattr(record, f.name)
        if isinstance(value, enum.Enum):
            value = value.value
        elif value is not None and f.column is None:
            value = msgspec.json.encode(value).decode()
        row[f.name] = value
    return row


def from_row(kind: type[T], row: typing.Any) -> T:
    """Return the record of a row that ``to_row`` made."""
    values = {}
    for f in _fields(kind):
        value = row[f.name]
        if value is not None and f.column is None:
            value = msgspec.json.decode(value, type=f.hint)
        elif value is not None and f.column is sa.Text and f.hint is not str:
            value = f.hint(value)
        values[f.name] = value
    return kind(**values)
