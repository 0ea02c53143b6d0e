"""Dirty: which hours of which devices have readings that no roll-up has seen, also after a crash.

A bit per device and hour. An hour is due when nothing came for it for a while, however late it was.
"""

import threading
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from equipment.reading import Block
from storage.recent import Numbers

HOUR_MS: Final = 3_600_000


class Due(NamedTuple):
    """An hour (its number since 1970) and the devices that said something for it."""

    hour: int
    devices: list[str]


class _Kept(msgspec.Struct, array_like=True):
    names: list[str]
    hours: dict[int, bytes]


class DirtyHours:
    """Marked by the thread that forwards, taken by the one that rolls up."""

    def __init__(self, kept: bytes | None = None) -> None:
        found = msgspec.msgpack.decode(kept, type=_Kept) if kept else _Kept([], {})
        self._devices = Numbers()
        self._devices.of(found.names)
        self._lock = threading.Lock()
        self._dirty = {hour: int.from_bytes(bits, "little") for hour, bits in found.hours.items()}
        self._taken: dict[int, int] = {}
        self._marked_at: dict[int, float] = {}

    def mark(self, blocks: Iterable[Block], now_s: float) -> None:
        """Mark every hour that ``blocks`` have readings of; ``now_s`` is on a steady clock."""
        pairs = {
            pair
            for block in blocks
            for pair in zip(block.devices, (block.at_ms // HOUR_MS).tolist(), strict=True)
        }
        with self._lock:
            for device, hour in pairs:
                self._dirty[hour] = self._dirty.get(hour, 0) | 1 << self._bit(device)
                self._marked_at[hour] = now_s

    def _bit(self, device: str) -> int:
        return int(self._devices.of([device])[0])

    def take(self, quiet_before_s: float) -> Due | None:
        """Take the oldest hour that was not marked since ``quiet_before_s``."""
        with self._lock:
            due = [h for h in self._dirty if self._marked_at.get(h, -1.0) <= quiet_before_s]
            if not due:
                return None
            hour = min(due)
            bits = self._taken[hour] = self._dirty.pop(hour)
            self._marked_at.pop(hour, None)
            names = self._devices.names
            return Due(hour, [names[n] for n in range(bits.bit_length()) if bits >> n & 1])

    def done(self, hour: int) -> None:
        """The hour that was taken is rolled up."""
        with self._lock:
            self._taken.pop(hour)

    def give_back(self, hour: int) -> None:
        """The hour that was taken could not be rolled up."""
        with self._lock:
            self._dirty[hour] = self._dirty.get(hour, 0) | self._taken.pop(hour)

    def packed(self) -> bytes:
        """Return what is to be kept, as the next start takes it."""
        with self._lock:
            hours = sorted(self._dirty.keys() | self._taken.keys())
            bits = {hour: self._dirty.get(hour, 0) | self._taken.get(hour, 0) for hour in hours}
            packed = {h: b.to_bytes((b.bit_length() + 7) // 8, "little") for h, b in bits.items()}
            return msgspec.msgpack.encode(_Kept(self._devices.names, packed))

    def __len__(self) -> int:
        return len(self._dirty) + len(self._taken)
