"""The spool: what was appended is there, whatever happens to the process, the disk or the bytes."""

import logging
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.interface import Checkpoint
from storage.spool import Spool
from storage.tail import StorageError


def kept(folder: Path, after: int = 0) -> list[tuple[int, bytes]]:
    with closing(Spool(folder)) as spool:
        return [(record.id, record.payload) for record in spool.records(after)]


def fill(folder: Path, n: int, size: int = 50, **how: int) -> list[tuple[int, bytes]]:
    rng = random.Random(n)
    with closing(Spool(folder, **how)) as spool:
        return [
            (spool.append(p, 1000 + i), p)
            for i, p in enumerate(rng.randbytes(size) for _ in range(n))
        ]


def only_segment(folder: Path) -> Path:
    (path,) = folder.glob("*.segment")
    return path


def copied(source: Path, target: Path, content: bytes) -> Path:
    target.mkdir()
    (target / source.name).write_bytes(content)
    return target


def test_what_was_appended_is_read_in_order_and_after_a_restart(tmp_path):
    with closing(Spool(tmp_path)) as spool:
        assert [spool.append(bytes([i]) * i, i) for i in range(5)] == [1, 2, 3, 4, 5]
        assert [(r.id, r.at_ms, r.payload) for r in spool.records(3)] == [
            (4, 3, b"\3\3\3"),
            (5, 4, b"\4\4\4\4"),
        ]
    assert [id for id, _ in kept(tmp_path)] == [1, 2, 3, 4, 5]
    with closing(Spool(tmp_path)) as spool:
        assert spool.append(b"more", 9) == 6


def test_one_process_at_a_time_has_the_spool(tmp_path):
    with closing(Spool(tmp_path)), pytest.raises(StorageError, match="another process"):
        Spool(tmp_path)
    Spool(tmp_path).close()


def test_segments_behind_cursor_and_checkpoint_go_and_the_ids_go_on(tmp_path):
    with closing(Spool(tmp_path, most_bytes=16_000)) as spool:
        for i in range(60):
            spool.append(b"x" * 150, i)
        segments = len(list(tmp_path.glob("*.segment")))
        spool.advance(60)
        assert not spool.keep_cursor()  # the rules still need all of it
        spool.keep_checkpoint(Checkpoint(30, b"state"))
        assert spool.keep_cursor()
        spool.prune()
        assert [r.id for r in spool.records(30)] == list(range(31, 61))
        assert 1 < len(list(tmp_path.glob("*.segment"))) < segments
    with closing(Spool(tmp_path, most_bytes=16_000)) as spool:
        assert (spool.cursor, spool.checkpoint()) == (60, Checkpoint(30, b"state"))
        assert spool.append(b"y", 0) == 61


def test_a_full_spool_refuses_and_takes_again_when_there_is_room(tmp_path):
    with closing(Spool(tmp_path, most_bytes=8_000)) as spool:
        with pytest.raises(StorageError, match="full, spool_bytes is 8000"):
            any(spool.append(b"x" * 100, 0) == 0 for _ in range(1000))
        newest = spool.newest
        spool.advance(newest)
        spool.keep_checkpoint(Checkpoint(newest, b""))
        spool.keep_cursor()
        spool.prune()
        assert spool.append(b"x" * 100, 0) == newest + 1


def test_what_waits_is_counted_from_the_cursor(tmp_path):
    with closing(Spool(tmp_path)) as spool:
        assert spool.waiting() == (0, 0, None)
        for i in range(4):
            spool.append(b"x" * 10, 100 + i)
        spool.advance(2)
        assert spool.waiting() == (2, 2 * (28 + 10), 102)
        spool.advance(4)
        assert spool.waiting() == (0, 0, None)


def test_a_tail_cut_at_any_byte_is_repaired_to_the_last_good_record(tmp_path, caplog):
    sent = fill(tmp_path / "whole", 6, 20)
    path = only_segment(tmp_path / "whole")
    content, ends = path.read_bytes(), [8 + 48 * n for n in range(7)]
    for length in range(len(content)):
        folder = copied(path, tmp_path / f"cut{length}", content[:length])
        whole = sum(end <= length for end in ends) - 1
        assert kept(folder) == sent[: max(whole, 0)]
        assert kept(folder) == sent[: max(whole, 0)]
        assert bool(list(folder.glob("*.damaged"))) == (length > 8 and length not in ends)
    assert "kept aside" in caplog.text


