"""mosquitto lets in whoever the password file that we write says, and nobody else."""

from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from desk.register import issue
from tests.fieldcare.given_process import cli, office, until
from tests.given import BY
from tests.servers import mosquitto


def answer(port: int, user: str, secret: str) -> str:
    """Return what the broker says to a client that comes with this password."""
    said: list[str] = []
    client = Client(CallbackAPIVersion.VERSION2, client_id="somebody")
    client.username_pw_set(user, secret)
    client.on_connect = lambda _c, _d, _f, reason, _p: said.append(str(reason))
    client.connect("127.0.0.1", port)
    client.loop_start()
    until(lambda: said)
    client.disconnect()
    client.loop_stop()
    return said[0]


def test_a_broker_takes_the_secrets_that_were_issued_and_not_those_before(tmp_path: Path) -> None:
    with office(tmp_path / "data") as desk:
        first = issue(desk.records, "CHEM-001", BY)
        second = issue(desk.records, "CHEM-001", BY)
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder, fieldcare="collects") as broker:
        file = folder / "passwords"
        code, said = cli("device", "passwords", file, data=tmp_path / "data")
        assert (code, "2 users" in said) == (0, True), said
        broker.stop()
        broker.start()
        assert answer(broker.port, "CHEM-001", second) == "Success"
        assert answer(broker.port, "CHEM-001", first) == "Not authorized"
        assert answer(broker.port, "fieldcare", "collects") == "Success"
