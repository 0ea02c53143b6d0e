"""A gateway with the credential of its site hands in messages to a collector over HTTP."""

from pathlib import Path

import httpx

from fieldcare.clock import wall_clock
from tests.fieldcare.given_process import cli, started


def password(said: str) -> str:
    return said.partition("password ")[2].strip()


def test_a_collector_takes_what_a_gateway_hands_in(tmp_path: Path) -> None:
    cli("device", "add", "CHEM-001", "--model", "CHEM", "--site", "S1", data=tmp_path)
    code, said = cli("gateway", "add", "S1/GW-1", data=tmp_path)
    assert (code, "username S1/GW-1, password " in said) == (0, True)
    at_ms = int(wall_clock().timestamp() * 1000)
    payload = {"b": "7f3a", "s": 1, "t": at_ms, "m": {"wash_vacuum": -70.4}}
    messages = [{"topic": "fc/v1/S1/CHEM-001/tele", "payload": payload}]
    with started("collect", "--http-port", 0, data=tmp_path, mqtt_port=0) as collector:
        url = f"{collector.address()}/api/v1/ingest"
        answers = [httpx.post(url, json=messages, auth=("S1/GW-1", password(said))) for _ in "ab"]
        assert [(a.json()["stored"], a.json()["duplicate"]) for a in answers] == [(1, 0), (0, 1)]
        assert cli("gateway", "revoke", "S1/GW-1", data=tmp_path)[0] == 0
        refused = httpx.post(url, json=messages, auth=("S1/GW-1", password(said)))
        assert refused.status_code == 401
        assert collector.interrupt() == 0


def test_a_gateway_needs_a_site_that_is_on_record(tmp_path: Path) -> None:
    for name, says in (("S9/GW", "site 'S9' of gateway"), ("GW", "is not site/name")):
        code, said = cli("gateway", "add", name, data=tmp_path)
        assert (code, says in said) == (2, True)
    code, said = cli("gateway", "revoke", "S9/GW", data=tmp_path)
    assert (code, "there is no gateway" in said) == (2, True)
