import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import packets
from simulators.client import Limits
from tests.simulators.given_broker import ForgetfulBroker, client

messages = st.tuples(
    st.text("abc/+", min_size=1, max_size=20), st.binary(max_size=300), st.integers(1, 65535)
)


@given(st.lists(messages, max_size=8), st.lists(st.integers(1, 400), max_size=20))
def test_packets_are_found_however_the_stream_is_cut(sent, cuts):
    stream = b"".join(packets.publish(*message, retain=False) for message in sent)
    buffer, got = bytearray(), []
    for cut in [*cuts, len(stream)]:
        buffer += stream[:cut]
        stream = stream[cut:]
        got += [packets.published(packet) for packet in packets.taken(buffer)]
    assert got == [packets.Published(*message) for message in sent]
    assert not buffer


@pytest.mark.parametrize("size", [0, 117, 118, 16_373, 16_374, 70_000])
def test_lengths_of_one_to_three_bytes_are_read_back(size):
    buffer = bytearray(packets.publish("topic", b"x" * size, 7, retain=True))
    (packet,) = packets.taken(buffer)
    assert len(packets.published(packet).payload) == size


def test_a_length_that_never_ends_is_refused():
    with pytest.raises(packets.BrokenPacket, match="more than four bytes"):
        list(packets.taken(bytearray(b"\x30\xff\xff\xff\xff\xff")))


def test_what_was_not_confirmed_is_sent_again_in_order_and_marked():
    async def story():
        broker = ForgetfulBroker(patience=3)
        async with broker as where, asyncio.timeout(20):
            device = client(where, "A", limits=Limits(window=3, queue=20))
            running = asyncio.create_task(device.run())
            for number in range(10):
                await device.publish("t", str(number).encode())
            assert await device.drained(15)
            device.leave()
            running.cancel()
        return broker.seen, device.counts

    (before, after), counts = asyncio.run(story())
    told = [packets.published(packet) for packet in after]
    assert [int(message.payload) for message in told] == list(range(10))
    assert [bool(packet.flags & 0x08) for packet in after] == [True] * 3 + [False] * 7
    assert [packets.published(packet) for packet in before] == told[:3]
    assert (counts.published, counts.acked, counts.resent) == (10, 10, 3)


def test_a_full_queue_makes_the_publisher_wait():
    async def story():
        async with ForgetfulBroker(patience=1000) as where, asyncio.timeout(20):
            device = client(where, "A", limits=Limits(window=2, queue=5))
            running = asyncio.create_task(device.run())
            await device.connected.wait()
            talking = [asyncio.create_task(device.publish("t", b"x")) for _ in range(30)]
            done, waiting = await asyncio.wait(talking, timeout=0.2)
            in_hand = device.unacknowledged
            for task in (running, *waiting):
                task.cancel()
            device.cut()
        return len(done), in_hand

    assert asyncio.run(story()) == (7, 7)
