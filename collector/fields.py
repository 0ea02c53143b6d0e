"""The fields MQTT packets are made of: integers, strings, and the properties of MQTT 5.

Source: OASIS MQTT 3.1.1 and MQTT 5.0, sections 1.5 and 2.2.2. Reading is strict: what the standard
calls malformed raises Malformed with the reason code to answer with.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

LENGTH_LIMIT: Final = 268_435_455


class Reason(IntEnum):
    """Reason codes of MQTT 5; the few of 3.1.1 are derived from them."""

    SUCCESS = 0x00
    WITH_WILL = 0x04
    NO_SUBSCRIPTION = 0x11
    UNSPECIFIED = 0x80
    MALFORMED = 0x81
    PROTOCOL_ERROR = 0x82
    UNSUPPORTED_VERSION = 0x84
    BAD_CLIENT_ID = 0x85
    BAD_CREDENTIALS = 0x86
    NOT_AUTHORIZED = 0x87
    BUSY = 0x89
    SHUTTING_DOWN = 0x8B
    BAD_AUTH_METHOD = 0x8C
    KEEP_ALIVE = 0x8D
    TAKEN_OVER = 0x8E
    BAD_FILTER = 0x8F
    BAD_TOPIC = 0x90
    NO_SUCH_PID = 0x92
    RECEIVE_MAXIMUM = 0x93
    BAD_ALIAS = 0x94
    TOO_LARGE = 0x95
    QUOTA = 0x97
    SHARED = 0x9E


class Malformed(ValueError):
    """A packet that breaks the standard or a limit; ``reason`` is what to tell the client."""

    def __init__(self, why: str, reason: Reason = Reason.MALFORMED) -> None:
        super().__init__(why)
        self.reason = reason


class Property(IntEnum):
    """Properties of MQTT 5 by their identifier."""

    PAYLOAD_FORMAT = 0x01
    MESSAGE_EXPIRY = 0x02
    CONTENT_TYPE = 0x03
    RESPONSE_TOPIC = 0x08
    CORRELATION = 0x09
    SUBSCRIPTION_ID = 0x0B
    SESSION_EXPIRY = 0x11
    ASSIGNED_CLIENT = 0x12
    SERVER_KEEP_ALIVE = 0x13
    AUTH_METHOD = 0x15
    AUTH_DATA = 0x16
    PROBLEM_INFORMATION = 0x17
    WILL_DELAY = 0x18
    RESPONSE_WANTED = 0x19
    RESPONSE_INFORMATION = 0x1A
    SERVER_REFERENCE = 0x1C
    REASON_TEXT = 0x1F
    RECEIVE_MAXIMUM = 0x21
    ALIAS_MAXIMUM = 0x22
    ALIAS = 0x23
    MAXIMUM_QOS = 0x24
    RETAIN_AVAILABLE = 0x25
    USER = 0x26
    MAXIMUM_PACKET = 0x27
    WILDCARDS_AVAILABLE = 0x28
    SUBSCRIPTION_IDS_AVAILABLE = 0x29
    SHARED_AVAILABLE = 0x2A


Properties = Mapping[int, Any] | Mapping[Property, Any]
NONE: Final[Properties] = {}

_KINDS: Final[dict[str, tuple[int, ...]]] = {
    "byte": (0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A),
    "two": (0x13, 0x21, 0x22, 0x23),
    "four": (0x02, 0x11, 0x18, 0x27),
    "length": (0x0B,),
    "text": (0x03, 0x08, 0x12, 0x15, 0x1A, 0x1C, 0x1F),
    "binary": (0x09, 0x16),
    "pairs": (0x26,),
}
_KIND: Final = {number: kind for kind, numbers in _KINDS.items() for number in numbers}
_FLAGS: Final = frozenset((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A))
_NEVER_ZERO: Final = frozenset((0x0B, 0x21, 0x27))

ALLOWED: Final[dict[str, frozenset[int]]] = {
    "connect": frozenset((0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27)),
    "connack": frozenset(b"\x11\x12\x13\x15\x16\x1a\x1c\x1f\x21\x22\x24\x25\x26\x27\x28\x29\x2a"),
    "will": frozenset((0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26)),
    "publish": frozenset((0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26)),
    "ack": frozenset((0x1F, 0x26)),
    "subscribe": frozenset((0x0B, 0x26)),
    "unsubscribe": frozenset((0x26,)),
    "disconnect": frozenset((0x11, 0x1C, 0x1F, 0x26)),
}


class Reader:
    """Reads fields one after the other from ``data[pos:end]``; never beyond."""

    __slots__ = ("data", "end", "pos")

    def __init__(self, data: bytes, pos: int, end: int) -> None:
        self.data = data
        self.pos = pos
        self.end = end

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes."""
        start = self.pos
        self.pos = start + count
        if self.pos > self.end:
            raise Malformed("packet ends in the middle of a field")
        return self.data[start : self.pos]

    def rest(self) -> bytes:
        """Return what is left."""
        return self.take(self.end - self.pos)

    def byte(self) -> int:
        """Return a one byte integer."""
        return self.take(1)[0]

    def two(self) -> int:
        """Return a two byte integer."""
        return int.from_bytes(self.take(2), "big")

    def four(self) -> int:
        """Return a four byte integer."""
        return int.from_bytes(self.take(4), "big")

    def length(self) -> int:
        """Return a variable byte integer."""
        value = shift = 0
        while shift < 28:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise Malformed("variable byte integer of more than four bytes")

    def binary(self) -> bytes:
        """Return binary data with its two byte length before it."""
        return self.take(self.two())

    def text(self) -> str:
        """Return a string: UTF-8, without NUL and lone surrogates."""
        try:
            text = self.binary().decode()
        except UnicodeDecodeError as error:
            raise Malformed("string is not UTF-8") from error
        if "\0" in text:
            raise Malformed("string holds NUL")
        return text

    def pid(self) -> int:
        """Return a packet identifier, which is never 0."""
        pid = self.two()
        if not pid:
            raise Malformed("packet identifier 0", Reason.PROTOCOL_ERROR)
        return pid

    def properties(self, packet: str) -> Properties:
        """Return the properties of ``packet`` (a key of ALLOWED).

        Those that may be there more than once come as tuples: user properties, subscription ids.
        """
        length = self.length()
        if not length:
            return NONE
        stop = self.pos + length
        if stop > self.end:
            raise Malformed("properties longer than their packet")
        found: dict[int, Any] = {}
        while self.pos < stop:
            self._one_property(found, ALLOWED[packet])
        if self.pos != stop:
            raise Malformed("properties longer than they say")
        return found

    def _one_property(self, found: dict[int, Any], allowed: frozenset[int]) -> None:
        number = self.length()
        if number not in allowed:
            raise Malformed(f"property {number:#x} does not belong here")
        if number == Property.USER:
            found[number] = (*found.get(number, ()), (self.text(), self.text()))
            return
        if number in found and number != Property.SUBSCRIPTION_ID:
            raise Malformed(f"property {number:#x} twice", Reason.PROTOCOL_ERROR)
        value = getattr(self, _KIND[number])()
        if (number in _FLAGS and value > 1) or (number in _NEVER_ZERO and not value):
            raise Malformed(f"property {number:#x} cannot be {value}", Reason.PROTOCOL_ERROR)
        several = number == Property.SUBSCRIPTION_ID
        found[number] = (*found.get(number, ()), value) if several else value


def length(value: int) -> bytes:
    """Return ``value`` as a variable byte integer."""
    if not 0 <= value <= LENGTH_LIMIT:
        raise ValueError(f"length {value} is outside 0..{LENGTH_LIMIT}")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def two(value: int) -> bytes:
    """Return ``value`` as a two byte integer."""
    return value.to_bytes(2, "big")


def binary(value: bytes) -> bytes:
    """Return ``value`` with its length before it."""
    return two(len(value)) + value


def text(value: str) -> bytes:
    """Return ``value`` as a string field."""
    return binary(value.encode())


_WRITERS: Final = {
    "byte": lambda value: value.to_bytes(1, "big"),
    "two": two,
    "four": lambda value: value.to_bytes(4, "big"),
    "length": length,
    "text": text,
    "binary": binary,
}


def properties(values: Properties) -> bytes:
    """Return ``values`` as a property field, with its length."""
    out = bytearray()
    for number, value in values.items():
        if number == Property.USER:
            for name, content in value:
                out += length(number) + text(name) + text(content)
        elif number == Property.SUBSCRIPTION_ID:
            for id in value:
                out += length(number) + length(id)
        else:
            out += length(number) + _WRITERS[_KIND[number]](value)
    return length(len(out)) + bytes(out)
