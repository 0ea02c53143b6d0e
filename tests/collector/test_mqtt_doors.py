"""How a collector is let in by a broker, and what operators are told when it is not."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector.address import BadAddress, Certificates, address
from collector.committer import Committer
from collector.mqtt import Broker, listen
from collector.status import Said, status_topic
from tests.collector.given_endpoint import PATIENCE_S, TELE, Recorder, until
from tests.servers import Mosquitto, free_port, mosquitto, program

pytestmark = pytest.mark.mosquitto


@contextmanager
def collecting(url: str, sink: Recorder | None = None, **more: Any) -> Iterator[Broker]:
    committer = Committer(sink or Recorder())
    committer.start()
    broker = listen(url, committer, **more)
    try:
        yield broker
    finally:
        broker.stop()
        committer.stop()


def publish(server: Mosquitto, *lines: str) -> None:
    command = [program("mosquitto_pub"), "-h", "127.0.0.1", "-p", str(server.port)]
    command += ["-u", "D1", "-P", "one", "-q", "1", "-t", TELE, "-l"]
    text = "".join(f"{line}\n" for line in lines).encode()
    subprocess.run(command, input=text, check=True, timeout=PATIENCE_S)


def status(server: Mosquitto, client_id: str = "fieldcare-collector") -> str:
    """Return the state that is retained of the collector."""
    command = [program("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(server.port), "-W", "5"]
    command += ["-u", "fieldcare", "-P", "collects", "-t", status_topic(client_id), "-C", "1"]
    heard = subprocess.run(command, capture_output=True, check=False).stdout
    return msgspec.json.decode(heard, type=Said).state if heard else ""


def authority(folder: Path) -> None:
    """Make an authority (ca), and certificates of it for the broker and for the collector."""

    def openssl(*arguments: str) -> None:
        subprocess.run(
            [program("openssl"), *arguments], check=True, capture_output=True, cwd=folder
        )

    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj")
    openssl(*new, "/CN=ca", "-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem")
    for name in ("broker", "collector"):
        (folder / "ext").write_text("subjectAltName=IP:127.0.0.1")
        openssl(*new, f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signed = ("-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", *signed,
                "-out", f"{name}.pem")  # fmt: skip


@pytest.fixture
def walled(tmp_path: Path) -> Iterator[tuple[Mosquitto, int]]:
    """Run a broker that wants certificates on the second port."""
    authority(tmp_path)
    server, port = Mosquitto(tmp_path, {"fieldcare": "collects", "D1": "one"}), free_port()
    server.more = (
        f"listener {port} 127.0.0.1\ncafile {tmp_path}/ca.pem\ncertfile {tmp_path}/broker.pem\n"
        f"keyfile {tmp_path}/broker.key\nrequire_certificate true\n"
    )
    program("mosquitto")
    server.prepare()
    server.start()
    yield server, port
    server.stop()


# paho leaves the socket of a failed handshake to the garbage collector
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_collector_shows_its_certificate_and_asks_for_the_brokers(
    walled: tuple[Mosquitto, int], tmp_path: Path
) -> None:
    server, port = walled
    ours = Certificates(*(tmp_path / name for name in ("ca.pem", "collector.pem", "collector.key")))
    sink = Recorder()
    url = f"mqtts://fieldcare:collects@127.0.0.1:{port}"
    with collecting(url, sink, certificates=ours) as broker:
        assert broker.wait_until_subscribed(PATIENCE_S)
        publish(server, *map(str, range(3000)))
        assert [int(a.payload) for a in sink.wait_for(3000)] == list(range(3000))
    with collecting(url) as stranger:
        until(lambda: "certificate verify failed" in stranger.trouble)


def test_certificates_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for wrong in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        with pytest.raises(BadAddress, match=wrong.name):
            address("mqtts://broker", Certificates(wrong))
        with pytest.raises(BadAddress, match=wrong.name):
            address("mqtts://broker", Certificates(None, wrong))
    with pytest.raises(BadAddress, match="mqtts:// only"):
        address("mqtt://broker", Certificates(tmp_path))


def test_a_wrong_password_is_told_and_another_try_follows(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as server:
        wrong = f"mqtt://fieldcare:wrong@127.0.0.1:{server.port}"
        with collecting(wrong) as broker:
            until(lambda: broker.trouble == "the broker refuses us: Not authorized")
            assert not broker.connected


def test_who_watches_the_status_topic_learns_that_a_collector_is_gone(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as server:
        with collecting(server.url("fieldcare")) as broker:
            assert broker.wait_until_subscribed(PATIENCE_S)
            until(lambda: status(server) == "online")
            broker._client.socket().shutdown(2)  # as if the cable had been cut
            until(lambda: not broker.connected)
            assert status(server) == "lost"
            assert broker.wait_until_subscribed(PATIENCE_S)
            until(lambda: status(server) == "online")
        assert status(server) == "stopped"


def test_two_collectors_with_one_client_id_do_not_fight(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with mosquitto(tmp_path) as server:
        url, sink = server.url("fieldcare"), Recorder()
        with collecting(url) as first:
            assert first.wait_until_subscribed(PATIENCE_S)
            with collecting(url, sink) as second:
                assert second.wait_until_subscribed(PATIENCE_S)
                until(lambda: "another client uses our client id" in first.trouble)
                publish(server, "1", "2")
                assert [a.payload for a in sink.wait_for(2)] == [b"1", b"2"]
                assert second.wait_until_subscribed(PATIENCE_S)
                assert not first.connected
    assert "another client uses our client id" in caplog.text


def test_of_two_with_one_client_id_one_stays_also_when_the_first_was_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with mosquitto(tmp_path) as server:
        url, sink = server.url("fieldcare"), Recorder()
        with collecting(url, sink) as first:
            assert first.wait_until_subscribed(PATIENCE_S)
            first._client.socket().shutdown(2)
            with collecting(url, sink) as second:
                until(lambda: "another client uses our client id" in caplog.text)
                publish(server, "1", "2")
                assert [a.payload for a in sink.wait_for(2)] == [b"1", b"2"]
                until(lambda: first.connected or second.connected)


def test_more_topics_are_subscribed_to_while_it_runs(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as server:
        sink = Recorder()
        with collecting(server.url("fieldcare"), sink, topics=("fc/v1/S9/+/+",)) as broker:
            assert broker.wait_until_subscribed(PATIENCE_S)
            publish(server, "nobody's")
            broker.subscribe(["fc/v1/S1/+/+"])
            until(lambda: not broker._asked)
            publish(server, "ours")
            assert [a.payload for a in sink.wait_for(1)] == [b"ours"]
