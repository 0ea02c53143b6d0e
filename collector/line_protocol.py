"""Line protocol: one point of a time series as InfluxDB writes it on one line.

``measurement,tag=value field=1.5,other=2i 1790000000000000000``. A comma, space or equals sign
with a backslash before it is part of a name. Source: InfluxDB's line protocol reference.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

LINE_LIMIT: Final = 64 * 1024
TICKS: Final = {"ns": 1_000_000, "us": 1000, "ms": 1, "s": 0.001}  # how many make a ms
_COMMA, _EQUALS = re.compile(r"(?<!\\),"), re.compile(r"(?<!\\)=")
_SPACE = re.compile(r"(?<!\\) +")
_ESCAPED = re.compile(r"\\([,= ])")
_TEXT = r'"(?:\\.|[^"\\])*"'
_FIELD = re.compile(rf'((?:[^=, ]|(?<=\\)[=, ])+)(?<!\\)=({_TEXT}|[^", ]+)(,?)', re.DOTALL)
_CLOSED = re.compile(_TEXT, re.DOTALL)
_INTEGER = re.compile(r"-?\d{1,20}[iu]\Z", re.ASCII)
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_TIME = re.compile(r"-?\d{1,20}\Z", re.ASCII)
_TRUTH: Final = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), 1.0),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), 0.0),
}


class BadLine(ValueError):
    """A line that is no point; the text says which part is wrong."""


class Point(NamedTuple):
    """One point. ``fields`` are numbers, booleans as 1 and 0; ``texts`` names those of text."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, float]
    texts: list[str]
    time: int | None


def point(line: str) -> Point:
    """Return the point written in ``line``. Raises BadLine."""
    whose, _, rest = _split(line, _SPACE)
    if not rest:
        raise BadLine("no field: expected measurement,tags fields time")
    measurement, *pairs = _COMMA.split(whose)
    if not measurement:
        raise BadLine("no measurement at the start of the line")
    fields, texts, end = _fields(rest)
    return Point(_plain(measurement), _tags(pairs), fields, texts, _time(rest[end:].strip()))


def _split(text: str, separator: re.Pattern[str]) -> tuple[str, str, str]:
    found = separator.search(text)
    return (text[: found.start()], found[0], text[found.end() :]) if found else (text, "", "")


def _plain(name: str) -> str:
    return _ESCAPED.sub(r"\1", name) if "\\" in name else name


def _tags(pairs: Iterable[str]) -> dict[str, str]:
    tags = {}
    for pair in pairs:
        key, equals, value = _split(pair, _EQUALS)
        if not (key and equals and value):
            raise BadLine(f"tag {pair[:60]!r} is not name=value")
        tags[_plain(key)] = _plain(value)
    return tags


def _fields(text: str) -> tuple[dict[str, float], list[str], int]:
    """Return the numbers, the names of texts, and where the fields end."""
    numbers: dict[str, float] = {}
    texts: list[str] = []
    at, more = 0, ","
    while more:
        found = _FIELD.match(text, at)
        if found is None:
            raise BadLine(f"field {text[at : at + 60]!r} is not name=value")
        name, value, more = _plain(found[1]), found[2], found[3]
        if value[0] == '"':
            texts.append(name)
        else:
            numbers[name] = _number(name, value)
        at = found.end()
    if text[at : at + 1] not in ("", " "):
        raise BadLine(f"expected a comma or the time at {text[at : at + 40]!r}")
    return numbers, texts, at


def _number(name: str, value: str) -> float:
    if value in _TRUTH:
        return _TRUTH[value]
    if _INTEGER.match(value):
        return float(value[:-1])
    number = float(value) if _FLOAT.match(value) else math.nan
    if not math.isfinite(number):
        raise BadLine(f"field {name[:60]}: {value[:40]!r} is no number")
    return number


def _time(text: str) -> int | None:
    if not text:
        return None
    if not _TIME.match(text):
        raise BadLine(f"time {text[:40]!r} is no whole number")
    return int(text)


def whole_lines(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield numbered lines without those that hold no point; a text may go on on the next line.

    Left out are empty lines, comments, and the part of an export that creates databases.
    """
    creating = False
    for number, line in lines:
        if line.startswith("#"):
            creating = line.startswith("# DDL") or (creating and not line.startswith("# DML"))
        elif not creating and not line.isspace():
            yield number, _joined(line, lines).rstrip("\r\n")


def _joined(line: str, lines: Iterator[tuple[int, str]]) -> str:
    """Return ``line`` with those that its open text goes on in."""
    while '"' in line and len(line) < LINE_LIMIT and _is_open(line):
        following = next(lines, None)
        if following is None:
            break
        line += following[1]
    return line


def _is_open(line: str) -> bool:
    fields = _split(line, _SPACE)[2]
    return '"' in _CLOSED.sub("", fields)
