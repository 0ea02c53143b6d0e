"""A store on a real InfluxDB server, with a database of its own."""

import time
import uuid
from pathlib import Path

import pytest

from storage.influx import InfluxTelemetry
from storage.influx_link import Server
from tests.influx2_server import ORG, TOKEN

MODELS = {"A": "CHEM", "B": "IMMU", "C": "CHEM"}


class Forwarded(InfluxTelemetry):
    """Reads when everything is on the server and nothing is in memory any more."""

    def raw(self, *args, **kwargs):
        settle(self)
        return super().raw(*args, **kwargs)


def settle(store: InfluxTelemetry) -> None:
    """Return when the server has everything."""
    for _ in range(3000):
        if not store.waiting():
            return
        time.sleep(0.01)
    raise TimeoutError(f"{store.waiting()} batches still wait")


def fresh_influx(path: Path, request: pytest.FixtureRequest) -> InfluxTelemetry:
    server = request.getfixturevalue("influx_server")
    name = f"t{uuid.uuid4().hex}"
    server.ask(f"CREATE DATABASE {name}")
    return Forwarded(Server(server.url, name), path, MODELS, generation_rows=1)


def fresh_influx2(path: Path, request: pytest.FixtureRequest) -> InfluxTelemetry:
    server = request.getfixturevalue("influx2")
    name = f"t{uuid.uuid4().hex}"
    server.add_bucket(name)
    return Forwarded(Server(server.url, name, ORG, TOKEN), path, MODELS, generation_rows=1)
