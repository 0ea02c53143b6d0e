"""The payload of Sparkplug B: protobuf in, plain metrics out; and the one command we send.

Source: message Payload of org.eclipse.tahu.protobuf (sparkplug_b.proto), Sparkplug 3.0 chapter 6.
What we never look into (data sets, templates, files, metadata) is declared as bytes here, which
reads the same and cannot be nested without end.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from equipment.wire import PAYLOAD_LIMIT, MalformedMessage

REBIRTH: Final = "Node Control/Rebirth"
BOOLEAN, DATE_TIME = 11, 13
_SIGNED: Final = {1: 8, 2: 16, 3: 32, 4: 64}  # data type -> bits
_TEXTS: Final = (12, 14, 15)  # String, Text, UUID
_NUMBERS: Final = frozenset(range(1, 12))
_ONE_OF: Final = "value"


class Metric(NamedTuple):
    """A metric of a payload. ``value`` is None for a null and for what is no number or text.

    ``alias`` stands for ``name`` after the birth; ``at_ms`` and ``type`` are None if not given.
    """

    name: str
    alias: int | None
    at_ms: int | None
    type: int | None
    historical: bool
    value: float | str | None
    unit: str


class Payload(NamedTuple):
    """A payload: when it was sent, its number 0..255, and its metrics."""

    at_ms: int | None
    seq: int | None
    metrics: list[Any]


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="sparkplug_b.proto", package="sparkplug", syntax="proto2")
    for message, fields in _SCHEMA.items():
        described = file.message_type.add(name=message)
        if any(kind.endswith("|") for _, _, kind in fields):
            described.oneof_decl.add(name=_ONE_OF)
        for name, number, kind in fields:
            _describe(described.field.add(name=name, number=number), kind)
    return file


def _describe(field: Any, kind: str) -> None:
    word = kind.strip("*|")
    repeated = FieldDescriptorProto.LABEL_REPEATED
    field.label = repeated if kind.endswith("*") else FieldDescriptorProto.LABEL_OPTIONAL
    if kind.endswith("|"):
        field.oneof_index = 0
    if word in _SCHEMA:
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".sparkplug.{word}"
    else:
        field.type = getattr(FieldDescriptorProto, f"TYPE_{word.upper()}")


# name, number, type; * is repeated, | one of the values
_VALUES = (("uint32|", "int"), ("uint64|", "long"), ("float|", "float"), ("double|", "double"))
_SCHEMA: Final[dict[str, tuple[tuple[str, int, str], ...]]] = {
    "Payload": (
        ("timestamp", 1, "uint64"),
        ("metrics", 2, "Metric*"),
        ("seq", 3, "uint64"),
    ),
    "Metric": (
        ("name", 1, "string"),
        ("alias", 2, "uint64"),
        ("timestamp", 3, "uint64"),
        ("datatype", 4, "uint32"),
        ("is_historical", 5, "bool"),
        ("is_null", 7, "bool"),
        ("properties", 9, "PropertySet"),
        *((f"{name}_value", 10 + n, kind) for n, (kind, name) in enumerate(_VALUES)),
        ("boolean_value", 14, "bool|"),
        ("string_value", 15, "string|"),
        ("bytes_value", 16, "bytes|"),
        ("dataset_value", 17, "bytes|"),
        ("template_value", 18, "bytes|"),
        ("extension_value", 19, "bytes|"),
    ),
    "PropertySet": (("keys", 1, "string*"), ("values", 2, "PropertyValue*")),
    "PropertyValue": (("type", 1, "uint32"), ("is_null", 2, "bool"), ("string_value", 8, "string")),
}
_pool = DescriptorPool()
_pool.Add(_file())
_Payload: Any = GetMessageClass(_pool.FindMessageTypeByName("sparkplug.Payload"))


def decode(data: bytes) -> Payload:
    """Return the payload in ``data``. Raises MalformedMessage: ``oversize`` or ``malformed``."""
    if len(data) > PAYLOAD_LIMIT:
        raise MalformedMessage("oversize", f"payload of {len(data)} bytes, limit {PAYLOAD_LIMIT}")
    found = _Payload()
    try:
        found.ParseFromString(data)
        metrics = [_metric(metric) for metric in found.metrics]
    except (DecodeError, UnicodeDecodeError) as error:
        why = f"sparkplug: {len(data)} bytes are no Payload in protobuf: {error}"
        raise MalformedMessage("malformed", why) from None
    return Payload(_given(found, "timestamp"), _given(found, "seq"), metrics)


def _given(message: Any, field: str) -> int | None:
    return int(getattr(message, field)) if message.HasField(field) else None


def _metric(metric: Any) -> Metric:
    type_ = _given(metric, "datatype")
    return Metric(
        name=_text(metric.name),
        alias=_given(metric, "alias"),
        at_ms=_given(metric, "timestamp"),
        type=type_,
        historical=metric.is_historical,
        value=None if metric.is_null else _value(metric),
        unit=_unit(metric.properties) if metric.HasField("properties") else "",
    )


def _value(metric: Any) -> float | str | None:
    field = metric.WhichOneof(_ONE_OF)
    if field is None:
        return None
    raw = getattr(metric, field)
    if field == "float_value":
        return float(str(np.float32(raw)))  # 37.02, not 37.02000045776367
    if field == "string_value":
        return _text(raw)
    return raw if isinstance(raw, int | float) else None


def _text(text: Any) -> str:
    """Return ``text``, which protobuf hands out as bytes when it is none."""
    if not isinstance(text, str):
        raise MalformedMessage("malformed", f"sparkplug: {text[:40]!r} is no UTF-8")
    return text


def _unit(properties: Any) -> str:
    for key, value in zip(properties.keys, properties.values, strict=False):
        if _text(key).casefold() == "engunit" and not value.is_null:
            return _text(value.string_value)
    return ""


def is_number(type_: int | None) -> bool:
    """Return whether metrics of this data type are readings; booleans are 0 and 1."""
    return type_ in _NUMBERS


def is_text(type_: int | None) -> bool:
    """Return whether metrics of this data type are texts."""
    return type_ in _TEXTS


def number(value: float, type_: int | None) -> float:
    """Return ``value`` as its data type means it: integers travel without their sign."""
    bits = _SIGNED.get(type_ or 0)
    if bits is None or not isinstance(value, int):
        return float(value)
    low = value & ((1 << bits) - 1)
    return float(low - (1 << bits) if low >> (bits - 1) else low)


def rebirth(at_ms: int) -> bytes:
    """Return the payload of the command that asks an edge node to say everything again."""
    asked = _Payload(timestamp=at_ms)
    asked.metrics.add(name=REBIRTH, timestamp=at_ms, datatype=BOOLEAN, boolean_value=True)
    return bytes(asked.SerializeToString())
