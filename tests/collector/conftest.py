from collections.abc import Iterator

import pytest

from collector.committer import Committer
from tests.collector.given_endpoint import Recorder, Running, endpoint


@pytest.fixture
def running() -> Iterator[Running]:
    with endpoint() as server:
        yield server


@pytest.fixture
def sink() -> Recorder:
    return Recorder()


@pytest.fixture
def committer(sink: Recorder) -> Iterator[Committer]:
    running = Committer(sink)
    running.start()
    yield running
    sink.open.set()
    running.stop()
