"""Two collectors with one client id notice each other by what is retained of them."""

import pytest

from collector.status import PAUSES_S, Status


def connected(times: int) -> Status:
    status = Status("c")
    for _ in range(times):
        status.next()
    return status


@pytest.mark.parametrize("told", [True, False])
def test_another_is_noticed_at_the_latest_at_the_second_sight(*, told: bool) -> None:
    ours, other = connected(2), connected(1)
    assert ours.another(other.say("online"), told=told) is not told
    assert not ours.another(other.say("lost"), told=told)  # the same connection of it
    other.next()
    assert ours.another(other.say("lost"), told=told)


def test_who_was_there_before_us_or_said_goodbye_is_no_other() -> None:
    other = connected(1)
    assert not connected(1).another(other.say("online"), told=False)
    ours = connected(2)
    for payload in (ours.say("lost"), other.say("stopped"), b"", b"\xff", b'{"state": 1}'):
        assert not ours.another(payload, told=False)


def test_who_is_pushed_out_again_and_again_stays_away_for_longer_then_for_good() -> None:
    status = connected(2)
    assert [status.pause_s(0.0) for _ in range(4)] == [*PAUSES_S, None]
    assert status.pause_s(1e6) == PAUSES_S[0]
