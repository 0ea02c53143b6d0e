"""CPU of the server per message: receive, parse, acknowledge, with a sink that keeps nothing.

python -m benchmarks.endpoint [messages]
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from collector.admission import Principal, device_principal
from collector.committer import Committer
from collector.endpoint import Endpoint
from desk.arrival import Arrival

ROWS = ((1, 100), (20, 100), (50, 100), (50, 500))
ROUNDS = 3


class Nothing:
    """A sink that keeps nothing, at once."""

    def keep(self, arrivals: Sequence[Arrival]) -> Any:
        return None

    def act(self, kept: Any) -> None:
        pass


def _everybody(user: str, _password: str) -> Principal | None:
    return device_principal(user)


def measure(messages: int, connections: int, window: int, version: int) -> dict[str, float]:
    committer = Committer(Nothing())
    committer.start()
    endpoint = Endpoint(committer, _everybody, port=0)
    endpoint.start()
    command = [sys.executable, "-m", "benchmarks.load", f"--port={endpoint.port}"]
    command += [f"--messages={messages}", f"--connections={connections}"]
    command += [f"--window={window}", f"--version={version}"]
    before = time.process_time()
    outcome = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    cpu_s = time.process_time() - before
    endpoint.stop()
    committer.stop()
    assert outcome["acked"] == messages, outcome
    return {
        "us": cpu_s / messages * 1e6,
        "per_s": messages / outcome["seconds"],
        "batch": committer.messages / committer.batches,
    }


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    print("MQTT  connections  window  CPU us/message  messages/s  messages/commit")
    for version in (4, 5):
        for connections, window in ROWS:
            rows = [measure(messages, connections, window, version) for _ in range(ROUNDS)]
            best = min(rows, key=lambda row: row["us"])
            print(
                f"{'3.1.1' if version == 4 else '5':>5}  {connections:11}  {window:6}"
                f"  {best['us']:14.2f}  {best['per_s']:10,.0f}  {best['batch']:15,.0f}"
            )


if __name__ == "__main__":
    main()
