"""The ward: refused messages are kept in it, within bounds, and leave it when replayed."""

import logging
from collections.abc import Iterable, Sequence

from desk.sorted import Decided
from equipment.quarantine import Quarantined, Replay, Result, counted
from storage.interface import Records, Shelf, Work

log = logging.getLogger(__name__)

QUARANTINE_KEPT = 100_000
QUARANTINE_BYTES = 256 * 1024 * 1024
_EVICTED_TO = 0.99  # of the bound: counting again is rare, and letting go takes no 200 ms


class Ward:
    """Used from one thread, of the one process that collects; others may only take away.

    ``most`` messages and ``most_bytes`` of payload are kept; above it the oldest go first.
    """

    def __init__(
        self, records: Records, *, most: int = QUARANTINE_KEPT, most_bytes: int = QUARANTINE_BYTES
    ) -> None:
        self._records, self._most, self._most_bytes = records, most, most_bytes
        self._count: int | None = None  # not known before it is counted; then at least what is kept
        self._bytes = 0
        self.evicted = 0

    def admit(self, refused: Sequence[Quarantined]) -> None:
        """Keep ``refused`` durably. Raises what the store raises; the same may be given again."""
        with self._records.begin() as work:
            shelf = work.shelf(Quarantined)
            for one in refused:
                shelf.put(one)
            evicted = self._make_room(work, refused)
        if evicted:
            self.evicted += evicted
            log.warning(
                "quarantine is full, the oldest messages went",
                extra={"gone": evicted, "most": self._most, "most_bytes": self._most_bytes},
            )
        for reason in sorted({one.reason for one in refused}):
            first = next(one for one in refused if one.reason == reason)
            log.warning(
                "message quarantined",
                extra={"reason": reason, "topic": first.topic, "why": first.why},
            )

    def _make_room(self, work: Work, refused: Sequence[Quarantined]) -> int:
        """Remove the oldest while there are too many; return how many went."""
        if self._count is not None:
            self._count += len(refused)
            self._bytes += sum(one.size for one in refused)
            if self._count <= self._most and self._bytes <= self._most_bytes:
                return 0
        shelf = work.shelf(Quarantined)
        self._count, self._bytes = shelf.count(), shelf.total("size")
        if self._count > self._most or self._bytes > self._most_bytes:
            return self._evict(shelf)
        return 0

    def _evict(self, shelf: Shelf[Quarantined]) -> int:
        before = self._count or 0
        most, most_bytes = _EVICTED_TO * self._most, _EVICTED_TO * self._most_bytes
        left = before
        while left > most or self._bytes > most_bytes:
            (oldest,) = shelf.find(limit=1)
            shelf.remove(oldest.id)
            left -= 1
            self._bytes -= oldest.size
        self._count = left
        return before - left

    def settle(self, decided: Iterable[Decided]) -> None:
        """Let go of what is stored by now, keep the new reasons of the rest, count for the replays.

        Raises what the store raises; the same may be given again.
        """
        with self._records.begin() as work:
            shelf = work.shelf(Quarantined)
            results: dict[str, list[Result]] = {}
            for one in decided:
                kept = shelf.get(one.again.id)
                if one.refused is None:
                    shelf.remove(one.again.id)
                elif kept is not None:  # not discarded meanwhile
                    shelf.put(one.refused)
                results.setdefault(one.again.replay, []).append(_result(one))
            for id, some in results.items():
                replay = work.shelf(Replay).get(id)
                if replay is not None:
                    work.shelf(Replay).put(counted(replay, some))


def _result(one: Decided) -> Result:
    refused = one.refused
    why = (refused.reason, refused.why) if refused else ("", "")
    return Result(one.again.id, one.outcome, *why)
