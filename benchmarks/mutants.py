"""Mutants: MQTT packets that are almost right, and the ways they may arrive.

Everything comes from the random numbers handed in: the same seed makes the same bytes.
"""

from random import Random

from collector import packets
from collector.fields import Property, length
from collector.packets import (
    V5,
    V311,
    Ack,
    Connack,
    Connect,
    Disconnect,
    Granted,
    Packet,
    Ping,
    Publish,
    Subscribe,
    Unsubscribe,
    Wanted,
    Will,
    encode,
)

USERS = ("desk", *(f"F{number}" for number in range(8)))
LONGEST = 8  # packets of one connection
_VALUES = {
    Property.CONTENT_TYPE: "json",
    Property.USER: (("a", "b"), ("a", "")),
    Property.MESSAGE_EXPIRY: 9,
    Property.CORRELATION: b"\0\1",
    Property.RESPONSE_TOPIC: "fc/v1/S1/F1/ack",
}


def hello(random: Random, version: int) -> Connect:
    """Return the CONNECT of one of ``USERS``, with a session, a will or neither."""
    user = random.choice(USERS)
    will = Will(f"fc/v1/S1/{user}/state", b"offline", random.randrange(3), random.random() < 0.5)
    kept = {Property.SESSION_EXPIRY: random.choice((1, 60)), Property.RECEIVE_MAXIMUM: 3}
    kept[Property.MAXIMUM_PACKET] = random.choice((30, 5000))
    return Connect(
        random.choice(("", user, f"{user}-2")),
        version,
        random.random() < 0.5,
        random.choice((0, 1, 60)),
        user,
        b"pw",
        will if random.random() < 0.3 else None,
        kept if version == V5 and random.random() < 0.5 else {},
    )


def packet(random: Random, version: int) -> Packet:
    """Return a packet as a client may send it, or only a server may."""
    user, pid = random.choice(USERS), random.choice((1, 2, 3, 9, 0xFFFF))
    topic = f"fc/v1/S1/{user}/{random.choice(('tele', 'state', 'cmd', 'x'))}"
    payload = random.choice((b"", b'{"b":"1","s":1}', b"x" * 200, b"x" * 70_000))
    options = Wanted(topic, random.randrange(3), random.random() < 0.5, random.random() < 0.5)
    wide = random.choice((Wanted("#", 1), Wanted("fc/v1/+/+/#", 0), Wanted("$share/g/#", 1)))
    alias = {Property.ALIAS: random.choice((1, 2, 10, 11))}
    qos = random.randrange(3)
    retain = random.random() < 0.2
    number = pid if qos else 0
    kinds: tuple[Packet, ...] = (
        Publish(topic, payload, qos, number, retain, bool(qos) and random.random() < 0.2),
        Publish(topic, payload, qos, number, retain, False, _VALUES if version == V5 else {}),
        Publish(topic, b"a", qos, number, retain, False, alias if version == V5 else {}),
        Publish("" if version == V5 else topic, b"a", qos, number, False, False, alias),
        Publish(topic, b'{"b":"1","s":1}', 1, pid),
        Ack(random.choice((4, 5, 6, 7)), pid, random.choice((0, 0, 0x10, 0x80))),
        Subscribe(pid, (options if version == V5 else Wanted(topic, 1), wide)),
        Subscribe(pid, (wide,), {Property.SUBSCRIPTION_ID: (random.choice((1, 268_435_455)),)}),
        Unsubscribe(pid, (topic, "#")),
        Ping(random.choice((packets.PINGREQ, packets.PINGREQ, packets.PINGRESP))),
        Disconnect(random.choice((0, 4, 0x81)), {Property.SESSION_EXPIRY: random.randrange(3)}),
        Connack(),
        Granted(random.choice((9, 11)), pid, (0,)),
        hello(random, version),
    )
    return random.choice(kinds)


