"""Which messages are new, against a plain set of everything seen."""

from hypothesis import given
from hypothesis import strategies as st

from equipment.sequence import GAPS_KEPT, Tally

SEQS = st.lists(st.integers(0, 40), max_size=80)


@given(SEQS)
def test_a_number_is_new_exactly_once_from_the_first_one_on(seqs: list[int]) -> None:
    tally, seen = Tally(), set[int]()
    for seq in seqs:
        new = tally.is_new("b", seq)
        if seq >= seqs[0]:
            assert new == (seq not in seen)
        seen.add(seq)


@given(SEQS)
def test_the_gaps_are_what_is_missing(seqs: list[int]) -> None:
    tally = Tally()
    for seq in seqs:
        tally.is_new("b", seq)
    missing = {n for _, first, last in tally.gaps() for n in range(first, last + 1)}
    known = {n for n in seqs if n >= seqs[0]}
    assert missing == (set(range(min(known), max(known) + 1)) - known if known else set())


@given(SEQS, SEQS)
def test_a_restored_tally_goes_on_as_if_nothing_had_happened(a: list[int], b: list[int]) -> None:
    first = Tally()
    for seq in a:
        first.is_new("b", seq)
    second = Tally.restored(first.state())
    assert [first.is_new("b", seq) for seq in b] == [second.is_new("b", seq) for seq in b]


def test_gaps_are_bounded_and_forgotten_ones_count_as_new() -> None:
    tally = Tally()
    for seq in range(0, 4 * GAPS_KEPT, 2):
        assert tally.is_new("b", seq)
    assert len(tally.gaps()) == GAPS_KEPT
    assert tally.is_new("b", 1)


def test_a_new_boot_counts_from_the_start() -> None:
    tally = Tally()
    assert all(tally.is_new(boot, 0) for boot in "abcdef")
    assert not tally.is_new("f", 0)
    assert len(tally.boots) == 4


def say(tally: Tally, boot: str, seq: int, at_ms: int, newest_ms: int) -> str | None:
    """Return under which boot a message counts, None for a redelivery; times in 5 s."""
    new = tally.is_new(boot, seq)
    at_ms, newest_ms = 5000 * at_ms, 5000 * newest_ms
    return boot if new else tally.run(boot, seq, (at_ms, at_ms), newest_ms)


def test_a_new_boot_begins_its_own_numbers_and_is_counted() -> None:
    tally = Tally()
    assert [tally.is_new(b, s) for b, s in [("a", 0), ("a", 1), ("b", 0), ("a", 1)]] == [
        True, True, True, False,
    ]  # fmt: skip
    assert (tally.reboots, tally.resets) == (1, 0)


def test_numbers_that_begin_again_are_another_run_of_the_boot() -> None:
    tally = Tally()
    for seq in range(100):
        tally.is_new("b", seq)
    assert say(tally, "b", 99, 99, 99) is None
    assert [say(tally, "b", seq, 200 + seq, 199 + seq) for seq in range(3)] == ["b~1"] * 3
    assert say(tally, "b", 1, 201, 202) is None  # redelivered, of the second run
    assert say(tally, "b", 1, 1, 202) is None  # redelivered, of the first
    assert say(tally, "b", 5, 205, 202) == "b~1"
    assert say(tally, "b", 4, 204, 205) == "b~1"  # out of order
    assert [say(tally, "b", seq, 300 + seq, 299 + seq) for seq in range(2)] == ["b~2"] * 2
    assert (tally.resets, tally.gaps()) == (2, [("b~1", 3, 3)])


def test_a_device_that_begins_again_all_the_time_is_always_heard() -> None:
    tally, newest_ms = Tally(), 0
    for at_ms in range(1, 200):
        assert say(tally, "b", at_ms % 2, at_ms, newest_ms) is not None
        newest_ms = at_ms
    assert len(tally.boots) <= 4
    assert len(tally.runs) <= 4


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=60))
def test_what_is_taken_up_again_knows_the_same_runs(steps: list[tuple[int, bool]]) -> None:
    tally, again, newest_ms = Tally(), Tally(), 0
    sent: list[tuple[str, int, int]] = []
    for seq, repeats in steps:
        at_ms = sent[seq % len(sent)][2] if repeats and sent else newest_ms + 1
        number = sent[seq % len(sent)][1] if repeats and sent else seq
        boot = say(tally, "b", number, at_ms, newest_ms)
        if boot is not None:
            again.take_up(boot, number, 5000 * at_ms)
            sent.append(("b", number, at_ms))
            newest_ms = max(newest_ms, at_ms)
    assert (again.boots, again.runs, again.resets) == (tally.boots, tally.runs, tally.resets)
    assert Tally.restored(tally.state()) == tally
