"""The demo's story goes on where its records are, also when its own file is older."""

from datetime import timedelta
from pathlib import Path

from fieldcare.demo import open_story
from storage.records_memory import MemoryRecords
from tests import given


def test_after_a_kill_no_record_is_from_the_future(tmp_path: Path) -> None:
    story = open_story(tmp_path, speed=1.0, fresh=False)
    records = MemoryRecords()
    later = story.kept.now + timedelta(minutes=10)
    with records.begin() as work:
        work.journal.append(given.draft(at=later, recorded_at=later))
    story.begin(records)
    assert story.clock() >= later


def test_a_story_without_records_begins_in_the_morning(tmp_path: Path) -> None:
    story = open_story(tmp_path, speed=1.0, fresh=False)
    began = story.kept.start
    story.begin(MemoryRecords())
    assert began <= story.clock() < began + timedelta(minutes=1)
