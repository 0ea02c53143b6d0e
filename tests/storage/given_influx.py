"""A store on a real InfluxDB server, with a database of its own."""

import time
import uuid
from pathlib import Path

import pytest

from storage.influx import InfluxTelemetry
from storage.influx_link import Server
from storage.influx_setup import set_up
from storage.register import UNKNOWN, Standing
from tests.influx2_server import ORG, TOKEN

STANDING = {
    "A": Standing("CHEM", "S1"), "B": Standing("IMMU", "S1"), "C": Standing("CHEM", "S2")
}  # fmt: skip


def register(device: str) -> Standing:
    return STANDING.get(device, UNKNOWN)


class Forwarded(InfluxTelemetry):
    """Reads when everything is on the server and nothing is in memory any more."""

    def raw(self, *args, **kwargs):
        settle(self)
        return super().raw(*args, **kwargs)

    def window(self, *args, **kwargs):
        settle(self)
        return super().window(*args, **kwargs)

    def notes(self, *args, **kwargs):
        settle(self)
        return super().notes(*args, **kwargs)


def settle(store: InfluxTelemetry) -> None:
    """Return when the server has everything."""
    for _ in range(3000):
        if not store.backlog().batches:
            return
        time.sleep(0.01)
    raise TimeoutError(f"they still wait: {store.backlog()}")


def server_1(request: pytest.FixtureRequest) -> Server:
    """A server of 1.x, and a name for a database that is not there yet."""
    return Server(request.getfixturevalue("influx_server").url, f"t{uuid.uuid4().hex}")


def server_2(request: pytest.FixtureRequest) -> Server:
    """A server of 2.x, and a bucket that is there: it cannot be written to without."""
    server, name = request.getfixturevalue("influx2"), f"t{uuid.uuid4().hex}"
    return Server(server.url, name, ORG, TOKEN)


def fresh_influx(path: Path, request: pytest.FixtureRequest) -> InfluxTelemetry:
    server = server_1(request)
    set_up(server, 4000, 4000)
    return Forwarded(server, path, register, generation_rows=1, linger_s=0)


def fresh_influx2(path: Path, request: pytest.FixtureRequest) -> InfluxTelemetry:
    server = server_2(request)
    set_up(server, 4000, 4000)
    return Forwarded(server, path, register, generation_rows=1, linger_s=0)
