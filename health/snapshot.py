"""Snapshot: the bank's tables as bytes, and back into a bank with other devices in it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from health.alarm import Alarm
from health.table import Picks, Table

FORMAT = 2
Key = tuple[str, str, str]


class UnreadableSnapshot(ValueError):
    """A snapshot of another format; the text names both."""


class Extent(NamedTuple):
    """Where a device's rows begin in each group of tables, and how many they are."""

    firsts: tuple[int, ...]
    counts: tuple[int, ...]


class Move(NamedTuple):
    """The rows of one device: where they were, where they belong now."""

    old: Extent
    new: Extent


class Kept(msgspec.Struct, array_like=True):
    """What a snapshot holds: (id, model, profile digest, row counts) per device, and its rows."""

    format: str
    devices: list[tuple[str, str, str, list[int]]]
    tables: list[list[bytes]]
    active: list[tuple[int, int, Alarm]]
    not_newer: int

    def moves(self, mine: Mapping[Key, Extent]) -> list[Move]:
        """Return the moves of the devices that are in both banks with the same profile."""
        moves, first = [], [0] * len(self.tables)
        for id, model, digest, counts in self.devices:
            new = mine.get((id, model, digest))
            if new is not None:
                moves.append(Move(Extent(tuple(first), tuple(counts)), new))
            first = [a + b for a, b in zip(first, counts, strict=True)]
        return moves

    def copy(self, moves: Sequence[Move], groups: Sequence[Sequence[Table]]) -> None:
        """Write the kept rows to their new places."""
        for group, (tables, contents) in enumerate(zip(groups, self.tables, strict=True)):
            old = _rows([move.old for move in moves], group)
            new = _rows([move.new for move in moves], group)
            for table, content in zip(tables, contents, strict=True):
                table.rows[new] = table.read(content)[old]

    def moved_alarms(self, moves: Sequence[Move]) -> dict[tuple[int, int], Alarm]:
        """Return the active alarms of the devices that moved, by rule number and new seat."""
        seats: dict[tuple[int, int], int] = {}
        for move in moves:
            for group in range(1, len(self.tables)):
                for step in range(move.old.counts[group]):
                    old = move.old.firsts[group] + step
                    seats[group - 1, old] = move.new.firsts[group] + step
        return {(n, seats[n, s]): alarm for n, s, alarm in self.active if (n, s) in seats}


def _rows(extents: Sequence[Extent], group: int) -> Picks:
    parts = [np.arange(e.firsts[group], e.firsts[group] + e.counts[group]) for e in extents]
    return np.concatenate([np.zeros(0, np.int64), *parts])


def pack(
    devices: Sequence[tuple[str, str, str, tuple[int, ...]]],
    groups: Sequence[Sequence[Table]],
    active: Sequence[tuple[int, int, Alarm]],
    not_newer: int,
) -> bytes:
    """Return the snapshot of these tables."""
    rows = [(id, model, digest, list(counts)) for id, model, digest, counts in devices]
    # Encoded as bytes are, but these are hundreds of megabytes with thousands of devices.
    tables: Any = [[table.dump() for table in group] for group in groups]
    kept = Kept(_format(groups), rows, tables, list(active), not_newer)
    return msgspec.msgpack.encode(kept)


def _format(groups: Sequence[Sequence[Table]]) -> str:
    """Return what a snapshot of these tables is read by: it changes with any of their columns."""
    layouts = "\n".join(table.layout for group in groups for table in group)
    return f"{FORMAT}:{hashlib.sha256(layouts.encode()).hexdigest()[:16]}"


def unpack(state: bytes, groups: Sequence[Sequence[Table]]) -> Kept:
    """Return what ``pack`` wrote of tables like these. Raises UnreadableSnapshot."""
    try:
        kept = msgspec.msgpack.decode(state, type=Kept)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableSnapshot(f"snapshot cannot be read: {error}") from error
    if kept.format != _format(groups):
        raise UnreadableSnapshot(f"snapshot of format {kept.format}, not {_format(groups)}")
    return kept
