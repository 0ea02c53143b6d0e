"""What programs hand in is answered once it is durable, and never waited for without end."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from collector.admission import device_principal, gateway_principal
from collector.committer import Committer
from collector.letterbox import Letterbox
from desk.arrival import Arrival
from desk.handing import Busy, Letter, NotAdmitted, Outcome
from tests.collector.given_endpoint import TELE, Recorder, passwords, until

DEVICE = device_principal("D1")
ONE = [Letter(TELE, b"1")]


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 30))


def test_what_is_handed_in_reaches_the_desk(committer: Committer, sink: Recorder) -> None:
    box = Letterbox(committer, passwords)
    assert run(box.hand_in(DEVICE, ONE)) == [Outcome()]
    assert sink.arrivals == [Arrival("D1", TELE, b"1")]
    assert run(box.hand_in(DEVICE, [])) == []


def test_who_has_no_credential_is_not_admitted(committer: Committer) -> None:
    box = Letterbox(committer, passwords)
    assert run(box.admit("D1", "pw")) == DEVICE
    with pytest.raises(NotAdmitted):
        run(box.admit("D1", "guessed"))


def test_a_gateway_speaks_for_the_devices_of_its_site(committer: Committer, sink: Recorder) -> None:
    gateway = gateway_principal("S1/GW")
    topics = [TELE, "fc/v1/S1/D2/birth", "fc/v1/S2/D1/tele", "fc/v1/S1/D1/cmd", "x"]
    run(Letterbox(committer, passwords).hand_in(gateway, [Letter(t, b"") for t in topics]))
    assert [arrival.sender for arrival in sink.arrivals] == [None, None] + ["S1/GW"] * 3


@pytest.mark.parametrize("name", ["S1/", "/GW", "S1", "S1/a/b", "S1/+", "+/GW", "S 1/GW", "#/#"])
def test_a_gateway_is_named_by_its_site_and_itself(name: str) -> None:
    with pytest.raises(ValueError, match="is not site/name"):
        gateway_principal(name)


def test_it_is_answered_only_once_it_is_kept(committer: Committer, sink: Recorder) -> None:
    box = Letterbox(committer, passwords)

    async def one() -> None:
        sink.open.clear()
        asked = asyncio.create_task(box.hand_in(DEVICE, ONE))
        await asyncio.to_thread(sink.asked.wait, 20)
        assert not asked.done()
        sink.open.set()
        assert await asked == [Outcome()]

    run(one())


def test_a_store_that_is_too_slow_is_not_waited_for(committer: Committer, sink: Recorder) -> None:
    box = Letterbox(committer, passwords, patience_s=0.05)
    sink.open.clear()
    with pytest.raises(Busy, match="not stored in time"):
        run(box.hand_in(DEVICE, ONE))
    sink.open.set()
    assert sink.wait_for(1) == [Arrival("D1", TELE, b"1")]


def test_what_waits_is_bounded(committer: Committer, sink: Recorder) -> None:
    box = Letterbox(committer, passwords, patience_s=0.05, waiting_messages=3)
    sink.open.clear()
    with pytest.raises(Busy, match="in time"):
        run(box.hand_in(DEVICE, ONE * 2))
    with pytest.raises(Busy, match="too many messages wait"):
        run(box.hand_in(DEVICE, ONE * 2))
    sink.open.set()
    sink.wait_for(2)
    until(lambda: box.waiting == 0)
    patient = Letterbox(committer, passwords, waiting_messages=3)
    assert run(patient.hand_in(DEVICE, ONE * 3)) == [Outcome()] * 3


def test_while_the_store_refuses_nothing_more_is_taken(
    committer: Committer, sink: Recorder
) -> None:
    box = Letterbox(committer, passwords, patience_s=0.05)
    sink.failing = [OSError("disk full")] * 3
    with pytest.raises(Busy):
        run(box.hand_in(DEVICE, ONE))
    until(lambda: committer.failing)
    with pytest.raises(Busy, match="the store refuses"):
        run(box.hand_in(DEVICE, ONE))
    assert sink.wait_for(1) == [Arrival("D1", TELE, b"1")]
