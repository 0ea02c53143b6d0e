"""Blame: which lines of a request an InfluxDB server means when it refuses.

1.x and 2.x quote a line they cannot parse, and name measurement and field of a type conflict with
how many points were dropped; 3.x gives line numbers. Points older than the retention are no fault.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

_FORGOTTEN: Final = re.compile(r"(beyond|outside) retention policy")
_UNPARSED: Final = re.compile(r"unable to parse '(.*?)': ", re.DOTALL)
_CONFLICT: Final = re.compile(
    r'input field "(.*?)" on measurement "(.*?)" is type .*? dropped=(\d+)'
)


class _Line(msgspec.Struct):
    line_number: int = 0


class _Said(msgspec.Struct):
    error: str | None = None
    message: str | None = None
    data: list[_Line] | _Line | None = None


def said(answer: str) -> str:
    """Return the server's sentence in ``answer``."""
    found = _read(answer)
    return found.message or found.error or answer


def _read(answer: str) -> _Said:
    try:
        return msgspec.json.decode(answer, type=_Said)
    except msgspec.DecodeError:
        return _Said(error=answer)


def only_forgotten(answer: str) -> bool:
    """Return whether nothing is wrong but that some points are older than the server keeps them.

    The others were written then.
    """
    sentence = said(answer)
    faults = _UNPARSED.search(sentence) or "conflict" in sentence
    return bool(_FORGOTTEN.search(sentence)) and not faults


def blamed(answer: str, lines: Sequence[str]) -> set[int]:
    """Return the places of the lines that are surely meant; empty when that is not sure."""
    found = _read(answer)
    data = found.data if isinstance(found.data, list) else [found.data] if found.data else []
    numbered = {one.line_number - 1 for one in data if 0 < one.line_number <= len(lines)}
    return numbered or _quoted(said(answer), lines) or _in_conflict(said(answer), lines)


def _quoted(sentence: str, lines: Sequence[str]) -> set[int]:
    texts = set(_UNPARSED.findall(sentence))
    return {place for place, line in enumerate(lines) if line in texts} if texts else set()


def _in_conflict(sentence: str, lines: Sequence[str]) -> set[int]:
    """A type conflict is that of every line with the field if as many points were dropped."""
    conflict = _CONFLICT.search(sentence)
    if conflict is None:
        return set()
    field, measurement, dropped = conflict.groups()
    with_field = re.compile(rf"{re.escape(measurement)},[^ ]* (.*,)?{re.escape(field)}=")
    places = {place for place, line in enumerate(lines) if with_field.match(line)}
    return places if len(places) == int(dropped) else set()
