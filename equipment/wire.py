"""The MQTT message format, both directions: what a device says, and what it is told.

Topics are ``fc/v1/{site}/{device}/{kind}``. Payloads are JSON. Times are ms UTC.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Annotated, Any, Final, NamedTuple, Protocol, cast

import msgspec

ROOT: Final = "fc/v1"
KINDS: Final = ("tele", "birth", "state", "event", "qc", "maint", "ack")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
PAYLOAD_LIMIT: Final = 64 * 1024
ROWS_LIMIT: Final = 2000
VALUE_LIMIT: Final = 1e15  # beyond it nothing is measured, and sums would overflow


Boot = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Ms = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Value = Annotated[float, msgspec.Meta(ge=-VALUE_LIMIT, le=VALUE_LIMIT)]


class MalformedMessage(ValueError):
    """A message that cannot be used: ``reason`` is a code, the text says which part is wrong."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason = reason


class Address(NamedTuple):
    """Whose message it is, and of which kind."""

    site: str
    device: str
    kind: str

    @property
    def topic(self) -> str:
        """The MQTT topic of this address."""
        return f"{ROOT}/{self.site}/{self.device}/{self.kind}"


class Declared(msgspec.Struct, frozen=True, omit_defaults=True):
    """One metric as a birth declares it: name, UCUM unit, period in s, plausible range."""

    n: str
    u: str
    p: float = 60.0
    lo: float | None = None
    hi: float | None = None


