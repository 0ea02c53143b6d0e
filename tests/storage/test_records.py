"""The contract of every records engine: memory, SQLite and PostgreSQL keep the same promises."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from aftersales.journal import first_break
from aftersales.team import Certificate, Duty, Technician
from aftersales.ticket import Ticket
from equipment.device import Device, Site
from equipment.quarantine import Quarantined
from equipment.words import Words
from scheduler.plan import DayPlan, Route, Stop, Unserved
from scheduler.published import Published
from storage.interface import Records
from storage.records_memory import MemoryRecords
from storage.records_sql import SqlRecords
from storage.tables import METADATA
from tests import given
from tests.given import NOW
from tests.postgres_server import postgres


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("pg")) as url:
        yield url


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Records]:
    if request.param == "memory":
        yield MemoryRecords()
        return
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    else:
        url = request.getfixturevalue("postgres_url")
        _empty(url)
    opened = SqlRecords(url)
    yield opened
    opened.close()


def _empty(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()


TECHNICIAN = Technician(
    "E01", Words("工程师甲", "Engineer A"), 30.6, 104.1,
    (Certificate("chemistry", date(2024, 1, 1), date(2030, 1, 1)),),
    (Duty(NOW, NOW + timedelta(hours=8), NOW + timedelta(hours=3), NOW + timedelta(hours=4)),),
)  # fmt: skip
STOP = Stop("T-000001", NOW, NOW, NOW + timedelta(hours=1), 900, 0, Words("近", "near"))
PUBLISHED = Published(
    "00000000000001", NOW, 7,
    DayPlan(NOW, (Route("E01", (STOP,), 1800, NOW + timedelta(hours=2)),),
            (Unserved("T-000002", Words("无人", "nobody")),), 12, {"travel": 12}),
)  # fmt: skip
REFUSED = Quarantined("1", NOW, "malformed", "broken", "x/y", None, b"\x00\xff", 2)


@pytest.mark.parametrize(
    "record", [given.site(), given.device(), given.ticket(), TECHNICIAN, PUBLISHED, REFUSED]
)
def test_a_record_comes_back_as_it_was_put(records: Records, record: object) -> None:
    with records.begin() as work:
        work.shelf(type(record)).put(record)
    with records.read() as work:
        assert work.shelf(type(record)).get(record.id) == record


def test_putting_a_record_again_replaces_it(records: Records) -> None:
    with records.begin() as work:
        shelf = work.shelf(Ticket)
        shelf.put(given.ticket())
        shelf.put(given.ticket(severity=1))
    with records.read() as work:
        assert work.shelf(Ticket).get("T-000001").severity == 1
        assert work.shelf(Ticket).count() == 1


def test_find_filters_pages_and_orders(records: Records) -> None:
    with records.begin() as work:
        for n in range(5):
            state = "open" if n % 2 == 0 else "closed"
            work.shelf(Ticket).put(given.ticket(f"T-{n}", state=state))
    with records.read() as work:
        shelf = work.shelf(Ticket)
        assert [t.id for t in shelf.find(state="open")] == ["T-0", "T-2", "T-4"]
        assert [t.id for t in shelf.find(limit=2, after="T-1")] == ["T-2", "T-3"]
        assert [t.id for t in shelf.find(limit=2, newest_first=True)] == ["T-4", "T-3"]
        assert [t.id for t in shelf.find(limit=2, newest_first=True, after="T-3")] == ["T-2", "T-1"]
        assert [t.id for t in shelf.find(id=["T-1", "T-3"])] == ["T-1", "T-3"]
        assert [t.id for t in shelf.find(fault=None, limit=1)] == ["T-0"]
        assert shelf.count(state="open") == 3
        with pytest.raises(LookupError, match="colour"):
            shelf.find(colour="red")


def test_what_raises_is_undone_as_a_whole(records: Records) -> None:
    def change_and_stop() -> None:
        with records.begin() as work:
            work.shelf(Site).put(given.site())
            work.journal.append(given.draft())
            work.next_number("ticket")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        change_and_stop()
    with records.begin() as work:
        assert work.shelf(Site).get("S001") is None
        assert work.journal.head() == 0
        assert work.next_number("ticket") == 1


def test_a_removed_record_is_gone_and_removing_it_again_is_harmless(records: Records) -> None:
    with records.begin() as work:
        work.shelf(Device).put(given.device())
        work.shelf(Device).remove("CHEM-001")
        work.shelf(Device).remove("CHEM-001")
        assert work.shelf(Device).get("CHEM-001") is None


def test_the_journal_chains_its_events(records: Records) -> None:
    with records.begin() as work:
        for n in range(3):
            work.journal.append(given.draft(data={"n": n, "zh": "工单", "flag": True, "no": None}))
    with records.read() as work:
        events = work.journal.after(0)
        assert [e.id for e in events] == [1, 2, 3]
        assert first_break(events) is None
        assert first_break([replace(events[0], actor="other"), *events[1:]]) is not None
        assert work.journal.of("T-000001") == events
        assert work.journal.after(1, limit=1) == events[1:2]


def test_the_journal_of_several_subjects_is_in_the_order_of_events(records: Records) -> None:
    with records.begin() as work:
        for subject in ("T-000001", "T-000002", "T-000003", "T-000001"):
            work.journal.append(given.draft(subject=subject))
    with records.read() as work:
        found = work.journal.of("T-000001", "T-000003")
        assert [(e.id, e.subject) for e in found] == [
            (1, "T-000001"), (3, "T-000003"), (4, "T-000001"),
        ]  # fmt: skip
        assert work.journal.of() == []


def test_a_command_given_twice_is_one_event(records: Records) -> None:
    with records.begin() as work:
        first = work.journal.append(given.draft(command_id="c1"))
        again = work.journal.append(given.draft("ticket.closed", command_id="c1"))
        assert again == first
        assert work.journal.head() == 1


def test_writers_side_by_side_leave_one_unbroken_chain(records: Records) -> None:
    def write(writer: int) -> None:
        for n in range(10):
            with records.begin() as work:
                work.journal.append(given.draft(subject=f"w{writer}", data={"n": n}))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with records.read() as work:
        events = work.journal.after(0)
    assert len(events) == 40
    assert first_break(events) is None


def _side_by_side(do: Callable[[], object]) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(do) for _ in range(4)]:
            done.result()


def test_what_was_read_is_still_so_when_it_is_written(records: Records) -> None:
    with records.begin() as work:
        work.shelf(Ticket).put(given.ticket())

    def count_up() -> None:
        for _ in range(10):
            with records.begin() as work:
                ticket = work.shelf(Ticket).get("T-000001")
                assert ticket is not None
                work.shelf(Ticket).put(replace(ticket, version=ticket.version + 1))

    _side_by_side(count_up)
    with records.read() as work:
        assert work.shelf(Ticket).find()[0].version == given.ticket().version + 40


def test_a_look_is_at_one_moment(records: Records) -> None:
    with records.read() as look:
        assert look.shelf(Ticket).find() == []
        with records.begin() as work:
            work.shelf(Ticket).put(given.ticket())
            work.journal.append(given.draft())
        assert look.shelf(Ticket).find() == []
        assert look.journal.head() == 0


@pytest.mark.postgres
def test_processes_that_start_together_make_the_tables_once(postgres_url: str) -> None:
    _empty(postgres_url)
    _side_by_side(lambda: SqlRecords(postgres_url).close())


@pytest.mark.parametrize("statement", ["UPDATE journal SET actor = 'x'", "DELETE FROM journal"])
@pytest.mark.parametrize("engine", ["sqlite", pytest.param("pg", marks=pytest.mark.postgres)])
def test_the_database_itself_refuses_to_change_the_journal(
    engine: str, statement: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    if engine == "pg":
        url = request.getfixturevalue("postgres_url")
        _empty(url)
    records = SqlRecords(url)
    with records.begin() as work:
        work.journal.append(given.draft())
    records.close()
    database = sa.create_engine(url)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.begin() as connection:
        connection.execute(sa.text(statement))
    database.dispose()


def test_the_migrations_make_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    SqlRecords(url).close()
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, METADATA) == []
    engine.dispose()
