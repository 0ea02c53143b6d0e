"""Every mailbox keeps sessions, letters and retained letters; the file keeps them for good."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.mailbox import (
    Change,
    Client,
    Delivered,
    Letter,
    Mailbox,
    MemoryMailbox,
    Queued,
    Retained,
    SessionGone,
    SessionKept,
    SqliteMailbox,
)

D1, D2 = Client("D1", "D1"), Client("D2", "a/b \x1f,医院")
LETTER = Letter("fc/v1/S/D1/cmd", b"\x00\xff", 1, False, b"\x01\x00", 12.5)


@pytest.fixture(params=["memory", "sqlite"])
def mailbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mailbox]:
    engines: dict[str, Callable[[], Mailbox]] = {
        "memory": MemoryMailbox,
        "sqlite": lambda: SqliteMailbox(tmp_path / "mail.db"),
    }
    box = engines[request.param]()
    yield box
    box.close()


def test_a_new_mailbox_is_empty(mailbox: Mailbox) -> None:
    box = mailbox.load()
    assert (box.sessions, box.waiting, box.retained) == ({}, {}, {})


def test_what_is_written_is_loaded(mailbox: Mailbox) -> None:
    session = SessionKept(D2, 3600, (("a/+", 1), ("b", 0)))
    told = Letter("t", b"on", 1, True)
    mailbox.write([session, Queued(D2, 2, LETTER), Queued(D2, 1, LETTER), Retained(told)])
    box = mailbox.load()
    assert box.sessions == {D2: session}
    assert box.waiting == {D2: {1: LETTER, 2: LETTER}}
    assert box.retained == {"t": told}


def test_later_changes_win(mailbox: Mailbox) -> None:
    mailbox.write([SessionKept(D1, 1, ()), Queued(D1, 1, LETTER), Queued(D1, 2, LETTER)])
    mailbox.write([Delivered(D1, 1), SessionKept(D1, 5, (("x", 1),))])
    mailbox.write([Retained(Letter("t", b"1")), Retained(Letter("t", b"2"))])
    box = mailbox.load()
    assert box.sessions[D1].expiry_s == 5
    assert list(box.waiting[D1]) == [2]
    assert box.retained["t"].payload == b"2"


def test_a_session_that_ends_takes_its_letters_with_it(mailbox: Mailbox) -> None:
    mailbox.write([SessionKept(D1, 1, ()), Queued(D1, 1, LETTER), SessionKept(D2, 1, ())])
    mailbox.write([Queued(D2, 1, LETTER), SessionGone(D1)])
    box = mailbox.load()
    assert list(box.sessions) == [D2]
    assert list(box.waiting) == [D2]


def test_an_empty_payload_takes_a_retained_letter_back(mailbox: Mailbox) -> None:
    mailbox.write([Retained(Letter("t", b"1")), Retained(Letter("t", b""))])
    assert mailbox.load().retained == {}


def test_the_same_changes_again_do_no_harm(mailbox: Mailbox) -> None:
    changes: list[Change] = [
        SessionKept(D1, 1, ()),
        Queued(D1, 1, LETTER),
        Delivered(D1, 1),
        SessionGone(D2),
    ]
    mailbox.write(changes)
    before = mailbox.load()
    mailbox.write(changes)
    assert mailbox.load() == before


def test_the_file_is_there_for_the_next_process(tmp_path: Path) -> None:
    first = SqliteMailbox(tmp_path / "mail.db")
    first.write([SessionKept(D1, 1, ()), Queued(D1, 1, LETTER)])
    first.close()
    second = SqliteMailbox(tmp_path / "mail.db")
    assert second.load().waiting == {D1: {1: LETTER}}
    second.close()


def test_a_write_that_fails_keeps_nothing_of_it(tmp_path: Path) -> None:
    mailbox = SqliteMailbox(tmp_path / "mail.db")
    bad = Queued(D1, 1, LETTER._replace(topic=None))  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        mailbox.write([SessionKept(D1, 1, ()), bad])
    assert mailbox.load().sessions == {}
    mailbox.write([SessionKept(D1, 1, ())])
    assert list(mailbox.load().sessions) == [D1]
    mailbox.close()
