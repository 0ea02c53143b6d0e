"""Settings: a wrong one is named with its value, and nothing unsafe starts by accident."""

from pathlib import Path
from typing import Any

import pytest

from fieldcare.settings import WrongSetting, load
from fieldcare.wiring import influx_server


def test_the_defaults_are_for_this_machine_only() -> None:
    conf = load()
    assert (conf.http_host, conf.mqtt_host) == ("127.0.0.1", "127.0.0.1")
    assert conf.records_url == "sqlite:///var/fieldcare/records.sqlite"
    assert conf.telemetry == "sqlite"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"http_port": 70_000}, "FIELDCARE_HTTP_PORT=70000: "),
        ({"http_port": "eighty"}, "FIELDCARE_HTTP_PORT='eighty': "),
        ({"mqtt_port": -1}, "FIELDCARE_MQTT_PORT=-1: "),
        ({"plan_limit_s": 0}, "FIELDCARE_PLAN_LIMIT_S=0: "),
        ({"keep_days": 0}, "FIELDCARE_KEEP_DAYS=0: "),
        ({"keep_days": 0, "http_port": -1}, "; FIELDCARE_KEEP_DAYS=0: "),
        ({"shard": "3/2"}, "shard '3/2' is outside 1/2..2/2"),
        ({"shard": "1/2"}, "shard=1/2: set broker"),
        ({"shard": "1/2", "broker": "mqtt://b"}, "shard=1/2: set records"),
        ({"shard": "1/2", "broker": "mqtt://b", "records": "x"}, "shard=1/2: set telemetry"),
        ({"http_host": "0.0.0.0"}, "http_host=0.0.0.0 listens beyond this machine: set tls_cert"),
        ({"mqtt_host": "::"}, "mqtt_host=:: listens beyond this machine"),
        ({"mqtt_host": "lab.example"}, "mqtt_host=lab.example listens beyond this machine"),
        ({"http_host": "0.0.0.0", "tls_key": Path("k")}, "set tls_certificate and tls_key first"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(given: dict[str, Any], says: str) -> None:
    with pytest.raises(WrongSetting) as caught:
        load(**given)
    assert says in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_needs_no_certificate(host: str) -> None:
    assert load(http_host=host).http_host == host


def test_a_wide_address_is_fine_with_a_certificate() -> None:
    conf = load(http_host="0.0.0.0", tls_certificate=Path("c"), tls_key=Path("k"))
    assert conf.http_host == "0.0.0.0"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (
            "influx://desk:p%40ss@db:9999/fieldcare",
            ("http://db:9999", "fieldcare", "-", "desk", "p@ss", ""),
        ),
        (
            "influxs://token:t0k%2Fen@db/fieldcare?org=clinic",
            ("https://db:8086", "fieldcare", "clinic", "", "", "t0k/en"),
        ),
        ("influx://db/fieldcare", ("http://db:8086", "fieldcare", "-", "", "", "")),
    ],
)
def test_an_influx_address_is_taken_apart(url: str, wanted: tuple[str, ...]) -> None:
    server = influx_server(url)
    assert (
        server.url, server.bucket, server.org, server.user or "", server.password or "",
        server.token or "",
    ) == wanted  # fmt: skip


@pytest.mark.parametrize(
    "url", ["postgres://x:secret@db/fieldcare", "influx://u:secret@db", "influx://u:secret@/x", ""]
)
def test_another_telemetry_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(WrongSetting, match="telemetry is not sqlite or influx://") as caught:
        influx_server(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["influx://u:p@db:99999/x", "influx://u:secret/1@db/x", "influx://u:]secret[@db/x"]
)
def test_an_influx_address_that_cannot_be_read_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(WrongSetting, match="telemetry: its host or port cannot be read") as caught:
        influx_server(url)
    assert "secret" not in str(caught.value)
