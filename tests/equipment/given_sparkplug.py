"""Builder: Sparkplug B payloads, written byte by byte from the public schema.

It shares nothing with the code under test. Source: sparkplug_b.proto, and the wire format of
protocol buffers: varints, 32 and 64 bits little-endian, lengths.
"""

import struct
from typing import Any

INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64 = range(1, 9)
FLOAT, DOUBLE, BOOLEAN, STRING, DATETIME, TEXT = range(9, 15)
DATASET, BYTES = 16, 17


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int | None) -> bytes:
    return b"" if value is None else varint(field << 3) + varint(value)


def _text(field: int, value: str | bytes | None) -> bytes:
    if value is None:
        return b""
    raw = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def _value(type_: int, value: Any) -> bytes:
    if type_ in (FLOAT, DOUBLE):
        single = type_ == FLOAT
        return varint(12 << 3 | 5 if single else 13 << 3 | 1) + struct.pack(
            "<f" if single else "<d", value
        )
    if type_ in (STRING, TEXT, BYTES, DATASET):
        return _text({DATASET: 17, BYTES: 16}.get(type_, 15), value)
    if type_ in (INT64, UINT64, DATETIME):
        return _number(11, value & (2**64 - 1))
    return _number(14 if type_ == BOOLEAN else 10, int(value) & 0xFFFFFFFF)


def metric(
    name: str | None = None,
    value: Any = None,
    type_: int = DOUBLE,
    *,
    alias: int | None = None,
    at_ms: int | None = None,
    unit: str | None = None,
    historical: bool = False,
    null: bool = False,
    typed: bool = True,
) -> bytes:
    """Return a metric; with ``typed`` false its data type is left out, as DATA may."""
    parts = [
        _text(1, name),
        _number(2, alias),
        _number(3, at_ms),
        _number(4, type_ if typed else None),
        _number(5, int(historical) or None),
        _number(7, int(null) or None),
    ]
    if unit is not None:
        text = _number(1, STRING) + _text(8, unit)
        parts.append(_text(9, _text(1, "engUnit") + _text(2, text)))
    if value is not None and not null:
        parts.append(_value(type_, value))
    return b"".join(parts)


def payload(*metrics: bytes, at_ms: int | None = None, seq: int | None = None) -> bytes:
    """Return a payload; ``seq`` None leaves it out, as a death does."""
    body = b"".join(_text(2, one) for one in metrics)
    return _number(1, at_ms) + body + _number(3, seq)
