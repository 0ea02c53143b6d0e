"""Nothing that is sent breaks the endpoint, stops it or makes it grow."""

from random import Random

from benchmarks.fuzz import fuzz
from benchmarks.mutants import arrival, talk


def test_mutated_packets_do_no_harm_and_healthy_clients_notice_nothing() -> None:
    outcome = fuzz(6000, seed=3)
    assert outcome.wrong == ()
    assert outcome.mutants >= 6000
    assert outcome.healthy
    assert outcome.taken > outcome.healthy


def test_a_turn_can_be_repeated_from_its_seed() -> None:
    one, again = (arrival(random, talk(random)) for random in (Random(7), Random(7)))
    assert one == again
