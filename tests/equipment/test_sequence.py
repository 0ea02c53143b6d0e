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
