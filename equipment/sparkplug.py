"""Sparkplug B 3.0: what edge nodes and their devices say, put into our own messages.

Topics are ``spBv1.0/{group}/{kind}/{edge}[/{device}]``: the group is our site, the device our
device; what an edge node says of itself is said by the device that has its name. Source: Sparkplug
Specification 3.0.0, chapters 4 to 6.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from equipment.sparkplug_payload import Metric, Payload, is_number, is_text, number
from equipment.wire import VALUE_LIMIT, Birth, Declared, Event, MalformedMessage, Tele

NAMESPACE: Final = "spBv1.0"
EDGE_KINDS: Final = ("NBIRTH", "NDEATH", "NDATA")
DEVICE_KINDS: Final = ("DBIRTH", "DDEATH", "DDATA")
HOST_STATE: Final = f"{NAMESPACE}/STATE/fieldcare"
PARTS: Final = 1024  # our messages of one payload; they share its number
NAME_LIMIT: Final = 200
_VALUES_EACH: Final = 200
_EVENTS_EACH: Final = 100
_COMMANDS: Final = (["NCMD"], ["DCMD"])
_PART = re.compile(r"[^/+#\0\ud800-\udfff]{1,200}\Z")
_HOUSEKEEPING = re.compile(r"(bdSeq\Z|Node Control/|Device Control/)")
_ERROR_CODE = re.compile(r"(.*/)?error[_ ]code\Z", re.IGNORECASE)
_ABOUT: Final = {"serial": ("serial", "serial_number"), "fw": ("fw", "firmware", "fw_version")}
# What people write, and what UCUM calls it.
_UNITS: Final = {"°C": "Cel", "℃": "Cel", "°F": "[degF]", "mmHg": "mm[Hg]", "rpm": "/min"}


class Place(NamedTuple):
    """Who speaks in a topic, and of what kind it is; ``device`` is empty for the edge node."""

    group: str
    kind: str
    edge: str
    device: str = ""

    @property
    def speaker(self) -> str:
        """The device of ours that this is."""
        return self.device or self.edge


class Known(NamedTuple):
    """What an alias or a name stood for at birth."""

    name: str
    type: int | None


Table = Mapping[int | str, Known]


def is_sparkplug(topic: str) -> bool:
    """Return whether ``topic`` belongs to Sparkplug B."""
    return topic.startswith("spBv1.0/")


def is_hosts(topic: str) -> bool:
    """Return whether ``topic`` carries what a host says: commands, and whether it is there."""
    levels = topic.split("/", 3)
    return levels[0] == NAMESPACE and (levels[1:2] == ["STATE"] or levels[2:3] in _COMMANDS)


def host_state(*, online: bool, at_ms: int) -> bytes:
    """Return what a host says of itself, retained on HOST_STATE. Source: section 6.4.28."""
    return msgspec.json.encode({"online": online, "timestamp": at_ms})


def place(topic: str) -> Place:
    """Split a topic. Raises MalformedMessage (``foreign_topic``) for any other one."""
    parts = topic.split("/")
    kind = parts[2] if len(parts) in (4, 5) and parts[0] == NAMESPACE else ""
    if kind not in (EDGE_KINDS if len(parts) == 4 else DEVICE_KINDS):
        wanted = f"{NAMESPACE}/group/kind/edge[/device]"
        raise MalformedMessage("foreign_topic", f"topic {topic[:200]!r} is not {wanted}")
    for name in parts[1:]:
        if not _PART.match(name):
            raise MalformedMessage("foreign_topic", f"{name[:60]!r} in a topic is no name")
    return Place(parts[1], kind, *parts[3:])


def bd_seq(payload: Payload) -> int | None:
    """Return the number of the edge node's connection that its birth and death carry."""
    for metric in payload.metrics:
        if metric.name == "bdSeq" and isinstance(metric.value, int):
            return metric.value
    return None


def table(payload: Payload) -> dict[int | str, Known]:
    """Return what the aliases and names of a birth stand for.

    Raises MalformedMessage for a metric without a name, or one that is far too long, and for an
    alias of two metrics: what it says later could be of either.
    """
    found: dict[int | str, Known] = {}
    for metric in payload.metrics:
        if not 0 < len(metric.name) <= NAME_LIMIT:
            why = f"birth: metric name {metric.name[:60]!r} has not 1-{NAME_LIMIT} characters"
            raise MalformedMessage("malformed", why)
        known = found[metric.name] = Known(metric.name, metric.type)
        if metric.alias is None:
            continue
        other = found.setdefault(metric.alias, known)
        if other.name != known.name:
            why = f"birth: alias {metric.alias} stands for {other.name!r} and {known.name!r}"
            raise MalformedMessage("malformed", why)
    return found


