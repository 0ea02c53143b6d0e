"""Records in SQLite or PostgreSQL, through SQLAlchemy Core."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import as_file, files
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.dialects import postgresql, sqlite

from aftersales.journal import GENESIS, Draft, Event, chained
from storage.interface import Journal, Shelf, Work
from storage.rows import from_row, to_row
from storage.tables import JOURNAL, NUMBERS, TABLES

T = TypeVar("T")
_BUSY_MS = 10_000
_WRITERS_LOCK = 7_301  # any number, the same in every process that writes


class _SqlShelf(Shelf[T]):
    def __init__(self, connection: sa.Connection, kind: type[T]) -> None:
        self._connection, self._kind = connection, kind
        self._table = TABLES[kind]
        (self._id,) = self._table.primary_key.columns

    def get(self, id: str) -> T | None:
        query = sa.select(self._table).where(self._id == id)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else from_row(self._kind, row)

    def put(self, record: T) -> None:
        statement = _upsert(self._table, self._connection.dialect.name)
        self._connection.execute(statement, to_row(record))

    def remove(self, id: str) -> None:
        self._connection.execute(sa.delete(self._table).where(self._id == id))

    def find(
        self, *, limit: int = 1000, after: str = "", newest_first: bool = False, **equals: Any
    ) -> Sequence[T]:
        query = sa.select(self._table).where(*self._conditions(equals)).limit(limit)
        if after:
            query = query.where(self._id < after if newest_first else self._id > after)
        query = query.order_by(self._id.desc() if newest_first else self._id)
        rows = self._connection.execute(query).mappings()
        return [from_row(self._kind, row) for row in rows]

    def count(self, **equals: Any) -> int:
        query = sa.select(sa.func.count()).select_from(self._table)
        return int(self._connection.execute(query.where(*self._conditions(equals))).scalar_one())

    def total(self, field: str) -> int:
        query = sa.select(sa.func.coalesce(sa.func.sum(self._table.c[field]), 0))
        return int(self._connection.execute(query).scalar_one())

    def _conditions(self, equals: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
        conditions = []
        for name, wanted in equals.items():
            if name not in self._table.c:
                raise LookupError(f"no field {name!r} to find by")
            column = self._table.c[name]
            many = isinstance(wanted, list | tuple | set)
            conditions.append(column.in_(list(wanted)) if many else column == wanted)
        return conditions


@cache
def _upsert(table: sa.Table, dialect: str) -> sa.Executable:
    """Return what keeps a row of ``table``; to write it anew costs more than to run it."""
    insert = {"postgresql": postgresql, "sqlite": sqlite}[dialect].insert(table)
    (id,) = table.primary_key.columns
    rest = {column.name: insert.excluded[column.name] for column in table.c if column is not id}
    statement: sa.Executable = insert.on_conflict_do_update(index_elements=[id], set_=rest)
    return statement


def _dialect(connection: sa.Connection) -> Any:
    return postgresql if connection.dialect.name == "postgresql" else sqlite


class _SqlJournal(Journal):
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def append(self, draft: Draft) -> Event:
        if draft.command_id is not None:
            known = self._events(JOURNAL.c.command_id == draft.command_id)
            if known:
                return known[0]
        last = self._connection.execute(
            sa.select(JOURNAL.c.id, JOURNAL.c.hash).order_by(JOURNAL.c.id.desc()).limit(1)
        ).first()
        id, prev_hash = (last.id + 1, last.hash) if last else (1, GENESIS)
        event = chained(draft, id, prev_hash)
        row = {name: getattr(event, name) for name in JOURNAL.c.keys()}  # noqa: SIM118 - a ColumnCollection iterates its columns
        row["data"] = msgspec.json.encode(event.data).decode()
        self._connection.execute(sa.insert(JOURNAL).values(row))
        return event

    def of(self, *subjects: str) -> Sequence[Event]:
        return self._events(JOURNAL.c.subject.in_(subjects))

    def after(self, id: int, limit: int = 500) -> Sequence[Event]:
        return self._events(JOURNAL.c.id > id, limit=limit)

    def head(self) -> int:
        return self._connection.execute(sa.select(sa.func.max(JOURNAL.c.id))).scalar_one() or 0

    def _events(self, where: sa.ColumnElement[bool], limit: int | None = None) -> list[Event]:
        query = sa.select(JOURNAL).where(where).order_by(JOURNAL.c.id).limit(limit)
        rows = self._connection.execute(query).mappings()
        return [Event(**{**row, "data": msgspec.json.decode(row["data"])}) for row in rows]


class _SqlWork(Work):
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.journal = _SqlJournal(connection)

    def shelf(self, kind: type[T]) -> Shelf[T]:
        return _SqlShelf(self._connection, kind)

    def next_number(self, series: str) -> int:
        insert = _dialect(self._connection).insert(NUMBERS).values(series=series, n=1)
        upsert = insert.on_conflict_do_update(
            index_elements=[NUMBERS.c.series], set_={"n": NUMBERS.c.n + 1}
        ).returning(NUMBERS.c.n)
        return int(self._connection.execute(upsert).scalar_one())


class SqlRecords:
    """Keeps records in the database at ``url``, which it brings up to date first.

    Writers take turns, in every process, and wait up to 10 s for others: what a verb has read is
    still so when it writes.
    """

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url, pool_size=8, max_overflow=8)
        self._looking = self._engine
        self._lock = threading.Lock()
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)
        else:  # one query after the other must see the same moment, as in SQLite
            self._looking = self._engine.execution_options(isolation_level="REPEATABLE READ")
        migrate(self._engine)

    @contextmanager
    def begin(self) -> Iterator[Work]:
        """Open a transaction: kept when the block ends, undone when it raises."""
        with self._turn(), self._engine.connect() as connection:
            writing = connection.execution_options(writes=True)
            with writing.begin():
                _wait_for_turn(writing)
                yield _SqlWork(writing)

    @contextmanager
    def read(self) -> Iterator[Work]:
        """Open a look at what is kept at this moment."""
        with self._looking.connect() as connection, connection.begin():
            yield _SqlWork(connection)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._engine.dialect.name != "sqlite":
            yield
        else:
            with self._lock:
                yield

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy's begin event says BEGIN, not the driver
    for pragma in (f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _wait_for_turn(connection: sa.Connection) -> None:
    """Return when no other process writes; SQLite's BEGIN IMMEDIATE has done so already."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_BUSY_MS}")
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITERS_LOCK)))


def migrate(engine: sa.Engine) -> None:
    """Bring the database to the newest schema; raises whatever the database says against it."""
    with as_file(files("storage") / "migrations") as folder, engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(folder))
        writing = connection.execution_options(writes=True)
        with writing.begin():
            _wait_for_turn(writing)
            config.attributes["connection"] = writing
            command.upgrade(config, "head")
