"""How long a start takes: from the process to the first page, and to the first answer of the API.

python -m benchmarks.start [rounds]
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.fieldcare.given_process import cli, started

ROUNDS, LIMIT_S = 3, 5.0
DEVICES = 1000


class Start(NamedTuple):
    """Seconds from the start of the process until ``GET /`` and the login page's question."""

    page_s: float
    answer_s: float


def measure(*command: object, data: Path) -> Start:
    """Start, ask for the page and for what the login page asks, stop."""
    began = time.perf_counter()
    with started(*command, data=data, http_port=0, mqtt_port=0) as running:
        address = running.address()
        page = httpx.get(f"{address}/", timeout=LIMIT_S)
        page_s = time.perf_counter() - began
        httpx.get(f"{address}/api/v1/session/hints", timeout=LIMIT_S).raise_for_status()
        answer_s = time.perf_counter() - began
        assert page.status_code == 200, page.text
        assert running.interrupt() == 0
    return Start(page_s, answer_s)


def _register(folder: Path) -> None:
    secrets = folder.with_suffix(".json")
    code, said = cli("simulate-register", secrets, "--devices", DEVICES, "--data", folder)
    assert code == 0, said


def _show_once(folder: Path) -> float:
    """Let the demo start for the first time; return how long it took to its first page."""
    return measure("demo", "--data", folder, "--port", 0, data=folder).page_s


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    found: dict[str, list[Start]] = {}
    with tempfile.TemporaryDirectory() as folder:
        small, large, demo = (Path(folder) / name for name in ("small", "large", "demo"))
        _register(large)
        first_s = _show_once(demo)
        rows = {
            "fieldcare run, nothing registered": (("run",), small),
            f"fieldcare run, {DEVICES:,} devices": (("run",), large),
            "fieldcare demo, second start": (("demo", "--data", demo, "--port", 0), demo),
        }
        for _ in range(rounds):
            for name, (command, data) in rows.items():
                found.setdefault(name, []).append(measure(*command, data=data))
    print(f"start of the process to the first page; median of {rounds}; limit {LIMIT_S:g} s")
    print("what                                first page s  first answer s")
    for name, starts in found.items():
        page_s, answer_s = (statistics.median(column) for column in zip(*starts, strict=True))
        print(f"{name:<34}  {page_s:12.2f}  {answer_s:14.2f}")
    print(f"fieldcare demo, first start, with three days of history: {first_s:.1f} s")


if __name__ == "__main__":
    main()
