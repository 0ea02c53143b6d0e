"""Travel: how long the drive takes between any two of some places."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scheduler.plan import ImpossibleProblem, Place

EARTH_KM = 6371.0
LONGEST_S = 7 * 24 * 3600


class Travel(Protocol):
    """A source of driving times."""

    def seconds(self, places: Sequence[Place]) -> NDArray[np.int64]:
        """Return (n, n) whole seconds, [i, j] from place i to place j, rounded up."""
        ...


@dataclass(frozen=True, slots=True)
class CrowFlies:
    """Guess driving times from great-circle distance, without a map.

    The road is ``road_factor`` times longer than the great circle. The first ``town_km`` are
    driven at ``town_kmh``, the rest at ``road_kmh``. Source: haversine formula.
    """

    road_factor: float = 1.4
    town_km: float = 10.0
    town_kmh: float = 35.0
    road_kmh: float = 75.0

    def __post_init__(self) -> None:
        for name in ("road_factor", "town_kmh", "road_kmh"):
            if not getattr(self, name) > 0:
                raise ImpossibleProblem(f"travel: {name} {getattr(self, name)} is not above 0")

    def seconds(self, places: Sequence[Place]) -> NDArray[np.int64]:
        """Return (n, n) whole seconds, [i, j] from place i to place j, rounded up."""
        degrees = np.array([(p.latitude, p.longitude) for p in places], dtype=float)
        latitude, longitude = np.radians(degrees.reshape(-1, 2)).T
        north = np.sin((latitude[:, None] - latitude) / 2) ** 2
        east = np.sin((longitude[:, None] - longitude) / 2) ** 2
        chord = north + np.cos(latitude)[:, None] * np.cos(latitude) * east
        km = 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(chord, 0, 1))) * self.road_factor
        town = np.minimum(km, self.town_km)
        hours = town / self.town_kmh + (km - town) / self.road_kmh
        seconds: NDArray[np.float64] = np.ceil(np.round(hours * 3600, 6))
        return seconds.astype(np.int64)


def crow_flies(road_factor: float = 1.4, road_kmh: float = 75.0) -> Travel:
    """Return great-circle driving times with a road factor and a speed between towns."""
    return CrowFlies(road_factor=road_factor, road_kmh=road_kmh)


def travel_matrix(travel: Travel, places: Sequence[Place]) -> NDArray[np.int64]:
    """Return what ``travel`` says about ``places``, checked.

    Raises ImpossibleProblem for a matrix of the wrong shape, fractions, holes or absurd times.
    """
    matrix = np.asarray(travel.seconds(places))
    if matrix.shape != (len(places), len(places)):
        raise ImpossibleProblem(
            f"travel: matrix of shape {matrix.shape} for {len(places)} places is not square"
        )
    if not np.issubdtype(matrix.dtype, np.integer):
        raise ImpossibleProblem(f"travel: matrix of {matrix.dtype} is not whole seconds")
    wrong = np.argwhere((matrix < 0) | (matrix > LONGEST_S))
    if len(wrong):
        i, j = wrong[0]
        raise ImpossibleProblem(
            f"travel: {matrix[i, j]} s from {places[i]} to {places[j]} is outside 0..{LONGEST_S}"
        )
    return matrix.astype(np.int64)
