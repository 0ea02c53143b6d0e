"""Nothing acknowledged is lost: restarts, kill -9, a full disk, a second process."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from equipment.reading import Batch
from storage.batches import pack
from storage.interface import Checkpoint
from storage.memory import MemoryTelemetry
from storage.sqlite import SqliteTelemetry
from storage.tail import StorageError, Tail
from tests.storage.given_telemetry import EVER, T0, block, fleet, note, plain, readings

ROOT = Path(__file__).parents[2]
DEVICES = ["A", "B", "C"]
METRICS = ["temp", "vacuum", "flow"]

values = st.one_of(
    st.floats(-100, 100).map(lambda v: round(v, 2)),
    st.floats(allow_nan=False, allow_infinity=False),
)
sets = st.lists(st.sampled_from(METRICS), min_size=1, unique=True).map(tuple)


@st.composite
def blocks(draw):
    metrics = draw(sets)
    row = st.tuples(
        st.sampled_from(DEVICES),
        st.integers(-20, 40),
        st.lists(values, min_size=len(metrics), max_size=len(metrics)),
    )
    return block(draw(st.lists(row, min_size=1, max_size=12)), *metrics)


batches = st.builds(
    Batch,
    st.lists(blocks(), max_size=3),
    st.lists(st.builds(note, st.sampled_from(DEVICES), st.integers(-20, 40)), max_size=2),
)
actions = st.one_of(
    batches,
    st.just("reopen"),
    st.just("checkpoint"),
    st.just("look"),
    st.integers(-30, 20).map(lambda at: ("roll", at)),
)


def same(found, expected):
    assert found.keys() == expected.keys()
    for metric, one in found.items():
        assert one.at_ms.tolist() == expected[metric].at_ms.tolist()
        assert one.values.tobytes() == expected[metric].values.tobytes()


def look_alike(mine, other):
    assert mine.last(DEVICES) == other.last(DEVICES)
    for device in DEVICES:
        same(mine.raw(device, *EVER), other.raw(device, *EVER))
        same(mine.raw(device, T0, T0 + 20), other.raw(device, T0, T0 + 20))
        assert list(mine.notes(device, *EVER)) == list(other.notes(device, *EVER))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(actions, max_size=40), st.sampled_from([1, 2, 5, 1000]))
def test_sqlite_tells_the_same_story_as_memory(tmp_path_factory, todo, chunk_rows):
    path = tmp_path_factory.mktemp("t") / "t.db"
    memory, reader = MemoryTelemetry(), SqliteTelemetry(path)
    store = SqliteTelemetry(path, chunk_rows=chunk_rows)
    for action in todo:
        match action:
            case Batch():
                assert store.append(action) == memory.append(action)
            case "reopen":
                store.close()
                store = SqliteTelemetry(path, chunk_rows=chunk_rows)
            case "checkpoint":
                store.keep_checkpoint(Checkpoint(sum(1 for _ in memory.batches(0)), b""))
            case "look":
                look_alike(store, memory)
                look_alike(reader, memory)
            case ("roll", at):
                store.roll(T0 + at)
                memory.roll(T0 + at)
    look_alike(store, memory)
    look_alike(reader, memory)
    for opened in (store, reader):
        opened.close()


def test_a_later_generation_wins_over_an_earlier_one_with_more_rows(tmp_path):
    many = [block([("A", 0, [0.0])] * 3, "temp"), block([("A", 0, [0.0, 0.0])] * 3, "temp", "flow")]
    with closing(SqliteTelemetry(tmp_path / "t.db", chunk_rows=1)) as store:
        store.append(Batch(many))
        store.append(readings(("A", 0, 1.0)))
        assert plain(store.raw("A", *EVER))["temp"] == [(0, 1.0)]


APPENDER = """
import sys, numpy as np
from storage.interface import Checkpoint
from storage.sqlite import SqliteTelemetry
from tests.storage.given_telemetry import fleet
store, at = SqliteTelemetry(sys.argv[1], chunk_rows=20), int(sys.argv[2])
while True:
    at += 1
    id = store.append(fleet(50, at, np.random.default_rng(at)))
    print(id, at, flush=True)
    if id % 25 == 0:
        store.keep_checkpoint(Checkpoint(id - 10, b"state"))
