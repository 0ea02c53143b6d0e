"""A batch comes back from its bytes, also from those of earlier versions."""

import msgspec
import numpy as np

from desk.arrival import Arrival
from equipment.reading import HISTORICAL, LATE, LIVE, Batch
from storage.batches import pack, unpack
from tests.desk.test_ingest import NOW_MS, World, tele

DAY_MS = 86_400_000


def as_before(batch: Batch) -> bytes:
    """Return the bytes that the first version kept: rows marked as history or not, no more."""
    blocks, notes, _ = msgspec.msgpack.decode(pack(batch))
    for block, kept in zip(blocks, batch.blocks, strict=True):
        block[-1] = (kept.lateness == HISTORICAL).tobytes()
    return msgspec.msgpack.encode([blocks, notes])


def marked(seq: int) -> Arrival:
    return tele(seq, t=NOW_MS - 9 * DAY_MS, h=1)


def test_what_an_earlier_version_marked_as_history_is_history() -> None:
    batch = World().hear(tele(1), marked(2))
    found = unpack(as_before(batch), 7)
    assert (found.id, found.received_ms) == (7, 0)
    assert found.blocks[0].lateness.tolist() == [LIVE, HISTORICAL]
    late = World().hear(tele(1, t=NOW_MS - DAY_MS // 2))
    assert unpack(pack(late), 1).blocks[0].lateness.tolist() == [LATE]


def test_clocks_are_not_judged_by_batches_that_do_not_say_when_they_came_in() -> None:
    before, after = World(), World()
    for n in range(5):
        times = {"t": NOW_MS - (5 - n) * 60_000}
        batch = before.hear(tele(2 * n, **times), marked(2 * n + 1))
        after.telemetry.append(unpack(as_before(batch), 0))
    after.ingest.resume()
    assert after.ingest.wrong_clocks() == []
    after.hear(tele(8, t=NOW_MS - 60_000))
    assert after.ingest.tallies["CHEM-001"].duplicate == 1
    assert np.isin(HISTORICAL, after.telemetry.batches(0).__next__().blocks[0].lateness)
