"""MQTT 3.1.1 and 5.0 packets, both directions, without any input or output.

``frame`` finds the next packet in what was received, ``decode`` and ``encode`` translate it; the
fast way in for runs of plain messages is ``collector.bulk``. Source: OASIS MQTT 3.1.1 and 5.0,
chapter 3.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from collector.fields import (
    NONE,
    Malformed,
    Properties,
    Property,
    Reader,
    Reason,
    binary,
    length,
    properties,
    text,
    two,
)
from collector.topics import topic_is_valid

V311: Final = 4
V5: Final = 5
CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(8, 16)
PONG: Final = b"\xd0\x00"
_FLAGS: Final = {PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2}
_OLD_CODES: Final = {
    Reason.UNSUPPORTED_VERSION: 1,
    Reason.BAD_CLIENT_ID: 2,
    Reason.BUSY: 3,
    Reason.SHUTTING_DOWN: 3,
    Reason.QUOTA: 3,
    Reason.BAD_CREDENTIALS: 4,
    Reason.NOT_AUTHORIZED: 5,
}


class Will(NamedTuple):
    """What is published when its client vanishes."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = NONE


class Connect(NamedTuple):
    """A client introduces itself."""

    client: str
    version: int = V311
    clean: bool = True
    keep_alive_s: int = 60
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    properties: Properties = NONE


class Connack(NamedTuple):
    """The server's answer to a Connect."""

    present: bool = False
    reason: int = 0
    properties: Properties = NONE


class Publish(NamedTuple):
    """A message."""

    topic: str
    payload: bytes
    qos: int = 0
    pid: int = 0
    retain: bool = False
    again: bool = False
    properties: Properties = NONE


class Ack(NamedTuple):
    """PUBACK, PUBREC, PUBREL or PUBCOMP, which is its ``kind``."""

    kind: int
    pid: int
    reason: int = 0


class Wanted(NamedTuple):
    """One filter of a Subscribe with its options (MQTT 5 section 3.8.3.1)."""

    filter: str
    qos: int = 0
    not_own: bool = False
    as_published: bool = False
    handling: int = 0


class Subscribe(NamedTuple):
    """A client wants messages."""

    pid: int
    wanted: tuple[Wanted, ...]
    properties: Properties = NONE


class Unsubscribe(NamedTuple):
    """A client wants them no longer."""

    pid: int
    filters: tuple[str, ...]


class Granted(NamedTuple):
    """SUBACK or UNSUBACK (its ``kind``): one reason per filter."""

    kind: int
    pid: int
    reasons: tuple[int, ...]


class Ping(NamedTuple):
    """PINGREQ or PINGRESP, which is its ``kind``."""

    kind: int = PINGREQ


class Disconnect(NamedTuple):
    """Either side says goodbye."""

    reason: int = 0
    properties: Properties = NONE


Packet = Connect | Connack | Publish | Ack | Subscribe | Unsubscribe | Granted | Ping | Disconnect


class Frame(NamedTuple):
    """Where a packet lies in the bytes received: its first byte, and its body."""

    first: int
    start: int
    end: int


def frame(data: bytes, pos: int) -> Frame | None:
    """Return the packet that begins at ``pos``, complete or not; None before its length is known.

    Raises Malformed for a length of more than four bytes.
    """
    size = len(data)
    count = shift = 0
    at = pos + 1
    while at < size:
        byte = data[at]
        at += 1
        count |= (byte & 0x7F) << shift
        if byte < 0x80:
            return Frame(data[pos], at, at + count)
        shift += 7
        if shift > 21:
            raise Malformed("packet length of more than four bytes")
    return None


def decode(first: int, data: bytes, start: int, end: int, version: int) -> Packet:
    """Return the packet whose body is ``data[start:end]``. Raises Malformed."""
    kind, flags = first >> 4, first & 0x0F
    reader = Reader(data, start, end)
    if kind == PUBLISH:
        return _read_publish(reader, flags, version)
    read = _READERS.get(kind)
    if read is None:
        raise Malformed(f"packet type {kind} is not spoken here", Reason.PROTOCOL_ERROR)
    if flags != _FLAGS.get(kind, 0):
        raise Malformed(f"packet type {kind} with flags {flags:#x}")
    packet = read(reader, kind, version)
    if reader.pos != end:
        raise Malformed("packet longer than its fields")
    return packet