class Birth(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who I am, which metrics I send, in which units, how often."""

    v: int
    b: Boot
    serial: str
    model: str
    metrics: list[Declared]
    maker: str = ""
    fw: str = ""
    profile: str = ""
    t: Ms = 0


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """online, offline (sent by the will) or asleep."""

    state: str
    b: str = ""
    t: Ms = 0


class Tele(msgspec.Struct, frozen=True, omit_defaults=True):
    """Readings: one instant (``t`` and ``m``), or a batch of them (``r``)."""

    b: Boot
    s: Seq
    t: Ms | None = None
    m: dict[str, Value] | None = None
    q: dict[str, int] | None = None
    h: int = 0
    r: list[tuple[Ms, dict[str, Value]]] | None = None


class Event(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An error code, a door, a leak, a reboot: code, severity and how often."""

    b: Boot
    s: Seq
    t: Ms
    code: str
    sev: str = "info"
    n: int = 1
    ctx: dict[str, float | str] = {}


class Qc(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One result of control material, never of a patient."""

    b: Boot
    s: Seq
    t: Ms
    assay: str
    level: int
    value: float
    u: str
    mean: float
    sd: float
    lot: str = ""


class Maint(msgspec.Struct, frozen=True, omit_defaults=True):
    """Maintenance done at the device: the task, the component, the counters it reset."""

    b: Boot
    s: Seq
    t: Ms
    task: str
    component: str = ""
    resets: list[str] = []


class Ack(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer of a device to a request: the request's id and whether it was done."""

    id: str
    ok: bool
    why: str = ""


class Command(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request to a device, sent on ``.../cmd``."""

    id: str
    do: str
    args: dict[str, float | str] = {}


class Instant(Protocol):
    """A tele message of one instant whose metrics were known beforehand: no dict was built."""

    b: str
    s: int
    t: int
    m: msgspec.Struct
    h: int


Message = Birth | State | Tele | Event | Qc | Maint | Ack

_TYPES: dict[str, type[Message]] = {
    "birth": Birth,
    "state": State,
    "tele": Tele,
    "event": Event,
    "qc": Qc,
    "maint": Maint,
    "ack": Ack,
}
_DECODERS = {kind: msgspec.json.Decoder(type_) for kind, type_ in _TYPES.items()}
_ENCODER = msgspec.json.Encoder()


def address(topic: str) -> Address:
    """Split a topic into site, device and kind.

    Raises MalformedMessage (``foreign_topic``) for any other topic.
    """
    parts = topic.split("/")
    if len(parts) != 5 or parts[0] != "fc" or parts[1] != "v1":
        raise MalformedMessage(
            "foreign_topic", f"topic {topic[:200]!r} is not {ROOT}/site/device/kind"
        )
    _, _, site, device, kind = parts
    for field, name in (("site", site), ("device", device)):
        if not _NAME.match(name):
            raise MalformedMessage(
                "foreign_topic", f"{field} {name[:60]!r} is not 1-40 of A-Z a-z 0-9 _ -"
            )
    if kind not in _DECODERS:
        raise MalformedMessage("foreign_topic", f"kind {kind[:60]!r} is none of {', '.join(KINDS)}")
    return Address(site, device, kind)


def decode(kind: str, payload: bytes) -> Message:
    """Return the typed message of ``kind``.

    Raises MalformedMessage: ``oversize``, or ``malformed`` with the path of the wrong field.
    """
    if len(payload) > PAYLOAD_LIMIT:
        raise MalformedMessage(
            "oversize", f"payload of {len(payload)} bytes, limit {PAYLOAD_LIMIT}"
        )
    try:
        message = _DECODERS[kind].decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _explained(kind, payload, error) from error
    if kind == "tele":
        _check_rows(message)
    return message


def _explained(kind: str, payload: bytes, error: Exception) -> MalformedMessage:
    """Name the wrong field: the fast decoder stops at ``$.m[...]`` and does not know NaN."""
    try:
        loose = json.loads(payload)
    except (ValueError, RecursionError):
        return MalformedMessage("malformed", f"{kind}: {error}")
    for path, value in _values(loose, "$"):
        if isinstance(value, float) and not math.isfinite(value):
            return MalformedMessage("not_a_number", f"{kind}: {value} is no number - at `{path}`")
    if kind == "tele" and "[...]" in str(error):
        for path, value in _values(loose, "$"):
            wrong = _wrong(value) if path.startswith(("$.m", "$.r")) else None
            if wrong:
                return MalformedMessage("malformed", f"tele: {wrong} - at `{path}`")
    return MalformedMessage("malformed", f"{kind}: {error}")


def _wrong(value: Any) -> str | None:
    """Return why ``value`` is no reading, or None."""
    if not isinstance(value, int | float):
        return f"expected a number, got {type(value).__name__}"
    return f"a number beyond {VALUE_LIMIT:g}" if abs(value) > VALUE_LIMIT else None


def _values(loose: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (path, value) of every leaf of a JSON document, at most two containers below ``$``."""
    if isinstance(loose, dict) and path.count(".") < 3:
        for key, value in loose.items():
            yield from _values(value, f"{path}.{key[:60]}")
    elif isinstance(loose, list) and path.count("[") < 2:
        for place, value in enumerate(loose):
            yield from _values(value, f"{path}[{place}]")
    else:
        yield path, loose


def _check_rows(message: Any) -> None:
    if (message.r is None) == (message.m is None):
        raise MalformedMessage("malformed", "tele: exactly one of m and r must be given - at `$.m`")
    if message.m is not None and message.t is None:
        raise MalformedMessage("malformed", "tele: an instant needs its time - at `$.t`")
    if message.r is not None and len(message.r) > ROWS_LIMIT:
        raise MalformedMessage(
            "oversize", f"tele: {len(message.r)} rows, limit {ROWS_LIMIT} - at `$.r`"
        )


@lru_cache(maxsize=256)
def instant_decoder(metrics: tuple[str, ...]) -> Callable[[bytes], Instant]:
    """Return a decoder of tele messages that carry exactly ``metrics``, in any order.

    It is twice as fast as ``decode``; ``msgspec.structs.astuple(message.m)`` gives the values in
    the order of ``metrics``. It raises msgspec.DecodeError for any other message, also good ones.
    """
    fields = [f"m{place}" for place in range(len(metrics))]
    values = msgspec.defstruct(
        "Values",
        [(field, Value) for field in fields],
        rename=dict(zip(fields, metrics, strict=True)),
        forbid_unknown_fields=True,
        gc=False,
    )
    instant = msgspec.defstruct(
        "Instant",
        [("b", Boot), ("s", Seq), ("t", Ms), ("m", values), ("h", int, 0)],
        forbid_unknown_fields=True,
        gc=False,
    )
    decoder: Any = msgspec.json.Decoder(instant)
    return cast("Callable[[bytes], Instant]", decoder.decode)


def encode(message: Message | Command) -> bytes:
    """Return the payload of ``message``; ``decode`` gives it back."""
    return _ENCODER.encode(message)