def mutated(random: Random, data: bytes, other: bytes) -> bytes:
    """Return ``data`` with one to four things wrong; ``other`` lends parts."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        out = random.choice(_WAYS)(random, out, other)
    return bytes(out)


def _flip(random: Random, out: bytearray, _other: bytes) -> bytearray:
    if out:
        out[random.randrange(len(out))] ^= 1 << random.randrange(8)
    return out


def _byte(random: Random, out: bytearray, _other: bytes) -> bytearray:
    if out:
        out[random.randrange(min(len(out), 64))] = random.choice((0, 1, 0x7F, 0x80, 0xFF))
    return out


def _insert(random: Random, out: bytearray, _other: bytes) -> bytearray:
    place = random.randrange(len(out) + 1)
    out[place:place] = random.randbytes(random.randint(1, 8))
    return out


def _delete(random: Random, out: bytearray, _other: bytes) -> bytearray:
    place = random.randrange(len(out) + 1)
    del out[place : place + random.randint(1, 8)]
    return out


def _cut(random: Random, out: bytearray, _other: bytes) -> bytearray:
    return out[: random.randrange(len(out) + 1)]


def _twice(_random: Random, out: bytearray, _other: bytes) -> bytearray:
    return out + out if len(out) < 1 << 18 else out


def _splice(random: Random, out: bytearray, other: bytes) -> bytearray:
    return out[: random.randrange(len(out) + 1)] + other[random.randrange(len(other) + 1) :]


def _wrong_length(random: Random, out: bytearray, _other: bytes) -> bytearray:
    """Let the packet say another length than it has: off by a few, by nothing, by a lot."""
    body = _body(out)
    count = random.choice((0, 1, len(body) - 1, len(body) + 1, len(body) + 200, 0x0FFFFFFF))
    return out[:1] + length(max(count, 0)) + body


def _wrong_kind(random: Random, out: bytearray, _other: bytes) -> bytearray:
    return bytearray((random.randrange(256),)) + out[1:]


def _wrong_field(random: Random, out: bytearray, _other: bytes) -> bytearray:
    """Change one byte of the body where lengths of fields and properties are, length kept."""
    body = _body(out)
    if body:
        body[random.randrange(min(len(body), 40))] = random.randrange(256)
    return out[:1] + length(len(body)) + body


def _longer(random: Random, out: bytearray, _other: bytes) -> bytearray:
    """Put bytes into the body and correct the length of the packet for them."""
    body = _body(out)
    place = random.randrange(len(body) + 1)
    body[place:place] = random.randbytes(random.randint(1, 6))
    return out[:1] + length(len(body)) + body


def _body(out: bytearray) -> bytearray:
    place = 1
    while place < min(len(out), 4) and out[place] > 0x7F:
        place += 1
    return out[place + 1 :]


_WAYS = (
    _flip,
    _byte,
    _insert,
    _delete,
    _cut,
    _twice,
    _splice,
    _wrong_length,
    _wrong_kind,
    _wrong_field,
    _longer,
)


def talk(random: Random) -> list[tuple[bytes, bool]]:
    """Return what one client sends: packets, and whether each is a mutant."""
    version = random.choice((V311, V5))
    said: list[tuple[bytes, bool]] = []
    if random.random() < 0.9:  # else it begins without a CONNECT
        said.append((encode(hello(random, version), version), False))
    for _ in range(random.randint(1, LONGEST)):
        data = encode(packet(random, version), version)
        if random.random() < 0.8:
            other = encode(packet(random, random.choice((V311, V5))), version)
            said.append((mutated(random, data, other), True))
        else:
            said.append((data, False))
    return said


def arrival(random: Random, said: list[tuple[bytes, bool]]) -> list[tuple[bytes, int]]:
    """Return the pieces in which it arrives, each with how many mutants begin in it.

    Packets come one by one, in pieces, or several in one piece.
    """
    if random.random() < 0.2:
        return [(b"".join(data for data, _ in said), sum(mutant for _, mutant in said))]
    pieces: list[tuple[bytes, int]] = []
    for data, mutant in said:
        if data and random.random() < 0.2:
            cuts = sorted(random.randrange(len(data)) for _ in range(random.randint(1, 4)))
            parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
            pieces += [(part, 0) for part in parts if part]
            pieces[-1] = (pieces[-1][0], int(mutant))
        elif data:
            pieces.append((data, int(mutant)))
    return pieces