def _read_publish(reader: Reader, flags: int, version: int) -> Publish:
    qos = flags >> 1 & 3
    if qos == 3 or (flags & 8 and not qos):
        raise Malformed(f"PUBLISH with flags {flags:#x}")
    topic = reader.text()
    pid = reader.pid() if qos else 0
    values = reader.properties("publish") if version == V5 else NONE
    if not (topic_is_valid(topic) or (not topic and Property.ALIAS in values)):
        raise Malformed(f"topic {topic[:60]!r} is not one", Reason.BAD_TOPIC)
    return Publish(topic, reader.rest(), qos, pid, bool(flags & 1), bool(flags & 8), values)


def _read_connect(reader: Reader, _kind: int, _version: int) -> Connect:
    if reader.text() != "MQTT":
        raise Malformed("protocol name is not MQTT", Reason.UNSUPPORTED_VERSION)
    version = reader.byte()
    if version not in (V311, V5):
        raise Malformed(f"protocol level {version}", Reason.UNSUPPORTED_VERSION)
    flags = reader.byte()
    keep_alive_s = reader.two()
    if flags & 1:
        raise Malformed("CONNECT with its reserved flag")
    if version == V311 and flags & 0x40 and not flags & 0x80:
        raise Malformed("password without user name")
    values = reader.properties("connect") if version == V5 else NONE
    if Property.AUTH_DATA in values and Property.AUTH_METHOD not in values:
        raise Malformed("authentication data without a method", Reason.PROTOCOL_ERROR)
    client = reader.text()
    will = _read_will(reader, flags, version)
    username = reader.text() if flags & 0x80 else None
    password = reader.binary() if flags & 0x40 else None
    clean = bool(flags & 2)
    return Connect(client, version, clean, keep_alive_s, username, password, will, values)


def _read_will(reader: Reader, flags: int, version: int) -> Will | None:
    qos = flags >> 3 & 3
    if not flags & 4:
        if flags & 0x38:
            raise Malformed("will flags without a will")
        return None
    if qos == 3:
        raise Malformed("will of QoS 3")
    values = reader.properties("will") if version == V5 else NONE
    topic, payload = reader.text(), reader.binary()
    if not topic_is_valid(topic):
        raise Malformed(f"will topic {topic[:60]!r} is not one", Reason.BAD_TOPIC)
    return Will(topic, payload, qos, bool(flags & 0x20), values)


def _read_connack(reader: Reader, _kind: int, version: int) -> Connack:
    present, reason = reader.byte(), reader.byte()
    values = reader.properties("connack") if version == V5 else NONE
    return Connack(bool(present), reason, values)


def _read_ack(reader: Reader, kind: int, version: int) -> Ack:
    pid = reader.pid()
    reason = 0
    if version == V5 and reader.pos < reader.end:
        reason = reader.byte()
        if reader.pos < reader.end:
            reader.properties("ack")
    return Ack(kind, pid, reason)


def _read_subscribe(reader: Reader, _kind: int, version: int) -> Subscribe:
    pid = reader.pid()
    values = reader.properties("subscribe") if version == V5 else NONE
    if len(values.get(Property.SUBSCRIPTION_ID, ())) > 1:
        raise Malformed("more than one subscription identifier", Reason.PROTOCOL_ERROR)
    wanted = []
    while reader.pos < reader.end:
        name, options = reader.text(), reader.byte()
        handling = options >> 4 & 3
        if options & 3 == 3 or handling == 3 or options & (0xFC if version == V311 else 0xC0):
            raise Malformed(f"subscription options {options:#x}")
        wanted.append(Wanted(name, options & 3, bool(options & 4), bool(options & 8), handling))
    if not wanted:
        raise Malformed("SUBSCRIBE to nothing", Reason.PROTOCOL_ERROR)
    return Subscribe(pid, tuple(wanted), values)


def _read_unsubscribe(reader: Reader, _kind: int, version: int) -> Unsubscribe:
    pid = reader.pid()
    if version == V5:
        reader.properties("unsubscribe")
    filters = []
    while reader.pos < reader.end:
        filters.append(reader.text())
    if not filters:
        raise Malformed("UNSUBSCRIBE from nothing", Reason.PROTOCOL_ERROR)
    return Unsubscribe(pid, tuple(filters))


def _read_granted(reader: Reader, kind: int, version: int) -> Granted:
    pid = reader.pid()
    if version == V5:
        reader.properties("ack")
    return Granted(kind, pid, tuple(reader.rest()))