def test_any_flipped_bit_costs_one_record_at_most_and_is_told(tmp_path, caplog):
    sent = fill(tmp_path / "whole", 4, 20)
    path = only_segment(tmp_path / "whole")
    content = path.read_bytes()
    for place in range(8, len(content)):
        caplog.clear()
        flipped = bytearray(content)
        flipped[place] ^= 1 << (place % 8)
        folder = copied(path, tmp_path / f"flip{place}", bytes(flipped))
        damaged = (place - 8) // 48
        assert kept(folder) == sent[:damaged] + sent[damaged + 1 :]
        assert "damaged" in caplog.text


def test_a_flipped_bit_in_the_head_of_a_segment_costs_nothing(tmp_path):
    sent = fill(tmp_path / "whole", 3)
    path = only_segment(tmp_path / "whole")
    for place in range(8):
        content = bytearray(path.read_bytes())
        content[place] ^= 1
        assert kept(copied(path, tmp_path / str(place), bytes(content))) == sent


def test_a_spool_of_a_later_version_is_refused_and_left_alone(tmp_path):
    path = tmp_path / f"{1:020d}.segment"
    path.write_bytes(b"FCSPOOL\x02" + b"another layout")
    with pytest.raises(StorageError, match="has layout 2, this program knows 1"):
        Spool(tmp_path)
    assert path.read_bytes() == b"FCSPOOL\x02another layout"


def test_damage_in_an_older_segment_is_stepped_over_counted_and_told(tmp_path, caplog):
    sent = fill(tmp_path, 60, 150, most_bytes=16_000)
    first = min(tmp_path.glob("*.segment"))
    content = bytearray(first.read_bytes())
    content[8 + 2 * 178 + 4 : 8 + 4 * 178] = b"\0" * (2 * 178 - 4)
    first.write_bytes(bytes(content))
    with closing(Spool(tmp_path)) as spool:
        for _ in range(2):
            assert [(r.id, r.payload) for r in spool.records(0)] == sent[:2] + sent[4:]
        assert spool.damaged == 1
    assert caplog.text.count("stepped over") == 1


def test_an_id_is_never_given_twice_although_the_tail_was_lost(tmp_path):
    fill(tmp_path, 6)
    with closing(Spool(tmp_path)) as spool:
        spool.advance(6)
        spool.keep_cursor()
    path = only_segment(tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with closing(Spool(tmp_path)) as spool:
        assert spool.append(b"next", 0) == 7
        assert [r.id for r in spool.records(6)] == [7]


def test_a_damaged_cursor_or_checkpoint_is_told_and_taken_as_missing(tmp_path, caplog):
    fill(tmp_path, 3)
    with closing(Spool(tmp_path)) as spool:
        spool.advance(2)
        spool.keep_cursor()
        spool.keep_checkpoint(Checkpoint(2, b"state"))
    for name in ("cursor", "checkpoint"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-1] + b"?")
    with closing(Spool(tmp_path)) as spool:
        assert (spool.cursor, spool.checkpoint()) == (0, None)
    assert caplog.text.count("taken as missing") == 3  # the checkpoint at the start, too


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """Let the disk be full: a write beyond ``size`` of a file fails with EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_that_fills_up_in_the_middle_of_an_append_leaves_nothing_half(tmp_path):
    with closing(Spool(tmp_path)) as spool:
        spool.append(b"a" * 1000, 0)
        (path,) = tmp_path.glob("*.segment")
        for room in (500, 1, 27, 28, 0, 1027):
            with files_no_longer_than(1036 + room), pytest.raises(StorageError, match="large"):
                spool.append(b"b" * 3000, 0)
            assert [r.payload for r in spool.records(0)] == [b"a" * 1000]
            assert path.stat().st_size == 8 + 28 + 1000
            assert spool.waiting() == (1, 1028, 0)
        assert spool.append(b"c" * 3000, 0) == 2
    assert kept(tmp_path) == [(1, b"a" * 1000), (2, b"c" * 3000)]


def test_a_disk_without_room_for_a_new_segment_refuses_and_takes_later(tmp_path):
    with closing(Spool(tmp_path, most_bytes=40_000)) as spool:
        spool.append(b"a" * 4900, 0)
        with files_no_longer_than(4), pytest.raises(StorageError, match="large"):
            spool.append(b"b" * 400, 0)
        assert len(list(tmp_path.glob("*.segment"))) == 1
        spool.append(b"c" * 400, 0)
    assert [id for id, _ in kept(tmp_path)] == [1, 2]


def test_a_full_disk_takes_again_once_the_server_has_what_is_on_it(small_disk):
    with closing(Spool(small_disk)) as spool:
        spool.keep_checkpoint(Checkpoint(0, b"rules" * 10_000))
        with pytest.raises(StorageError, match="No space left"):
            any(spool.append(b"x" * 20_000, 0) == 0 for _ in range(1000))
        (small_disk / "others").write_bytes(bytes(room(small_disk)))
        newest = spool.newest
        for _ in range(3):
            spool.advance(newest)
            spool.keep_checkpoint(Checkpoint(newest, b"rules" * 10_000))
            assert spool.keep_cursor()
        spool.prune()
        assert [spool.append(b"x" * 20_000, 0) for _ in range(50)] == list(
            range(newest + 1, newest + 51)
        )
    assert [id for id, _ in kept(small_disk, newest)] == list(range(newest + 1, newest + 51))


def room(folder: Path) -> int:
    """Return how many bytes may still be written."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


