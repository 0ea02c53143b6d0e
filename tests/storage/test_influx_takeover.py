"""An installation that had its spool in SQLite goes on, and nothing of it is lost."""

from contextlib import closing

import pytest

from equipment.reading import Batch
from storage.batches import unpack
from storage.follow import TABLES
from storage.influx_takeover import take_over
from storage.interface import Checkpoint
from storage.spool import Spool
from storage.sqlite import SqliteTelemetry
from storage.tail import Tail, insert
from tests.storage.given_telemetry import note, readings

_REFUSED = "CREATE TABLE refused(id INTEGER PRIMARY KEY, why TEXT);"


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "telemetry.sqlite"
    with closing(Tail(path, TABLES + _REFUSED)) as tail:
        for at in range(10):
            with tail.writing() as db:
                insert(db, Batch(readings(("A", at, float(at))).blocks, [note("A", at, seq=at)]))
        tail.keep_checkpoint(Checkpoint(7, b"rules"))
        with tail.writing() as db:
            db.execute("DELETE FROM tail WHERE id <= 4")
    return path


def test_unsent_batches_notes_and_the_checkpoint_are_taken_over(old, tmp_path):
    take_over(old, tmp_path / "spool", 5)
    with closing(Spool(tmp_path / "spool")) as spool:
        batches = [unpack(record.payload, record.id) for record in spool.records(0)]
        assert spool.cursor == 0
        assert spool.checkpoint() == Checkpoint(4, b"rules")
    assert [len(batch.notes) for batch in batches] == [10, 1, 1, 1, 1, 1, 1]
    assert [batch.blocks[0].values[0, 0] for batch in batches[1:]] == [4, 5, 6, 7, 8, 9]
    assert not old.exists()


def test_taking_over_may_be_repeated_after_a_crash(old, tmp_path):
    (tmp_path / "spool.taking-over").mkdir()
    (tmp_path / "spool.taking-over" / "cursor.new").touch()
    take_over(old, tmp_path / "spool", 5)
    take_over(old, tmp_path / "spool", 5)
    with closing(Spool(tmp_path / "spool")) as spool:
        assert spool.newest == 7


def test_an_embedded_store_is_left_alone(tmp_path):
    with closing(SqliteTelemetry(tmp_path / "telemetry.sqlite")) as store:
        store.append(readings(("A", 0, 1.0)))
    take_over(tmp_path / "telemetry.sqlite", tmp_path / "spool", 5)
    assert (tmp_path / "telemetry.sqlite").exists()
    assert not (tmp_path / "spool").exists()