"""


def killed_while_appending(path, start, after):
    """Append from ``start`` on, kill -9 after ``after`` answers; return all (id, at) answered."""
    arguments = [sys.executable, "-c", APPENDER, str(path), str(start)]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(after)]
        process.kill()
        lines += process.stdout.readlines()
    return [tuple(map(int, line.split())) for line in lines if line.endswith("\n")]


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path):
    path, answered = tmp_path / "t.db", []
    for after in (30, 75, 140, 5, 90):
        answered += killed_while_appending(path, answered[-1][1] if answered else 0, after)
        ids = [id for id, _ in answered]
        assert ids == sorted(set(ids))
        with closing(SqliteTelemetry(path)) as store:
            for number in (0, 7, 49):
                found = plain(store.raw(f"D{number}", *EVER))["temp"]
                for _, at in answered:
                    value = fleet(50, at, np.random.default_rng(at)).blocks[0].values[number, 0]
                    assert (at, value) in found
            upto = store.checkpoint().upto if store.checkpoint() else 0
            replayable = [batch.id for batch in store.batches(upto)]
            assert replayable == list(range(upto + 1, replayable[-1] + 1))
            assert replayable[-1] >= ids[-1]


def test_sealed_batches_up_to_the_checkpoint_leave_the_tail(tmp_path):
    with closing(SqliteTelemetry(tmp_path / "t.db", chunk_rows=5)) as store:
        for at in range(100):
            store.append(fleet(4, at, np.random.default_rng(at)))
        assert next(store.batches(0)).id == 1
        store.keep_checkpoint(Checkpoint(60, b""))
        for at in range(100, 110):
            store.append(fleet(4, at, np.random.default_rng(at)))
        assert next(store.batches(0)).id == 61


def test_a_full_disk_refuses_and_the_same_batch_can_be_sent_again(tmp_path):
    memory = MemoryTelemetry()
    with closing(SqliteTelemetry(tmp_path / "t.db", chunk_rows=5)) as store:
        for at in range(200):
            batch = Batch(fleet(30, at, np.random.default_rng(at)).blocks, [note("D1", at)])
            if at % 20 == 10:
                limit_pages(store, 1)
                with pytest.raises(StorageError, match="full"):
                    store.append(batch)
                look_alike_fleet(store, memory)
                limit_pages(store, 2**30)
            assert store.append(batch) == memory.append(batch)
        look_alike_fleet(store, memory)


def test_a_disk_that_is_full_refuses_until_there_is_room_again(small_disk):
    memory, ballast = MemoryTelemetry(), small_disk / "ballast"
    with closing(SqliteTelemetry(small_disk / "t.db", chunk_rows=5)) as store:
        for size in (2_500_000, 1_500_000, 500_000):
            ballast.write_bytes(bytes(size))
            refused = appended_until_refused(store, memory)
            look_alike_fleet(store, memory)
            ballast.unlink()
            assert store.append(refused) == memory.append(refused)
        look_alike_fleet(store, memory)
    with closing(SqliteTelemetry(small_disk / "t.db", chunk_rows=5)) as store:
        look_alike_fleet(store, memory)


def appended_until_refused(store, memory):
    """Append to both until the disk is full, and return the batch that was refused."""
    while True:
        at = sum(1 for _ in memory.batches(0))
        batch = Batch(fleet(30, at, np.random.default_rng(at)).blocks, [note("D1", at)])
        try:
            store.append(batch)
        except StorageError:
            return batch
        memory.append(batch)


def limit_pages(store, pages):
    """Let the file grow to at most ``pages``: SQLite then behaves as on a full disk."""
    with store._tail.writing() as db:
        used = db.execute("PRAGMA page_count").fetchone()[0]
    store._tail._writer.execute(f"PRAGMA max_page_count={max(used, pages)}")


def look_alike_fleet(store, memory):
    for device in ("D0", "D1", "D29"):
        same(store.raw(device, *EVER), memory.raw(device, *EVER))
        assert list(store.notes(device, *EVER)) == list(memory.notes(device, *EVER))


def test_a_locked_file_refuses_and_the_same_batch_can_be_sent_again(tmp_path):
    with closing(SqliteTelemetry(tmp_path / "t.db", busy_s=0.01)) as store:
        store.append(readings(("A", 1, 1.0)))
        with closing(sqlite3.connect(tmp_path / "t.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match="locked"):
                store.append(readings(("A", 2, 2.0)))
        assert store.append(readings(("A", 2, 2.0))) == 2
        assert plain(store.raw("A", *EVER)) == {"temp": [(1, 1.0), (2, 2.0)]}


def test_a_commit_that_seemed_to_fail_but_did_not_is_read_before_the_next_append(tmp_path):
    with closing(SqliteTelemetry(tmp_path / "t.db", chunk_rows=2)) as store:
        for at in range(1, 10):
            store.append(readings(("A", at, 1.0)))
        with closing(sqlite3.connect(tmp_path / "t.db")) as db, db:
            survived = (10, pack(readings(("A", 10, 2.0))))
            db.execute("INSERT INTO tail VALUES (?, ?)", survived)
        for at in range(10, 20):
            assert store.append(readings(("A", at, 3.0))) == at + 1
        found = plain(store.raw("A", *EVER))["temp"]
        assert found == [(at, 1.0 if at < 10 else 3.0) for at in range(1, 20)]
        assert [batch.id for batch in store.batches(0)] == list(range(1, 21))


def test_a_roll_by_another_process_is_seen(tmp_path):
    with (
        closing(SqliteTelemetry(tmp_path / "t.db")) as store,
        closing(SqliteTelemetry(tmp_path / "t.db")) as sweeper,
    ):
        store.append(readings(("A", 1, 1.0), ("A", 9, 2.0)))
        sweeper.roll(T0 + 5)
        store.append(readings(("A", 10, 3.0)))
        assert plain(store.raw("A", *EVER)) == {"temp": [(9, 2.0), (10, 3.0)]}


def test_a_second_process_may_read_but_not_append(tmp_path):
    with (
        closing(SqliteTelemetry(tmp_path / "t.db", chunk_rows=2)) as store,
        closing(SqliteTelemetry(tmp_path / "t.db")) as reader,
    ):
        for at in range(30):
            store.append(readings(("A", at, float(at))))
            assert reader.last(["A"]) == store.last(["A"])
        assert plain(reader.raw("A", *EVER)) == plain(store.raw("A", *EVER))
        with pytest.raises(StorageError, match="another process appends"):
            reader.append(readings(("A", 99, 0.0)))


def test_a_file_that_is_not_a_store_is_refused_by_name(tmp_path):
    (tmp_path / "t.db").write_bytes(b"not a database, certainly not" * 100)
    with pytest.raises(StorageError, match=r"t\.db"):
        SqliteTelemetry(tmp_path / "t.db")


def test_readers_see_every_committed_reading_while_others_are_sealed(tmp_path):
    rounds, wrong = 120, []
    with closing(SqliteTelemetry(tmp_path / "t.db", chunk_rows=7)) as store:
        committed = [0]

        def read():
            while committed[0] < rounds:
                least = committed[0]
                found = plain(store.raw("D3", *EVER)).get("temp", [])
                if [at for at, _ in found] != list(range(1, len(found) + 1)) or len(found) < least:
                    wrong.append((least, found))

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for at in range(1, rounds + 1):
            store.append(fleet(20, at, np.random.default_rng(at)))
            committed[0] = at
        for reader in readers:
            reader.join()
    assert not wrong


def test_the_log_stays_short_under_readers_without_a_pause(tmp_path):
    """There is never an instant without a reader, so the log could never begin anew by itself."""
    path, longest, done = tmp_path / "t.db", 0, threading.Event()
    with closing(Tail(path, log_bytes=2**20)) as tail:

        def read():
            while not done.is_set():
                with tail.reading() as db:
                    db.execute("SELECT upto FROM checkpoint").fetchall()
                    done.wait(0.003)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for upto in range(150):
            tail.keep_checkpoint(Checkpoint(upto, bytes(100_000)))
            longest = max(longest, (tmp_path / "t.db-wal").stat().st_size)
        done.set()
        for reader in readers:
            reader.join()
    assert longest < 150 * 100_000 / 3
