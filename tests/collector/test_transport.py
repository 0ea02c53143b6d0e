"""The same promises over TLS, and on every event loop."""

import asyncio
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from collector.admission import Limits
from collector.packets import V311, Ack, Connect, Publish, encode
from collector.session import Session
from collector.tls import device_context
from desk.arrival import Arrival
from storage.mailbox import Client
from tests.collector.given_endpoint import PATIENCE_S, TELE, Running, client, endpoint
from tests.servers import program

uvloop = pytest.importorskip("uvloop")


@contextmanager
def _on(loop: str) -> Iterator[Callable[..., Any]]:
    loops = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    yield lambda limits: endpoint(limits, new_loop=loops[loop])


@pytest.fixture(params=["uvloop", "asyncio"])
def started(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    with _on(request.param) as start:
        yield start


def test_a_full_endpoint_reads_nothing_more_admits_clients_and_loses_nothing(
    started: Callable[..., Any],
) -> None:
    with started(Limits(waiting_messages=100)) as running:
        _fill(running)
    assert len(running.sink.arrivals) == 20_001


def _fill(running: Running) -> None:
    with client(running.port, version=V311) as device:
        running.sink.open.clear()
        messages = [Publish(TELE, bytes(1000), 1, n) for n in range(1, 20_001)]
        feeding = threading.Thread(target=device.send, args=messages)
        feeding.start()
        assert running.sink.asked.wait(PATIENCE_S)
        with client(running.port, "D2") as other:
            other.send(Publish("fc/v1/S1/D2/tele", b"x", 1, 1))
            assert running.endpoint.waiting[0] < 5000
            running.sink.open.set()
            assert [device.expect(Ack).pid for _ in range(20_000)] == list(range(1, 20_001))
            assert other.expect(Ack).pid == 1
        feeding.join()


def test_a_client_is_welcome_while_the_store_is_away(started: Callable[..., Any]) -> None:
    with started(Limits(waiting_messages=1)) as running, client(running.port) as device:
        running.sink.open.clear()
        device.send(Publish(TELE, b"1", 1, 1), Publish(TELE, b"2", 1, 2))
        assert running.sink.asked.wait(PATIENCE_S)
        with client(running.port, "D2") as other:
            other.send(Publish("fc/v1/S1/D2/tele", b"3", 1, 1))
            running.sink.open.set()
            assert other.expect(Ack).pid == 1


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """Return a certificate for 127.0.0.1 that signed itself, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.mark.mosquitto
def test_a_device_without_a_certificate_stays_outside_where_one_is_asked_for(
    tmp_path: Path,
) -> None:
    server, device, other = (self_signed(tmp_path, name) for name in ("server", "device", "other"))
    with endpoint(tls=device_context(*server, devices_ca=device[0])) as running:
        publish = [program("mosquitto_pub"), "-h", "127.0.0.1", "-p", str(running.port), "-t", TELE]
        publish += ["-u", "D1", "-P", "pw", "-q", "1", "-m", "x", "--cafile", str(server[0])]
        for shown, taken in ((None, False), (other, False), (device, True)):
            files = ["--cert", str(shown[0]), "--key", str(shown[1])] if shown else []
            done = subprocess.run(
                [*publish, *files], check=False, capture_output=True, timeout=PATIENCE_S
            )
            assert (done.returncode == 0) is taken
    assert running.sink.arrivals == [Arrival("D1", TELE, b"x")]


@pytest.mark.mosquitto
def test_devices_speak_over_tls(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "server")
    with endpoint(tls=device_context(certificate, key, None)) as running:
        publish = [program("mosquitto_pub"), "-V", "5", "-h", "127.0.0.1", "-p", str(running.port)]
        publish += ["-u", "D1", "-P", "pw", "-q", "1", "-t", TELE, "-l"]
        lines = b"".join(b"%d\n" % n for n in range(500))
        subprocess.run(
            [*publish, "--cafile", str(certificate)], input=lines, check=True, timeout=PATIENCE_S
        )
        assert running.sink.wait_for(500) == [Arrival("D1", TELE, b"%d" % n) for n in range(500)]
        with socket.create_connection(("127.0.0.1", running.port), PATIENCE_S) as plain:
            plain.sendall(encode(Connect("D1", V311, username="D1", password=b"pw"), V311))
            assert plain.recv(1) != b"\x20"
    assert len(running.sink.arrivals) == 500


def test_a_session_never_uses_a_packet_identifier_twice() -> None:
    session = Session(Client("D1", "D1"))
    session.used_pid = 0xFFFF
    session.inflight = dict.fromkeys((1, 2, 4))  # type: ignore[assignment]
    assert session._free_pid() == 3
    assert session.acknowledge(7) is None


def test_a_connection_that_breaks_is_no_error(started: Callable[..., Any]) -> None:
    with started(None) as running:
        for _ in range(20):
            with client(running.port, version=V311) as device:
                running.sink.open.clear()
                device.send(Publish(TELE, b"x", 1, 1))
                linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # close with a reset
                device.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            running.sink.open.set()
        with client(running.port, "D2") as other:
            assert other.hears_nothing()
