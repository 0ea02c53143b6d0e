"""Stopping and starting again: Ctrl-C is clean, kill -9 loses nothing, a story goes on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from benchmarks import kill
from tests.fieldcare.given_process import started, until


@contextmanager
def signed_in(address: str) -> Iterator[httpx.Client]:
    """Give a browser that signed in with the first login the demo shows."""
    with httpx.Client(base_url=address, timeout=20) as client:
        hint = client.get("/api/v1/session/hints").json()["items"][0]
        given = {"login": hint["login"], "password": hint["password"]}
        client.post("/api/v1/session", json=given).raise_for_status()
        yield client


def story(client: httpx.Client) -> dict[str, Any]:
    """Return where the demo is: its clock, its tickets, what one device has sent."""
    return {
        "now": datetime.fromisoformat(client.get("/api/v1/clock").json()["now"]),
        "tickets": {t["id"] for t in client.get("/api/v1/tickets").json()["items"]},
        "sent": client.get("/api/v1/devices/CHEM-001/ledger").json(),
    }


def test_the_demo_stops_at_ctrl_c_and_goes_on_where_it_was(tmp_path: Path) -> None:
    command = ("demo", "--data", tmp_path / "demo", "--port", 0, "--speed", 1500)
    with started(*command) as demo, signed_in(demo.address()) as client:
        until(lambda: story(client)["tickets"])
        until(lambda: client.get("/api/v1/plan").json()["routes"])
        before = story(client)
        assert demo.interrupt() == 0
    assert "the next start continues here" in demo.said
    assert "Traceback" not in demo.said

    with started(*command) as demo, signed_in(demo.address()) as client:
        after = story(client)
        assert after["tickets"] >= before["tickets"]
        assert after["now"] >= before["now"]
        until(lambda: story(client)["sent"]["received"] > before["sent"]["received"])
        sent = story(client)["sent"]
        assert sent["received"] == sent["stored"] + sent["duplicate"] + sent["quarantined"]
        assert sent["gaps"] == []
        assert demo.interrupt() == 0


def test_a_service_manager_stops_it_cleanly(tmp_path: Path) -> None:
    with started("run", data=tmp_path, http_port=0, mqtt_port=0) as run:
        address = run.address()
        assert httpx.get(f"{address}/api/v1/session/hints", timeout=20).json()["items"] == []
        run.process.send_signal(signal.SIGTERM)
        said, _ = run.process.communicate(timeout=20)
    assert run.process.returncode == 0
    assert "stopped listening" in said


def test_nothing_acknowledged_is_lost_when_it_is_killed_under_load(tmp_path: Path) -> None:
    tally = kill.run(tmp_path, kills=2, messages=60_000, within_s=(0.1, 0.4))
    assert (tally.kills, tally.lost, tally.duplicated) == (2, 0, 0)
    assert tally.acked > 1000
    assert tally.again > 0
