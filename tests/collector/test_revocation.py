"""A credential that holds no longer ends what was opened with it, at once."""

import threading

from collector.admission import Principal
from collector.fields import Reason
from collector.packets import V5, Connack, Connect, Disconnect, Publish, Will
from storage.mailbox import Client, MemoryMailbox
from tests.collector.given_endpoint import (
    BOTH,
    CMD,
    PATIENCE_S,
    STATE,
    RawClient,
    Running,
    client,
    endpoint,
    kept,
    passwords,
    subscribe,
    until,
)


@BOTH
def test_every_connection_of_a_revoked_user_ends_and_no_other(
    running: Running, version: int
) -> None:
    with (
        client(running.port, version=version) as one,
        client(running.port, version=version, name="D1-b") as two,
        client(running.port, "D2", version=version) as other,
    ):
        running.endpoint.cut("D1")
        for cut in (one, two):
            if version == V5:
                assert cut.expect(Disconnect).reason == Reason.NOT_AUTHORIZED
            assert cut.receive() is None
        assert other.hears_nothing()


@BOTH
def test_a_session_outlives_a_cut_unless_it_is_to_be_forgotten(version: int) -> None:
    mailbox = MemoryMailbox()
    with endpoint(mailbox=mailbox) as running:
        with client(running.port, version=version, **kept(version)) as device:
            subscribe(device, CMD)
            running.endpoint.cut("D1")
            while device.receive() is not None:
                pass
        with client(running.port, version=version, **kept(version)) as device:
            assert device.welcome.present
            running.endpoint.cut("D1", forget=True)
            while device.receive() is not None:
                pass
        until(lambda: Client("D1", "D1") not in mailbox.load().sessions)
        with client(running.port, version=version, **kept(version)) as device:
            assert not device.welcome.present


def test_a_forgotten_client_that_was_away_is_gone_with_its_letters() -> None:
    mailbox = MemoryMailbox()
    with endpoint(mailbox=mailbox) as running:
        with client(running.port, **kept(V5)) as device:
            subscribe(device, CMD)
        until(lambda: not running.endpoint.connected)
        running.endpoint.publish(CMD, b"still there?")
        running.endpoint.cut("D1", forget=True)
        until(lambda: not running.endpoint.exchange.sessions)
        with client(running.port, **kept(V5)) as device:
            assert not device.welcome.present
    assert not mailbox.load().waiting


def test_a_client_that_is_cut_off_leaves_its_will(running: Running) -> None:
    with (
        client(running.port, "desk", name="watch") as watch,
        client(running.port, will=Will(STATE, b"offline", 1, True)),
    ):
        subscribe(watch, "fc/v1/+/+/state")
        running.endpoint.cut("D1")
        assert watch.expect(Publish).payload == b"offline"


def test_a_password_that_is_being_checked_while_it_is_revoked_opens_nothing() -> None:
    asked, answered = threading.Event(), threading.Event()

    def slow(user: str, password: str) -> Principal | None:
        asked.set()
        answered.wait(PATIENCE_S)
        return passwords(user, password)

    with endpoint(authenticate=slow) as running:
        raw = RawClient(running.port)
        raw.send(Connect("D1", V5, username="D1", password=b"pw"))
        assert asked.wait(PATIENCE_S)
        running.endpoint.cut("D1")
        assert raw.expect(Connack).reason == Reason.NOT_AUTHORIZED
        answered.set()
        assert raw.receive() is None
        raw.close()


def test_a_cut_after_the_end_is_no_error() -> None:
    with endpoint() as running:
        pass
    running.endpoint.cut("D1")
