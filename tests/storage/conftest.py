from collections.abc import Iterator

import pytest

from tests import influx2_server
from tests.influx2_server import Influx2Server
from tests.influx_server import InfluxServer, running


@pytest.fixture(scope="session")
def influx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with running(tmp_path_factory.mktemp("influx")) as server:
        yield server


@pytest.fixture(scope="session")
def influx2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx2Server]:
    with influx2_server.running(tmp_path_factory.mktemp("influx2")) as server:
        yield server
