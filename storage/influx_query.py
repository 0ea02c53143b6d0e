"""What an InfluxDB server has of devices, readings and notes, asked in InfluxQL."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from equipment.reading import Note
from storage.influx_link import Answer, Link, quoted, text
from storage.interface import Series
from storage.lines import NOTES
from storage.merge import merged
from storage.register import Register, by_model

_FARTHEST_MS: Final = 9_223_372_036_000
_NEWEST_WITHIN: Final = "7d"
# A device whose clock is further ahead must not hide what it says later.
_NEWEST_AHEAD: Final = "5m"
# A device says its metrics in several messages; the newest rows together have them.
_ROWS: Final = 20
_NAMED_AT_MOST: Final = 200
_TAGS: Final = frozenset(("device", "model", "site"))


def within(start_ms: int, end_ms: int) -> str:
    """Return the condition on time; instants no server knows are cut."""
    first, past = max(start_ms, -_FARTHEST_MS), min(end_ms, _FARTHEST_MS)
    return f"time >= {first}ms AND time < {past}ms"


def one_of(devices: Sequence[str]) -> str:
    """Return the condition on the device."""
    return "(" + " OR ".join(f'"device" = {text(device)}' for device in devices) + ")"


class Queries:
    """Questions to one bucket. ``register`` tells the model of a device: its measurement."""

    def __init__(self, link: Link, register: Register) -> None:
        self._link, self._register = link, register

    def raw(
        self, device: str, start_ms: int, end_ms: int, metrics: Sequence[str] | None
    ) -> dict[str, Series]:
        """Return every reading of the device in time order, of all metrics for None."""
        if metrics is not None and not metrics:
            return {}
        fields = "*" if metrics is None else ", ".join(map(quoted, metrics))
        answers = self._link.ask(
            f"SELECT {fields} FROM {quoted(self._register(device).model)}"
            f" WHERE {one_of([device])} AND {within(start_ms, end_ms)}"
        )
        return merged([dict(series_of(answer)) for answer in answers])

    def last(self, devices: Sequence[str]) -> dict[str, dict[str, tuple[int, float]]]:
        """Return device -> metric -> (ms UTC, value) of the newest rows of the last week."""
        found: dict[str, dict[str, tuple[int, float]]] = {}
        for model, mine in sorted(by_model(self._register, devices).items()):
            named = f" AND {one_of(mine)}" if len(mine) <= _NAMED_AT_MOST else ""
            for answer in self._link.ask(
                f"SELECT * FROM {quoted(model)} WHERE time >= now() - {_NEWEST_WITHIN}"
                f" AND time <= now() + {_NEWEST_AHEAD}{named}"
                f' GROUP BY "device" ORDER BY time DESC LIMIT {_ROWS}'
            ):
                found[answer.tags.get("device", "")] = {
                    name: (int(series.at_ms[0]), float(series.values[0]))
                    for name, series in series_of(answer)
                }
        return {device: found[device] for device in devices if device in found}

    def notes(
        self, device: str, start_ms: int, end_ms: int, kinds: Sequence[str] | None
    ) -> list[Note]:
        """Return the notes of the device in time order."""
        if kinds is not None and not kinds:
            return []
        either = " OR ".join(f'"kind" = {text(kind)}' for kind in kinds or ())
        answers = self._link.ask(
            f'SELECT "kind", "boot", "seq", "body" FROM {quoted(NOTES)}'
            f" WHERE {one_of([device])} AND {within(start_ms, end_ms)}"
            + (f" AND ({either})" if either else "")
        )
        found = [_note(device, row) for answer in answers for row in answer.values]
        return in_order(found)


def _note(device: str, row: Sequence[int | float | str | None]) -> Note:
    at_ms, kind, boot, seq, body = row
    return Note(device, str(kind), int(at_ms or 0), str(boot), int(seq or 0), json.loads(str(body)))


def in_order(notes: Sequence[Note]) -> list[Note]:
    """Return the notes of one device in time order, each once."""
    kept = {(note.at_ms, note.kind, note.boot, note.seq): note for note in notes}
    return [note for _, note in sorted(kept.items())]


def by_device(
    link: Link, model: str, devices: Sequence[str], start_ms: int, span_ms: int
) -> Iterator[tuple[str, dict[str, Series]]]:
    """Yield what some devices of one model said within ``span_ms``, each in time order."""
    answers = link.ask(
        f"SELECT * FROM {quoted(model)} WHERE {one_of(devices)}"
        f' AND {within(start_ms, start_ms + span_ms)} GROUP BY "device"'
    )
    for answer in answers:
        yield answer.tags["device"], merged([dict(series_of(answer))])


def series_of(answer: Answer) -> Iterator[tuple[str, Series]]:
    """Yield (metric, series) of an answer, the rows in the order of the answer."""
    if not answer.values:
        return
    columns = dict(zip(answer.columns, zip(*answer.values, strict=True), strict=True))
    at_ms = np.array(columns.pop("time"), np.int64)
    for name in columns.keys() - _TAGS:
        values = np.array(columns[name], np.float64)  # null is nan
        there = ~np.isnan(values)
        if there.any():
            yield name, Series(at_ms[there], values[there])
