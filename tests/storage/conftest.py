from collections.abc import Iterator

import pytest

from tests.influx_server import InfluxServer, running


@pytest.fixture(scope="session")
def influx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with running(tmp_path_factory.mktemp("influx")) as server:
        yield server