def _read_ping(_reader: Reader, kind: int, _version: int) -> Ping:
    return Ping(kind)


def _read_disconnect(reader: Reader, _kind: int, version: int) -> Disconnect:
    if version != V5 or reader.pos == reader.end:
        return Disconnect()
    reason = reader.byte()
    values = reader.properties("disconnect") if reader.pos < reader.end else NONE
    return Disconnect(reason, values)


_READERS: Final[dict[int, Callable[[Reader, int, int], Packet]]] = {
    CONNECT: _read_connect,
    CONNACK: _read_connack,
    **dict.fromkeys((PUBACK, PUBREC, PUBREL, PUBCOMP), _read_ack),
    SUBSCRIBE: _read_subscribe,
    UNSUBSCRIBE: _read_unsubscribe,
    **dict.fromkeys((SUBACK, UNSUBACK), _read_granted),
    **dict.fromkeys((PINGREQ, PINGRESP), _read_ping),
    DISCONNECT: _read_disconnect,
}


def encode(packet: Packet, version: int) -> bytes:
    """Return the bytes of ``packet``; ``frame`` and ``decode`` give it back."""
    first, body = _WRITERS[type(packet)](packet, version)
    return bytes((first,)) + length(len(body)) + body


def _props(values: Properties, version: int) -> bytes:
    return properties(values) if version == V5 else b""


def _write_connect(p: Connect, version: int) -> tuple[int, bytes]:
    flags = p.clean << 1 | (p.username is not None) << 7 | (p.password is not None) << 6
    fields = text(p.client)
    if p.will is not None:
        flags |= 4 | p.will.qos << 3 | p.will.retain << 5
        fields += _props(p.will.properties, version) + text(p.will.topic) + binary(p.will.payload)
    if p.username is not None:
        fields += text(p.username)
    if p.password is not None:
        fields += binary(p.password)
    head = text("MQTT") + bytes((version, flags)) + two(p.keep_alive_s)
    return 0x10, head + _props(p.properties, version) + fields


def _write_connack(p: Connack, version: int) -> tuple[int, bytes]:
    reason = p.reason
    if version != V5 and reason >= 0x80:
        reason = _OLD_CODES.get(Reason(reason), 5)
    return 0x20, bytes((p.present, reason)) + _props(p.properties, version)


def _write_publish(p: Publish, version: int) -> tuple[int, bytes]:
    first = 0x30 | p.qos << 1 | p.retain | p.again << 3
    pid = two(p.pid) if p.qos else b""
    return first, text(p.topic) + pid + _props(p.properties, version) + p.payload


def _write_ack(p: Ack, version: int) -> tuple[int, bytes]:
    reason = bytes((p.reason,)) if version == V5 and p.reason else b""
    return p.kind << 4 | _FLAGS.get(p.kind, 0), two(p.pid) + reason


def _write_subscribe(p: Subscribe, version: int) -> tuple[int, bytes]:
    body = two(p.pid) + _props(p.properties, version)
    for w in p.wanted:
        options = w.qos | w.not_own << 2 | w.as_published << 3 | w.handling << 4
        body += text(w.filter) + bytes((options,))
    return 0x82, body


def _write_unsubscribe(p: Unsubscribe, version: int) -> tuple[int, bytes]:
    return 0xA2, two(p.pid) + _props(NONE, version) + b"".join(map(text, p.filters))


def _write_granted(p: Granted, version: int) -> tuple[int, bytes]:
    if version == V5:
        return p.kind << 4, two(p.pid) + b"\0" + bytes(p.reasons)
    codes = (min(code, 0x80) for code in p.reasons) if p.kind == SUBACK else ()
    return p.kind << 4, two(p.pid) + bytes(codes)


def _write_ping(p: Ping, _version: int) -> tuple[int, bytes]:
    return p.kind << 4, b""


def _write_disconnect(p: Disconnect, version: int) -> tuple[int, bytes]:
    if version != V5:
        return 0xE0, b""
    return 0xE0, bytes((p.reason,)) + (properties(p.properties) if p.properties else b"")


_WRITERS: Final[dict[type, Callable[[Any, int], tuple[int, bytes]]]] = {
    Connect: _write_connect,
    Connack: _write_connack,
    Publish: _write_publish,
    Ack: _write_ack,
    Subscribe: _write_subscribe,
    Unsubscribe: _write_unsubscribe,
    Granted: _write_granted,
    Ping: _write_ping,
    Disconnect: _write_disconnect,
}
