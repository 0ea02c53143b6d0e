"""How early the shipped profiles see wear, and how often they cry wolf.

Run from the repository's root: ``python -m benchmarks.health_quality [--devices N] [--days D]``.
The fleet is seeded and made as EQUIPMENT says: noise 60 % white and 40 % slow, a daily swing, quiet
weekends. A false fault is one that opens on a healthy device.
"""

import argparse
from collections import Counter
from typing import NamedTuple

import numpy as np

from health.alarm import Alarm
from health.profile import SHIPPED
from tests.health.given_fleet import Wear, exponential, linear, raised

START = 9.0  # day on which wear begins


class Mode(NamedTuple):
    """A failure mode: what it adds to which metric, how fast, and the fail limit it runs into."""

    id: str
    model: str
    metric: str
    shape: str
    adds: float
    days: float
    fails_at: float  # distance from nominal
    coarse_s: float = 60.0


MODES = (
    Mode("C1 lamp", "CHEM", "lamp_intensity", "linear", -30, 30, -30),
    Mode("C3 vacuum pump", "CHEM", "wash_vacuum", "exponential", 15, 14, 15),
    Mode("C4 clot 6 h", "CHEM", "sample_asp_peak_pressure", "linear", 15, 0.25, 15),
    Mode("C4 clot 24 h", "CHEM", "sample_asp_peak_pressure", "linear", 15, 1.0, 15),
    Mode("C4 clot 48 h", "CHEM", "sample_asp_peak_pressure", "linear", 15, 2.0, 15),
    Mode("C5 syringe", "CHEM", "syringe_home_offset", "linear", 8, 30, 8),
    Mode("C6 ISE", "CHEM", "ise_slope_na", "linear", -8, 60, -8),
    Mode("C7 cooler", "CHEM", "reagent_cooler_duty", "exponential", 45, 21, 45),
    Mode("C8 water", "CHEM", "water_resistivity", "linear", -8, 7, -6),
    Mode("C10 carousel", "CHEM", "carousel_motor_current", "linear", 0.8, 60, 0.8, 300),
    Mode("C11 PSU", "CHEM", "psu_24v", "linear", -1.2, 10, -1.2),
    Mode("I1 optics", "IMMU", "optics_reference", "linear", -12_500, 90, -10_000),
    Mode("I2 nozzle", "IMMU", "wash_dispense_volume", "linear", -48, 5, -30),
    Mode("I3 vacuum leak", "IMMU", "wash_zone_vacuum", "exponential", 15, 14, 15),
    Mode("I7 loader", "IMMU", "rv_jam_rate", "linear", 0.18, 45, 0.48),
    Mode("H2 laser", "HEMA", "laser_current", "exponential", 13, 120, 13, 300),
    Mode("H4 sheath pump", "HEMA", "sheath_pressure", "exponential", -4, 20, -4),
    Mode("H4 vacuum pump", "HEMA", "vacuum", "exponential", 10, 20, 10),
    Mode("P2 thermal", "POCT", "thermal_probe_delta", "linear", 0.15, 90, 0.15),
    Mode("U condenser duty", "ULTF", "compressor_duty", "exponential", 37, 21, 37),
    Mode("U compressor stop", "ULTF", "cabinet_temp", "linear", 20, 5 / 24, 10),
)
_SHAPES = {"linear": linear, "exponential": exponential}


def fail_day(wear: Wear, fails_at: float) -> float:
    """Return the day on which wear alone reaches the fail limit; the last day if never."""
    days = np.linspace(START, START + 140, 140 * 96)
    reached = [day for day in days if abs(wear(day)) >= abs(fails_at)]
    return float(reached[0]) if reached else float("nan")


class Seen(NamedTuple):
    """Per device: days from the first alarm to the fail limit, of any rule and of the trend.

    ``guess`` is the remaining life the trend said first, as a share of what was left.
    """

    leads: list[float]
    trends: list[float]
    guesses: list[float]
    kinds: Counter[str]
    life: float


def seen(mode: Mode, devices: int) -> Seen:
    """Let wear run on a fleet and return when it was seen."""
    wear = _SHAPES[mode.shape](mode.adds, mode.days, START)
    fails = fail_day(wear, mode.fails_at)
    end = min(fails, START + mode.days) if np.isfinite(fails) else START + mode.days
    alarms = raised(
        SHIPPED[mode.model], devices, end + 0.2, seed=7, wear={mode.metric: wear},
        only=[mode.metric], coarse_s=mode.coarse_s,
    )  # fmt: skip
    first: dict[str, tuple[float, Alarm]] = {}
    trend: dict[str, tuple[float, float]] = {}
    for day, alarm in alarms:
        first.setdefault(alarm.device, (day, alarm))
        meets_ms = alarm.evidence["statistics"].get("crosses_at_ms")
        if meets_ms is not None:
            left = (meets_ms / 1000 - alarm.raised_at.timestamp()) / 86400
            trend.setdefault(alarm.device, (end - day, left / (end - day)))
    kinds = Counter(alarm.evidence["rule"] for _, alarm in first.values())
    leads = [end - day for day, _ in first.values()]
    return Seen(
        leads, [t for t, _ in trend.values()], [g for _, g in trend.values()], kinds, end - START
    )


def faults(alarms: list[tuple[float, Alarm]]) -> Counter[str]:
    """Return how many first alarms per device and component there were, by rule."""
    first: dict[tuple[str, str], str] = {}
    for _, alarm in alarms:
        first.setdefault((alarm.device, alarm.component), f"{alarm.rule} ({alarm.metric})")
    return Counter(first.values())


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=40)
    parser.add_argument("--days", type=float, default=28)
    parser.add_argument("--seed", type=int, default=11, help="of the healthy fleet")
    parser.add_argument("--only", choices=("wear", "false"))
    asked = parser.parse_args()
    if asked.only != "false":
        print(
            "lead: days from the first alarm to the fail limit; trend: the same of the trend rule;"
        )
        print("guess: remaining life as the trend first said it, as a share of the true one\n")
        heads = ("P-F d", "seen", "lead", "trend", "guess")
        print(f"{'mode':18s}", *(f"{head:>7s}" for head in heads), " first")
        for mode in MODES:
            found = seen(mode, 10)
            figures = (found.leads, found.trends, found.guesses)
            lead, trend, guess = (f"{np.median(f):7.2f}" if f else f"{'-':>7s}" for f in figures)
            count = f"{len(found.leads)}/10"
            print(f"{mode.id:18s} {found.life:7.2f} {count:>7s}", lead, trend, guess, end="  ")
            print(dict(found.kinds))
    if asked.only != "wear":
        print(f"\nfalse faults on {asked.devices} healthy devices, {asked.days:g} days each")
        for code, profile in SHIPPED.items():
            count = faults(raised(profile, asked.devices, asked.days, seed=asked.seed))
            per = 1000 * sum(count.values()) / (asked.devices * asked.days)
            print(f"{code}: {per:.2f} per 1000 device-days  {dict(count)}")


if __name__ == "__main__":
    main()
