"""Take over what an earlier version kept before InfluxDB in SQLite: batches, notes, checkpoint.

Everything is forwarded again, which changes nothing on the server, so that nothing can be missing.
"""

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from equipment.reading import Batch
from storage.batches import pack
from storage.influx import NewestKept
from storage.interface import Checkpoint
from storage.spool import Spool
from storage.tail import Tail

log = logging.getLogger(__name__)
_NOTES_AT_ONCE: Final = 1000


def take_over(old: Path, folder: Path, now_ms: int) -> None:
    """Move what is in the SQLite file ``old``, if it was such a spool, to a new spool ``folder``.

    May be repeated after a crash. Raises StorageError.
    """
    if not _was_a_spool(old):
        return
    if not folder.exists():
        fresh = folder.with_name(folder.name + ".taking-over")
        shutil.rmtree(fresh, ignore_errors=True)
        with closing(Tail(old)) as tail, closing(Spool(fresh, most_bytes=2**62)) as spool:
            tail.claim()
            batches = _fill(spool, tail, now_ms)
        fresh.rename(folder)
        log.warning("an earlier spool was taken over", extra={"file": str(old), "batches": batches})
    old.rename(old.with_name(old.name + ".taken-over"))


def _was_a_spool(path: Path) -> bool:
    """Return whether ``path`` is the spool of an earlier version, and no embedded store."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        named = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
    return "refused" in named


def _fill(spool: Spool, tail: Tail, now_ms: int) -> int:
    """Put notes, then batches in the spool, and say up to where the rules have them."""
    for batch in _notes(tail):
        spool.append(pack(batch), now_ms)
    upto, count, checkpoint = spool.newest, 0, tail.checkpoint()
    with tail.reading() as db:
        newest = dict(db.execute("SELECT name, newest FROM device"))
    spool.put("newest", msgspec.msgpack.encode(NewestKept(upto, newest)))
    for batch in tail.batches(0):
        id = spool.append(pack(batch), now_ms)
        count += 1
        if checkpoint is not None and batch.id <= checkpoint.upto:
            upto = id
    if checkpoint is not None:
        spool.keep_checkpoint(Checkpoint(upto, checkpoint.state))
    return count


def _notes(tail: Tail) -> Iterator[Batch]:
    with tail.reading() as db:
        devices = [name for (name,) in db.execute("SELECT DISTINCT device FROM note")]
    for device in devices:
        notes = tail.notes(device, -(2**62), 2**62)
        for start in range(0, len(notes), _NOTES_AT_ONCE):
            yield Batch(notes=notes[start : start + _NOTES_AT_ONCE])
