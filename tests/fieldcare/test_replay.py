"""fieldcare replay: a table of a test bench, described by two small files, raises its alarm."""

import gzip
import json
import os
import random
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.collector.given_lines import line
from tests.fieldcare.given_process import cli

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
COLUMNS = (
    "index,ts,Accelerometer1RMS,Accelerometer2RMS,Current,Pressure,Temperature,Thermocouple,"
    "Voltage,Volume Flow RateRMS"
)
START_S = 1_600_000_000
ROWS, WRONG_FROM, WRONG_UNTIL = 1100, 600, 900
TOLD = ("--mapping", EXAMPLES / "pump_bench.toml", "--profile", EXAMPLES / "pump_bench.yaml")


def bench_run(wrong: bool = True) -> str:
    """Return an invented run: the motor draws half an ampere more while the valve is half shut."""
    chance = random.Random(7)
    lines = [COLUMNS]
    for n in range(ROWS):
        shut = wrong and WRONG_FROM <= n < WRONG_UNTIL
        row = (
            chance.gauss(0.027, 0.0003), chance.gauss(0.04, 0.0003),
            chance.gauss(1.3, 0.05) + 0.5 * shut, chance.gauss(0.1, 0.1), chance.gauss(79.0, 0.2),
            chance.gauss(26.0, 0.01), chance.gauss(233, 3), chance.gauss(32.0, 0.1),
        )  # fmt: skip
        lines.append(f"{n},{START_S + n}," + ",".join(f"{value:.5f}" for value in row))
    return "\n".join(lines) + "\n"


def raised(said: str) -> list[tuple[datetime, str]]:
    """Return when which rule raised an alarm, as the table on the terminal says."""
    rows = [[cell.strip() for cell in line.split("│")] for line in said.splitlines()]
    return [
        (datetime.fromisoformat(row[1]).replace(tzinfo=UTC), row[4])
        for row in rows
        if len(row) == 7 and row[3] == "PUMP-1"
    ]


def test_the_alarm_falls_into_the_anomaly(tmp_path: Path) -> None:
    run = tmp_path / "run.csv.gz"
    run.write_bytes(gzip.compress(bench_run().encode()))
    code, said = cli("replay", run, *TOLD, "--data", tmp_path / "data")
    assert (code, f"{ROWS + 1} messages, 0 bad rows" in said) == (0, True)
    ((at, rule),) = raised(said)
    assert rule == "current.ewma"
    assert WRONG_FROM <= at.timestamp() - START_S < WRONG_UNTIL
    assert cli("replay", run, "--mapping", TOLD[1], "--data", tmp_path / "data")[1] == said


def test_the_public_bench_raises_its_alarm_inside_the_labelled_anomaly(tmp_path: Path) -> None:
    """FIELDCARE_ANOMALY names the folder of the public series and their labels, kept elsewhere."""
    folder = os.environ.get("FIELDCARE_ANOMALY")
    if folder is None:
        pytest.skip("FIELDCARE_ANOMALY names no folder with skab/ and labels.json")
    run = Path(folder) / "skab" / "valve1_0.csv.gz"
    _, said = cli("replay", run, *TOLD, "--data", tmp_path / "data")
    labels = json.loads((Path(folder) / "labels.json").read_text())
    with gzip.open(run, "rt") as lines:
        rows = [line.split(",") for line in lines][1:]
    anomaly = set(labels["skab"]["valve1_0"]["anomaly"])
    wrong = {int(row[1]) for row in rows if int(row[0]) in anomaly}
    assert any(int(at.timestamp()) in wrong for at, _ in raised(said))


def test_a_healthy_run_raises_none_and_bad_rows_are_counted(tmp_path: Path) -> None:
    run = tmp_path / "run.csv"
    lines = bench_run(wrong=False).splitlines()
    lines[300] = "299,yesterday" + lines[300][14:]
    lines[400] = lines[400].replace(",0.0", ",broken", 1)
    run.write_text("\n".join(lines))
    code, said = cli("replay", run, *TOLD, "--data", tmp_path / "data")
    assert (code, f"{ROWS - 1} messages, 2 bad rows" in said) == (0, True)
    assert "line 301: time 'yesterday" in said
    assert "line 401: accelerometer1rms: 'broken" in said
    assert raised(said) == []


def test_what_does_not_fit_is_said_in_one_line(tmp_path: Path) -> None:
    run = tmp_path / "run.csv"
    run.write_text("a,b\n1,2\n")
    for arguments, says in (
        ((), "run.csv: a table needs a mapping of its columns"),
        (TOLD, "run.csv: no column ts, Accelerometer1RMS"),
        (TOLD[:2], "model 'PUMP_BENCH' is none of"),
    ):
        code, said = cli("replay", run, *arguments, "--data", tmp_path / "data")
        assert (code, says in said) == (2, True), said
        shutil.rmtree(tmp_path / "data", ignore_errors=True)


def test_an_export_goes_to_its_devices_and_again_changes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for device in ("CHEM-001", "CHEM-002"):
        cli("device", "add", device, "--model", "CHEM", "--site", "S1", "--data", data)
    export = tmp_path / "year.lp.gz"
    lines = ["# DML", "broken"]
    for device in ("CHEM-001", "CHEM-002", "CHEM-009"):
        tags = {"site": "S1", "device": device, "model": "CHEM"}
        lines += [
            line("chem", tags, {"wash_vacuum": -50.0 - n / 1000}, (START_S + 60 * n) * 10**9)
            for n in range(100)
        ]
    export.write_bytes(gzip.compress("\n".join(lines).encode()))
    code, said = cli("replay", export, "--data", data)
    assert (code, "303 messages, 1 bad rows" in said) == (0, True), said
    assert "line 2: no field" in said
    assert [device in said.partition("alarms")[2] for device in ("CHEM-001", "CHEM-002")] == [
        True
    ] * 2
    assert without_log(cli("replay", export, "--data", data)[1]) == without_log(said)
    assert "'CHEM-009' is not registered" in cli("quarantine", "--data", data)[1]


def without_log(said: str) -> list[str]:
    return [row for row in said.splitlines() if not row.startswith("{")]
