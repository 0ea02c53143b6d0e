"""MQTT 3.1.1 packets, the few a device needs, as bytes. Source: OASIS MQTT 3.1.1, section 3."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
SUBACK: Final = 9
PINGRESP: Final = 13

PING: Final = b"\xc0\x00"
DISCONNECT: Final = b"\xe0\x00"
_DUP: Final = 0x08
_LONGEST_REST = 4


class BrokenPacket(ValueError):
    """Bytes that are no MQTT packet; the text says what was found."""


class Packet(NamedTuple):
    """A received packet: its type, its flags and what follows the length."""

    type: int
    flags: int
    body: bytes


class Login(NamedTuple):
    """User name and password."""

    user: str
    password: str


class Published(NamedTuple):
    """A received PUBLISH; ``id`` is 0 at QoS 0."""

    topic: str
    payload: bytes
    id: int


def _text(text: str) -> bytes:
    return _binary(text.encode())


def _binary(part: bytes) -> bytes:
    return struct.pack(">H", len(part)) + part


def _packet(first: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    length, rest = bytearray(), len(body)
    while True:
        rest, low = divmod(rest, 128)
        length.append(low | (0x80 if rest else 0))
        if not rest:
            return bytes((first, *length)) + body


def connect(client: str, login: Login, will_topic: str, will: bytes, keep_alive_s: int) -> bytes:
    """Return a CONNECT that keeps its session, with a retained will at QoS 1."""
    flags = 0x80 | 0x40 | 0x20 | 0x08 | 0x04
    head = _text("MQTT") + bytes((4, flags)) + struct.pack(">H", keep_alive_s)
    about_will = (_text(will_topic), _binary(will))
    return _packet(0x10, head, _text(client), *about_will, _text(login.user), _text(login.password))


def publish(topic: str, payload: bytes, packet_id: int, *, retain: bool) -> bytes:
    """Return a PUBLISH at QoS 1."""
    first = 0x32 | int(retain)
    return _packet(first, _text(topic), struct.pack(">H", packet_id), payload)


def again(published: bytes) -> bytes:
    """Return the same PUBLISH marked as a duplicate."""
    return bytes((published[0] | _DUP,)) + published[1:]


def subscribe(topic: str, packet_id: int) -> bytes:
    """Return a SUBSCRIBE at QoS 1."""
    return _packet(0x82, struct.pack(">H", packet_id), _text(topic), b"\x01")


def puback(packet_id: int) -> bytes:
    """Return a PUBACK."""
    return b"\x40\x02" + struct.pack(">H", packet_id)


def packet_id(body: bytes) -> int:
    """Return the packet id that an acknowledgement starts with."""
    if len(body) < 2:
        raise BrokenPacket(f"acknowledgement of {len(body)} bytes")
    return body[0] << 8 | body[1]


def published(packet: Packet) -> Published:
    """Read a received PUBLISH."""
    body = packet.body
    end = 2 + packet_id(body)
    has_id = packet.flags & 0x06
    start = end + 2 if has_id else end
    if len(body) < start:
        raise BrokenPacket(f"publish of {len(body)} bytes ends in its header")
    number = packet_id(body[end:]) if has_id else 0
    return Published(body[2:end].decode(), body[start:], number)


def taken(buffer: bytearray) -> Iterator[Packet]:
    """Yield the whole packets at the start of ``buffer`` and remove them from it."""
    start = 0
    try:
        while (ends := _extent(buffer, start)) is not None:
            body, end = ends
            yield Packet(buffer[start] >> 4, buffer[start] & 0x0F, bytes(buffer[body:end]))
            start = end
    finally:
        del buffer[:start]


def _extent(buffer: bytearray, start: int) -> tuple[int, int] | None:
    """Return where the body of the packet at ``start`` begins and ends, or None: not all here."""
    length = 0
    for place in range(_LONGEST_REST):
        at = start + 1 + place
        if at >= len(buffer):
            return None
        length |= (buffer[at] & 0x7F) << (7 * place)
        if not buffer[at] & 0x80:
            return (at + 1, at + 1 + length) if at + 1 + length <= len(buffer) else None
    raise BrokenPacket("remaining length of more than four bytes")
