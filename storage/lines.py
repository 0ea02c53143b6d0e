"""Lines: what devices said, as InfluxDB's line protocol, times in ns.

A device model is a measurement, its metrics are fields; tags are site, device and model in that
order, which InfluxDB 3 sorts by. A note is a point of measurement ``note``: its kind is a tag, what
tells it from others of its millisecond is in the rest of its time, so that a repeat is the same
point.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from equipment.reading import Batch, Block, Note
from storage.batches import body_text
from storage.register import Register

NOTES: Final = "note"
_WITHIN_MS: Final = 1_000_000
_NAMES: Final = str.maketrans({" ": r"\ ", ",": r"\,", "=": r"\="})
_TEXTS: Final = str.maketrans({'"': r"\"", "\\": r"\\"})


def name(text: str) -> str:
    """Return a measurement, tag or field as line protocol writes it."""
    return text.translate(_NAMES)


def numbers(values: Sequence[float]) -> list[str]:
    """Return each value in the fewest digits that give it back exactly; NaN is ``null``."""
    return msgspec.json.encode(values).decode()[1:-1].split(",") if values else []


class Lines:
    """Writes lines; ``register`` tells model and site of a device."""

    def __init__(self, register: Register) -> None:
        self._register = register

    def shared(self, batches: Iterable[Batch], ways: int) -> list[list[str]]:
        """Return a line per row and per note in the order of writing, in so many shares.

        The lines of a device are in one of them.
        """
        shares: list[list[str]] = [[] for _ in range(ways)]
        heads = _Heads(self._head)
        for batch in batches:
            for block in batch.blocks:
                for device, line in zip(block.devices, _rows(block, heads), strict=True):
                    shares[hash(device) % ways].append(line)
            for note in batch.notes:
                shares[hash(note.device) % ways].append(self._note(note))
        return shares

    def _head(self, device: str) -> str:
        standing = self._register(device)
        model, site = name(standing.model), name(standing.site)
        return f"{model},site={site},device={name(device)},model={model} "

    def _note(self, note: Note) -> str:
        site = name(self._register(note.device).site)
        body, boot = body_text(note).translate(_TEXTS), note.boot.translate(_TEXTS)
        at_ns = note.at_ms * _WITHIN_MS + _within_ms(note)
        return (
            f"{NOTES},site={site},device={name(note.device)},kind={name(note.kind)} "
            f'body="{body}",boot="{boot}",seq={note.seq}i {at_ns}'
        )


class _Heads(dict[str, str]):
    """What the lines of a device begin with, made once for each."""

    def __init__(self, make: Callable[[str], str]) -> None:
        self._make = make

    def __missing__(self, device: str) -> str:
        head = self[device] = self._make(device)
        return head


def _rows(block: Block, heads: Mapping[str, str]) -> list[str]:
    fields = ",".join(name(metric).replace("%", "%%") + "=%s" for metric in block.metrics)
    template = f"%s{fields} %d000000"
    digits = iter(numbers(block.values.ravel().tolist()))
    rows = zip(*[digits] * len(block.metrics), strict=True)
    together = zip(block.devices, rows, block.at_ms.tolist(), strict=True)
    return [template % (heads[device], *row, at_ms) for device, row, at_ms in together]


def _within_ms(note: Note) -> int:
    """Return ns that differ for any million consecutive numbers of one boot."""
    return (note.seq + zlib.crc32(note.boot.encode())) % _WITHIN_MS


def aggregate_lines(
    head: str, fields: Sequence[str], rows: Iterator[tuple[int, list[str]]]
) -> list[str]:
    """Return a line per row of numbers; what is ``null`` in a row is left out of it."""
    lines = []
    for at_ms, digits in rows:
        pairs = zip(fields, digits, strict=True)
        present = ",".join([f"{field}={digit}" for field, digit in pairs if digit != "null"])
        if present:
            lines.append(f"{head}{present} {at_ms}000000")
    return lines
