"""Which messages of a device were seen: duplicates told from late ones, gaps by their numbers.

A device numbers its messages 0, 1, 2, ... within a boot. Redelivery repeats a number, a lost
connection skips some and may bring them later. A device that forgot both its boot and its numbers
begins again at 0 under the same boot: told by the time of what it says, which nothing stored can be
newer than, and taken as another boot, ``b~1``.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from equipment.reading import Batch

BOOTS_KEPT = 4
GAPS_KEPT = 1000
STAMPED_AGAIN_MS = 1000
SHARED = "sp."  # begins a boot whose numbers several devices share: a missing one may be another's


@dataclass(slots=True)
class BootSeen:
    """What was seen of one boot: everything in ``floor..high`` except ``gaps``.

    Below ``floor`` nothing is known, so a number there counts as new (stores overwrite in place).
    """

    floor: int
    high: int
    gaps: list[tuple[int, int]] = field(default_factory=list)  # (first, last), ascending
    shared: bool = False

    def add(self, seq: int) -> bool:
        """Return whether ``seq`` is new, and remember it."""
        if seq == self.high + 1:
            self.high = seq
            return True
        if seq > self.high:
            if not self.shared:
                self.gaps.append((self.high + 1, seq - 1))
                self._forget_oldest()
            self.high = seq
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
    reboots: int = 0
    resets: int = 0  # numbers that began again without another boot
    runs: dict[str, tuple[int, int]] = field(default_factory=dict)  # boot -> run, from when (ms)

    def is_new(self, boot: str, seq: int) -> bool:
        """Return whether message ``seq`` of ``boot`` was not seen before, and remember it."""
        seen = self.boots.get(boot)
        if seen is not None:
            if seq == seen.high + 1:  # the usual case, without another call
                seen.high = seq
                return True
            return seen.add(seq)
        self.reboots += bool(self.boots)
        if len(self.boots) >= BOOTS_KEPT:
            oldest = next(iter(self.boots))
            del self.boots[oldest]
            self.runs.pop(oldest, None)
        self.boots[boot] = BootSeen(floor=seq, high=seq, shared=boot.startswith(SHARED))
        return True

    def run(self, boot: str, seq: int, at_ms: tuple[int, int], newest_ms: int) -> str | None:
        """Return under which boot a message counts whose number was seen, None for a redelivery.

        ``at_ms`` is the first and the last instant it names, ``newest_ms`` the newest that is
        stored of the device: what is newer than that was never stored. A second is left to devices
        that stamp a message again when they repeat it; no restart is that quick.
        """
        number, since_ms = self.runs.get(boot, (0, 0))
        if number and at_ms[0] >= since_ms and self.is_new(f"{boot}~{number}", seq):
            return f"{boot}~{number}"
        if at_ms[1] <= newest_ms + STAMPED_AGAIN_MS:
            return None
        number += 1
        while not self.is_new(f"{boot}~{number}", seq):
            number += 1
        self._began(boot, number, at_ms[0])
        return f"{boot}~{number}"

    def _began(self, boot: str, number: int, at_ms: int) -> None:
        self.resets += 1
        self.runs[boot] = (number, at_ms)

    def receive(self, ledger: str = "") -> None:
        """Count a message as received; one out of quarantine is taken back from where it counted.

        ``ledger`` is where that was, as ``Quarantined.ledger`` has it.
        """
        if ledger == "part" and self.stored:
            self.stored -= 1
        elif ledger in ("refused", "numbered") and self.quarantined:
            self.quarantined -= 1
        else:  # it is new here, or a crash has lost what was counted before
            self.received += 1

    def take_up(self, boot: str, seq: int, at_ms: int) -> None:
        """Count a row stored after this ledger was set down; -1 has no number."""
        new = seq < 0 or self.is_new(boot, seq)
        self.received += new
        self.stored += new
        base, tilde, number = boot.rpartition("~")
        if tilde and number.isdecimal() and base in self.boots:
            known, since_ms = self.runs.get(base, (0, 0))
            if int(number) > known:
                self._began(base, int(number), at_ms)
            elif not new and seq == self.boots[boot].floor:
                self.runs[base] = (known, min(since_ms, at_ms))

    def gaps(self) -> list[tuple[str, int, int]]:
        """Return (boot, first, last) of every run of missing messages."""
        return [(boot, a, b) for boot, seen in self.boots.items() for a, b in seen.gaps]

    def state(self) -> list[Any]:
        """Return what ``restored`` needs, in plain lists."""
        boots = [[boot, s.floor, s.high, s.gaps] for boot, s in self.boots.items()]
        counts = [self.received, self.stored, self.duplicate, self.quarantined]
        return [*counts, boots, self.reboots, self.resets, self.runs]

    @staticmethod
    def restored(state: list[Any]) -> "Tally":
        """Return the tally that ``state`` was taken from."""
        received, stored, duplicate, quarantined, boots, *later = state
        reboots, resets, runs = later or (0, 0, {})
        seen = {
            b: BootSeen(floor, high, [tuple(g) for g in gaps], b.startswith(SHARED))
            for b, floor, high, gaps in boots
        }
        runs = {boot: tuple(run) for boot, run in runs.items()}
        return Tally(received, stored, duplicate, quarantined, seen, reboots, resets, runs)


def take_up(tallies: dict[str, Tally], batch: Batch) -> None:
    """Count what is stored in ``batch``, which came after the ledgers were set down."""
    for block in batch.blocks:
        keys = zip(block.boots, block.seqs.tolist(), block.at_ms.tolist(), strict=True)
        for device, key in zip(block.devices, keys, strict=True):
            tallies.setdefault(device, Tally()).take_up(*key)
    for note in batch.notes:
        at_ms = note.body.get("t") or note.at_ms
        tallies.setdefault(note.device, Tally()).take_up(note.boot, note.seq, at_ms)