def birth(payload: Payload, boot: str, device: str) -> Birth:
    """Return the birth as we write it: metrics with a unit, others are in the catalogue's."""
    about = {field: device if field == "serial" else "" for field in _ABOUT}
    declared = []
    for metric in payload.metrics:
        last = metric.name.rpartition("/")[2].casefold().replace(" ", "_")
        for field, names in _ABOUT.items():
            if last in names and isinstance(metric.value, str):
                about[field] = metric.value[:NAME_LIMIT]
        if metric.unit and is_number(metric.type) and not _HOUSEKEEPING.match(metric.name):
            declared.append(Declared(metric.name, _UNITS.get(metric.unit, metric.unit)))
    at_ms = payload.at_ms or 0
    return Birth(v=1, b=boot, model="", metrics=declared, t=at_ms, **about)


class Said(NamedTuple):
    """What a payload comes to: our messages, and reason -> why for what is left out of it."""

    messages: list[Tele | Event]
    problems: dict[str, str]


def said(payload: Payload, known: Table, boot: str, seq: int, *, born: bool = False) -> Said:
    """Return the readings and error codes of a payload, numbered from ``seq * PARTS``.

    A birth (``born``) repeats the error code that still stands; that is no new one.
    """
    problems: dict[str, str] = {}
    rows: dict[tuple[bool, int], dict[str, float]] = {}
    codes: list[tuple[int, str]] = []
    for metric in payload.metrics:
        try:
            what = _named(metric, known)
            at_ms = metric.at_ms if metric.at_ms is not None else payload.at_ms
            if isinstance(metric.value, str):
                if is_text(what.type) and _ERROR_CODE.match(what.name) and metric.value:
                    codes.append((_instant(at_ms, what), metric.value[:NAME_LIMIT]))
            elif metric.value is not None and not _HOUSEKEEPING.match(what.name):
                value = _reading(metric.value, what)
                if value is not None:
                    row = rows.setdefault((metric.historical, _instant(at_ms, what)), {})
                    row[what.name] = value
        except MalformedMessage as error:
            problems.setdefault(error.reason, str(error))
    return Said(list(_messages(rows, [] if born else codes, boot, seq * PARTS)), problems)


def _named(metric: Metric, known: Table) -> Known:
    what = known.get(metric.name) if metric.name else None
    if what is None and metric.alias is not None:
        what = known.get(metric.alias)
    if what is None and (not metric.name or metric.type is None):
        which = f"metric {metric.name[:60]!r}" if metric.name else f"alias {metric.alias}"
        raise MalformedMessage("unborn", f"{which} was not declared at birth")
    if what is None or (what.type is None and metric.type is not None):
        return Known(metric.name[:NAME_LIMIT], metric.type)
    return what


def _instant(at_ms: int | None, what: Known) -> int:
    if at_ms is None or at_ms > 2**53:
        raise MalformedMessage("malformed", f"metric {what.name}: time {at_ms} is no instant")
    return at_ms


def _reading(value: float, what: Known) -> float | None:
    """Return the value as a reading, None for one of a type that is no number."""
    if not is_number(what.type):
        return None
    read = number(value, what.type)
    if not math.isfinite(read):
        raise MalformedMessage("not_a_number", f"metric {what.name}: {read} is no number")
    if abs(read) > VALUE_LIMIT:
        raise MalformedMessage("malformed", f"metric {what.name}: a number beyond {VALUE_LIMIT:g}")
    return read


def _messages(
    rows: Mapping[tuple[bool, int], Mapping[str, float]],
    codes: Iterable[tuple[int, str]],
    boot: str,
    seq: int,
) -> Iterator[Tele | Event]:
    for historical in (False, True):
        mine = ((at, row) for (then, at), row in rows.items() if then == historical)
        for some in _portions(mine):
            if len(some) == 1 and not historical:
                yield Tele(boot, seq, some[0][0], some[0][1])
            else:
                yield Tele(boot, seq, r=some, h=int(historical))
            seq += 1
    for at_ms, code in list(codes)[:_EVENTS_EACH]:
        yield Event(boot, seq, at_ms, code, "error")
        seq += 1


def _portions(
    rows: Iterable[tuple[int, Mapping[str, float]]],
) -> Iterator[list[tuple[int, dict[str, float]]]]:
    """Yield rows in portions of at most so many values that a message of ours can hold."""
    portion: list[tuple[int, dict[str, float]]] = []
    size = 0
    for at_ms, row in rows:
        values = list(row.items())
        for start in range(0, len(values), _VALUES_EACH):
            some = values[start : start + _VALUES_EACH]
            if portion and size + len(some) > _VALUES_EACH:
                yield portion
                portion, size = [], 0
            portion.append((at_ms, dict(some)))
            size += len(some)
    if portion:
        yield portion
