"""Real servers for tests: started on a free loopback port, stopped by their own process id."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SHIPPED = Path(__file__).parent.parent / "deploy" / "mosquitto"
PATIENCE_S = 20.0


def program(name: str) -> str:
    """Return the path of a server program; skip the test without it, unless it is required."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    found = shutil.which(name, path=places)
    if found is None:
        if os.environ.get("FIELDCARE_SERVERS") == "required":
            pytest.fail(f"{name} is required here and not installed")
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    """Return a port nobody listens on at the moment.

    It is below those that the system gives to connections, so that nobody else's has it while a
    server that was stopped starts again.
    """
    for _ in range(100):
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when somebody accepts connections on ``port``."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"server ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nobody listens on port {port}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, and make it end."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass
class Mosquitto:
    """A mosquitto with the shipped configuration, its files in ``directory``."""

    directory: Path
    users: dict[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    more: str = ""  # lines of configuration beside the shipped ones

    def url(self, user: str) -> str:
        """Return the address to connect to as ``user``."""
        return f"mqtt://{user}:{self.users[user]}@127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Write the shipped configuration with this directory's paths, and the passwords."""
        text = (SHIPPED / "mosquitto.conf").read_text()
        text = text.replace("/mosquitto/config", str(self.directory))
        text = text.replace("/mosquitto/data", str(self.directory))
        text = text.replace("listener 1883 ", f"listener {self.port} ")
        if os.geteuid() == 0:
            text += "\nuser root\n"
        (self.directory / "mosquitto.conf").write_text(f"{text}\n{self.more}\n")
        shutil.copy(SHIPPED / "acl", self.directory / "acl")
        file = self.directory / "passwords"
        file.write_text("".join(f"{user}:{word}\n" for user, word in self.users.items()))
        if self.users:
            command = [program("mosquitto_passwd"), "-U", str(file)]
            subprocess.run(command, check=True, capture_output=True)

    def start(self) -> None:
        """Start it, and return when it listens."""
        command = [program("mosquitto"), "-c", str(self.directory / "mosquitto.conf")]
        with (self.directory / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for_port(self.port, self.process)

    def stop(self) -> None:
        """Stop it as a service manager would."""
        if self.process is not None:
            stop(self.process)
            self.process = None

    def saved_at(self) -> float:
        """Return when it last wrote down what it keeps, s of the epoch; 0 for never."""
        file = self.directory / "mosquitto.db"
        return file.stat().st_mtime if file.exists() else 0.0

    def kill(self) -> None:
        """Kill it, as if the power had gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def mosquitto(directory: Path, **users: str) -> Iterator[Mosquitto]:
    """Run a mosquitto with the shipped configuration for these users and passwords."""
    server = Mosquitto(directory, users or {"fieldcare": "collects", "D1": "one", "D2": "two"})
    program("mosquitto")
    server.prepare()
    server.start()
    try:
        yield server
    finally:
        server.stop()