_CHILD = """
import sys
from pathlib import Path
from storage.spool import Spool
from storage.interface import Checkpoint
spool = Spool(Path(sys.argv[1]), most_bytes=2_000_000)
while True:
    id = spool.append(b"%d" % (spool.newest + 1) * (1 + spool.newest % 300), 0)
    print(id, flush=True)
    if id % 50 == 0:
        spool.advance(id)
        spool.keep_checkpoint(Checkpoint(id - 20, b"s"))
        if spool.keep_cursor():
            spool.prune()
"""


def test_nothing_acknowledged_is_lost_when_the_process_is_killed_at_any_moment(tmp_path):
    rng = random.Random(11)
    told = 0
    for _ in range(12):
        child = subprocess.Popen([sys.executable, "-c", _CHILD, tmp_path], stdout=subprocess.PIPE)
        try:
            for line in child.stdout:
                told = int(line)
                if rng.random() < 0.01:
                    break
        finally:
            child.kill()
            told = max([told, *(int(line) for line in child.stdout.read().split(b"\n")[:-1])])
            child.wait()
            child.stdout.close()
        with closing(Spool(tmp_path, most_bytes=2_000_000)) as spool:
            needed = 0 if spool.checkpoint() is None else spool.checkpoint().upto
            found = {r.id: r.payload for r in spool.records(needed)}
            assert set(range(needed + 1, told + 1)) <= set(found)
            assert all(p == b"%d" % id * (1 + (id - 1) % 300) for id, p in found.items())
            assert spool.newest in (told, told + 1)


@given(st.lists(st.binary(max_size=200), max_size=20), st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_bytes_come_and_whatever_is_overwritten_the_rest_is_read(
    tmp_path_factory, payloads, data
):
    logging.getLogger("storage").setLevel(logging.CRITICAL)
    folder = tmp_path_factory.mktemp("spool")
    with closing(Spool(folder)) as spool:
        sent = [(spool.append(payload, 0), payload) for payload in payloads]
    if not sent:
        return
    path = only_segment(folder)
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(8, len(content) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=len(content) - start))
    content[start : start + len(noise)] = noise
    path.write_bytes(bytes(content))
    ends = 8
    untouched = []
    for id, payload in sent:
        begin, ends = ends, ends + 28 + len(payload)
        if ends <= start or begin >= start + len(noise):
            untouched.append((id, payload))
    found = kept(folder)
    assert [one for one in found if one in untouched] == untouched
    assert all(one in sent for one in found)
