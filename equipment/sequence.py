"""Which messages of a device were seen: duplicates told from late ones, gaps by their numbers.

A device numbers its messages 0, 1, 2, ... within a boot. Redelivery repeats a number, a lost
connection skips some and may bring them later.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

BOOTS_KEPT = 4
GAPS_KEPT = 1000


@dataclass(slots=True)
class BootSeen:
    """What was seen of one boot: everything in ``floor..high`` except ``gaps``.

    Below ``floor`` nothing is known, so a number there counts as new (stores overwrite in place).
    """

    floor: int
    high: int
    gaps: list[tuple[int, int]] = field(default_factory=list)  # (first, last), ascending

    def add(self, seq: int) -> bool:
        """Return whether ``seq`` is new, and remember it."""
        if seq == self.high + 1:
            self.high = seq
            return True
        if seq > self.high:
            self.gaps.append((self.high + 1, seq - 1))
            self.high = seq
            self._forget_oldest()
            return True
        return seq < self.floor or self._fill(seq)

    def _forget_oldest(self) -> None:
        if len(self.gaps) > GAPS_KEPT:
            self.floor = self.gaps.pop(0)[1] + 1

    def _fill(self, seq: int) -> bool:
        place = bisect_right(self.gaps, (seq, self.high)) - 1
        if place < 0 or not self.gaps[place][0] <= seq <= self.gaps[place][1]:
            return False
        first, last = self.gaps[place]
        self.gaps[place : place + 1] = [
            part for part in ((first, seq - 1), (seq + 1, last)) if part[0] <= part[1]
        ]
        self._forget_oldest()
        return True


@dataclass(slots=True)
class Tally:
    """The conservation ledger of one device: received = stored + duplicate + quarantined."""

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    boots: dict[str, BootSeen] = field(default_factory=dict)  # oldest first

    def is_new(self, boot: str, seq: int) -> bool:
        """Return whether message ``seq`` of ``boot`` was not seen before, and remember it."""
        seen = self.boots.get(boot)
        if seen is not None:
            if seq == seen.high + 1:  # the usual case, without another call
                seen.high = seq
                return True
            return seen.add(seq)
        if len(self.boots) >= BOOTS_KEPT:
            del self.boots[next(iter(self.boots))]
        self.boots[boot] = BootSeen(floor=seq, high=seq)
        return True

    def take_up(self, boot: str, seq: int) -> None:
        """Count a stored message that came after this ledger was set down; -1 has no number."""
        if seq < 0 or self.is_new(boot, seq):
            self.received += 1
            self.stored += 1

    def gaps(self) -> list[tuple[str, int, int]]:
        """Return (boot, first, last) of every run of missing messages."""
        return [(boot, a, b) for boot, seen in self.boots.items() for a, b in seen.gaps]

    def state(self) -> list[Any]:
        """Return what ``restored`` needs, in plain lists."""
        boots = [[boot, s.floor, s.high, s.gaps] for boot, s in self.boots.items()]
        return [self.received, self.stored, self.duplicate, self.quarantined, boots]

    @staticmethod
    def restored(state: list[Any]) -> "Tally":
        """Return the tally that ``state`` was taken from."""
        received, stored, duplicate, quarantined, boots = state
        seen = {
            b: BootSeen(floor, high, [tuple(g) for g in gaps]) for b, floor, high, gaps in boots
        }
        return Tally(received, stored, duplicate, quarantined, seen)
