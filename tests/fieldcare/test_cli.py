"""The command line: it lists what there is, shows what was refused, and finds what was forged."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from desk.arrival import Arrival
from equipment.quarantine import REASONS, Quarantined
from fieldcare.clock import wall_clock
from tests import given
from tests.fieldcare.given_process import cli, office, take

TOPIC = "fc/v1/S001/CHEM-001/tele"
COMMANDS = {
    "demo", "run", "collect", "serve", "plan", "migrate", "openapi", "simulate", "replay",
    "simulate-register", "quarantine", "ledger", "verify", "device", "gateway", "user", "bench",
}  # fmt: skip


def test_help_reads_like_a_table_of_contents() -> None:
    code, said = cli("--help")
    assert code == 0
    lines = [line.strip("│ ").split(maxsplit=1) for line in said.splitlines()]
    told = {words[0]: words[1] for words in lines if len(words) == 2 and words[0] in COMMANDS}
    assert set(told) == COMMANDS
    assert all(len(sentence) > 10 for sentence in told.values())


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (("run",), {"mqtt_host": "0.0.0.0"}, "mqtt_host=0.0.0.0 listens beyond this machine"),
        (("migrate",), {"telemetry": "mysql://x"}, "telemetry is not sqlite or influx://"),
        (("collect",), {"broker": "http://x"}, "scheme 'http' of the broker is none of mqtt"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, Any], says: str
) -> None:
    code, said = cli(*arguments, data=tmp_path, **settings)
    assert code == 2
    assert says in said
    assert "Traceback" not in said


def test_a_plan_without_technicians_names_them(tmp_path: Path) -> None:
    with office(tmp_path, given.ticket(opened_at=wall_clock())):
        pass
    code, said = cli("plan", "--data", tmp_path)
    assert (code, "cannot plan: technicians: none" in said) == (2, True)


def test_a_device_is_registered_with_a_password_of_its_own(tmp_path: Path) -> None:
    code, said = cli("device", "add", "IMMU-7", "--model", "IMMU", "--site", "H7", data=tmp_path)
    assert (code, "username IMMU-7, password " in said) == (0, True)
    code, again = cli("device", "rotate", "IMMU-7", data=tmp_path)
    assert (code, again != said) == (0, True)
    code, said = cli("device", "add", "a b", "--model", "IMMU", "--site", "H7", data=tmp_path)
    assert (code, "device 'a b' is not 1-40 of" in said) == (2, True)


def tele(**fields: Any) -> bytes:
    now_ms = int(wall_clock().timestamp() * 1000)
    message = {"b": "b", "s": 1, "t": now_ms, "m": {"wash_vacuum": -70.0}, **fields}
    return json.dumps(message).encode()


def birth(unit: str) -> bytes:
    metrics = [{"n": "wash_vacuum", "u": unit}]
    return json.dumps(
        {"v": 1, "b": "b", "serial": "x", "model": "CHEM", "metrics": metrics}
    ).encode()


BAD = {
    "malformed": Arrival(None, TOPIC, b"{"),
    "unknown_metric": Arrival(None, TOPIC, tele(s=2, m={"wash_vacum": 1.0})),
    "wrong_unit": Arrival(None, TOPIC.replace("tele", "birth"), birth("Cel")),
    "not_a_number": Arrival(None, TOPIC, tele(s=3, m={"wash_vacuum": float("nan")})),
    "future_time": Arrival(None, TOPIC, tele(s=4, t=2**45)),
    "foreign_topic": Arrival("CHEM-001", TOPIC.replace("CHEM-001", "CHEM-002"), tele(s=5)),
    "oversize": Arrival(None, TOPIC, b" " * 70_000),
    "unknown_device": Arrival(None, TOPIC.replace("CHEM-001", "CHEM-404"), tele(s=6)),
}


def test_quarantine_shows_every_reason_and_what_was_wrong(tmp_path: Path) -> None:
    assert set(BAD) | {"ambiguous_metric", "unborn", "unforeseen"} == set(REASONS)
    code, said = cli("quarantine", "--data", tmp_path)
    assert (code, said.strip()) == (0, "nothing is in quarantine")
    with office(tmp_path, given.device("CHEM-002")) as desk:
        take(desk, tmp_path, [Arrival(None, TOPIC, tele(s=1)), *BAD.values()])
        assert desk.telemetry.last(["CHEM-001"])["CHEM-001"]["wash_vacuum"][1] == -70.0
    code, said = cli("quarantine", "--data", tmp_path)
    assert (code, "8 of 8" in said) == (0, True)
    for reason in BAD:
        assert f" {reason} " in said
    for why in ("'wash_vacum'", "'Cel' cannot be read as", "70000 bytes", "'CHEM-404' is not"):
        assert why in said


def test_what_devices_send_is_shown_as_they_sent_it(tmp_path: Path) -> None:
    with office(tmp_path) as desk:
        take(desk, tmp_path, [Arrival(None, "other/[/i]", b"[red]x[/b]\x1b[2J")])
        with desk.records.read() as work:
            (one,) = work.shelf(Quarantined).find()
    for arguments in ((), ("show", one.id)):
        code, said = cli("quarantine", *arguments, data=tmp_path)
        assert code == 0, said
        assert "other/[/i]" in said
        assert r"[red]x[/b]\x1b[2J" in said
        assert "\x1b" not in said
    code, said = cli("quarantine", "show", "[/i]", data=tmp_path)
    assert (code, "'[/i]' is not in quarantine" in said) == (2, True), said


def test_quarantine_can_be_asked_for_one_reason(tmp_path: Path) -> None:
    with office(tmp_path) as desk:
        take(desk, tmp_path, [BAD["malformed"], BAD["oversize"]])
    said = cli("quarantine", "--data", tmp_path, "--reason", "oversize")[1]
    assert "1 of 1" in said
    assert "malformed" not in said


def test_verify_holds_for_a_journal_nobody_touched_and_finds_a_forged_event(tmp_path: Path) -> None:
    with office(tmp_path) as desk, desk.records.begin() as work:
        for _ in range(2500):
            work.journal.append(given.draft())
    code, said = cli("verify", "--data", tmp_path)
    assert (code, "the journal holds: 2500 events" in said) == (0, True)
    forge(tmp_path, "UPDATE journal SET actor = 'nobody' WHERE id = 2100")
    code, said = cli("verify", "--data", tmp_path)
    assert (code, "the journal is broken: event 2100 was changed" in said) == (2, True)


def test_verify_finds_an_event_that_was_taken_out(tmp_path: Path) -> None:
    with office(tmp_path) as desk, desk.records.begin() as work:
        for _ in range(5):
            work.journal.append(given.draft())
    forge(tmp_path, "DELETE FROM journal WHERE id = 3")
    code, said = cli("verify", "--data", tmp_path)
    assert (code, "event 3 is missing: event 4 follows 2" in said) == (2, True)


def forge(data: Path, statement: str) -> None:
    """Change the journal as somebody with the file at hand could."""
    with closing(sqlite3.connect(data / "records.sqlite")) as db, db:
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(statement)
        for verb in ("update", "delete"):
            db.execute(f"DROP TRIGGER journal_no_{verb}")
        db.execute(statement)
