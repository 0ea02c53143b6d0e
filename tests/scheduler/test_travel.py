"""Travel: a guess without a map, and a check on every source of driving times."""

import numpy as np
import pytest

from scheduler.plan import ImpossibleProblem
from scheduler.travel import CrowFlies, crow_flies, travel_matrix
from tests.scheduler.given_day import CITY, near


def test_ten_kilometres_by_road_take_the_town_speed():
    slow = CrowFlies(road_factor=1.0, town_km=10.0, town_kmh=30.0)
    assert slow.seconds([CITY, near(10)])[0, 1] == pytest.approx(1200, abs=3)


def test_beyond_the_town_the_road_is_faster():
    times = crow_flies().seconds([CITY, near(50), near(100)])
    assert times[0, 1] < times[0, 2] < 2 * times[0, 1]


def test_driving_times_are_whole_seconds_and_nothing_to_stay():
    times = crow_flies().seconds([CITY, near(3, 4), near(-20)])
    assert times.dtype == np.int64
    assert (times.diagonal() == 0).all()
    assert (times == times.T).all()


def test_the_longer_the_road_the_longer_the_drive():
    direct, winding = (crow_flies(f).seconds([CITY, near(40)])[0, 1] for f in (1.0, 1.4))
    assert direct < winding


def test_no_places_no_drives():
    assert crow_flies().seconds([]).shape == (0, 0)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (np.zeros((1, 2), dtype=int), "shape (1, 2) for 2 places"),
        (np.full((2, 2), 0.5), "not whole seconds"),
        (np.array([[0, -1], [5, 0]]), "-1 s from"),
        (np.array([[0, 5], [10**9, 0]]), "outside 0..604800"),
    ],
)
def test_a_source_that_answers_nonsense_is_refused(answer, says):
    class Broken:
        def seconds(self, places):
            return answer

    with pytest.raises(ImpossibleProblem) as error:
        travel_matrix(Broken(), [CITY, near(1)])
    assert says in str(error.value)


def test_a_speed_of_nothing_is_refused():
    with pytest.raises(ImpossibleProblem, match="road_kmh 0 is not above 0"):
        crow_flies(road_kmh=0)
