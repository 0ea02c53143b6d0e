"""A real InfluxDB 2 server on a free loopback port, for one test run."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers import free_port

ORG, TOKEN = "tests", "a-token-for-tests-only"
_START_S = 30.0


class Influx2Server:
    """A server, set up at its first start; ``add_bucket`` gives a test a place of its own."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        self._program = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._is_set_up = False

    def start(self, program: str) -> None:
        """Start it for the first time, and set it up."""
        self._program = program
        self.start_again()
        self._set_up()

    def start_again(self) -> None:
        """Start it on the data it has, and return when it answers."""
        command = [
            self._program, "--reporting-disabled", "--log-level", "error",
            "--http-bind-address", self.url.removeprefix("http://"),
            "--bolt-path", self._folder / "bolt", "--sqlite-path", self._folder / "sqlite",
            "--engine-path", self._folder / "engine",
        ]  # fmt: skip
        home = {**os.environ, "HOME": str(self._folder)}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, env=home, stdout=log, stderr=log)
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/health").is_success:
                    return
            time.sleep(0.1)
        raise TimeoutError(f"influxd2 did not start: {(self._folder / 'log').read_text()[-2000:]}")

    def _set_up(self) -> None:
        if self._is_set_up:
            return
        first = {"username": "tests", "password": "long-enough", "bucket": "first"}
        asked = {**first, "org": ORG, "token": TOKEN}
        httpx.post(f"{self.url}/api/v2/setup", json=asked).raise_for_status()
        self._is_set_up = True

    def add_bucket(self, name: str) -> None:
        authorised = {"Authorization": f"Token {TOKEN}"}
        found = httpx.get(f"{self.url}/api/v2/orgs", params={"org": ORG}, headers=authorised)
        asked = {"orgID": found.json()["orgs"][0]["id"], "name": name, "retentionRules": []}
        made = httpx.post(f"{self.url}/api/v2/buckets", json=asked, headers=authorised)
        made.raise_for_status()

    def kill(self) -> None:
        """Kill it, as if the power had gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # the only signal it takes as a wish
            self._process.wait(20)


def here() -> bool:
    """Return whether there is such a server on this machine."""
    return shutil.which("influxd2") is not None


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Influx2Server]:
    """Run a server; skip where there is none: it is in no package registry."""
    program = shutil.which("influxd2")
    if program is None:
        pytest.skip("influxd2, an InfluxDB 2 server, is not on the PATH")
    server = Influx2Server(folder)
    try:
        server.start(program)
        yield server
    finally:
        server.stop()
