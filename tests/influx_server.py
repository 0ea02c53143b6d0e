"""A real InfluxDB 1.x server on free loopback ports, with its own folder, for one test run."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

_CONFIG = """
reporting-enabled = false
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  index-version = "tsi1"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{http}"
  log-enabled = false
  flux-enabled = false
"""


class InfluxServer:
    """Start, stop and start again, as an operator would. The data stay in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        rpc, http = _free_ports(2)
        self.url = f"http://127.0.0.1:{http}"
        self._config = folder / "influxdb.conf"
        folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(_CONFIG.format(rpc=rpc, http=http, folder=folder))

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            command = [executable(), "-config", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(300):
            try:
                if httpx.get(f"{self.url}/ping").status_code == 204:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
            if self._process.poll() is not None:
                break
        raise RuntimeError(f"influxd did not start: {(self._folder / 'log').read_text()[-2000:]}")

    def stop(self, kill: bool = False) -> None:
        if self._process is not None:
            self._process.kill() if kill else self._process.terminate()
            self._process.wait()
            self._process = None

    def ask(self, question: str, **parameters: str) -> dict:
        answer = httpx.post(f"{self.url}/query", params={"q": question, **parameters})
        answer.raise_for_status()
        return answer.json()


def executable() -> str | None:
    return shutil.which("influxd") or shutil.which("influxd", path="/usr/sbin:/usr/local/bin")


@contextmanager
def running(folder: Path) -> Iterator[InfluxServer]:
    """Run a server. Without the program: skip, or fail where servers are required."""
    if executable() is None:
        missing = "influxd is not installed (Debian package: influxdb)"
        if os.environ.get("FIELDCARE_SERVERS") == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    server = InfluxServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _free_ports(n: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
