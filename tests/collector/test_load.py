"""What was acknowledged before a kill is on disk after it."""

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.load import Plan, payload, run
from collector.admission import operator_principal
from tests.collector.given_endpoint import PATIENCE_S, endpoint
from tests.servers import wait_for_port

SERVER = """
import os, sys, time
from collector.admission import device_principal
from collector.committer import Committer
from collector.endpoint import Endpoint

class File:
    def __init__(self, path):
        self.file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    def keep(self, arrivals):
        lines = (a.sender.encode() + b" " + a.payload + b"\\n" for a in arrivals)
        os.write(self.file, b"".join(lines))
        os.fsync(self.file)
    def act(self, kept):
        pass

committer = Committer(File(sys.argv[1]))
committer.start()
endpoint = Endpoint(committer, lambda user, password: device_principal(user), port=0)
endpoint.start()
print(endpoint.port, flush=True)
time.sleep(600)
"""


def test_the_load_generator_counts_what_is_acknowledged(tmp_path: Path) -> None:
    acked = tmp_path / "acked"
    with endpoint(authenticate=lambda user, password: operator_principal()) as running:
        plan = Plan(running.port, 1000, connections=3, window=50, acked=str(acked))
        outcome = run(plan)
        assert (outcome.sent, outcome.acked, outcome.refused, outcome.broken) == (1000, 1000, 0, 0)
        kept = {(a.topic.split("/")[3], json.loads(a.payload)["s"]) for a in running.sink.arrivals}
    lines = [line.split() for line in acked.read_text().splitlines()]
    assert {(device, int(seq)) for device, _, seq in lines} == kept
    assert len(lines) == 1000
    assert 300 < len(payload(plan, 0)) < 360


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    stored, acked = tmp_path / "stored", tmp_path / "acked"
    for turn in range(2):
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(stored)], stdout=subprocess.PIPE
        )
        assert server.stdout is not None
        port = int(server.stdout.readline())
        server.stdout.close()
        wait_for_port(port, server)
        command = [sys.executable, "-m", "benchmarks.load", f"--port={port}", "--messages=60000"]
        command += ["--connections=5", "--rate=20000", f"--acked={acked}", f"--boot=b{turn}"]
        load = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        before = acked.stat().st_size if acked.exists() else 0
        end = time.monotonic() + PATIENCE_S
        while not acked.exists() or acked.stat().st_size <= before + 5000:
            assert time.monotonic() < end
            time.sleep(0.01)
        server.kill()
        server.wait()
        assert load.wait(PATIENCE_S) == 0
    kept = set()
    for line in stored.read_bytes().splitlines():
        device, _, text = line.partition(b" ")
        if text.endswith(b"}}"):
            message = json.loads(text)
            kept.add((device.decode(), message["b"], message["s"]))
    promised = [line.split() for line in acked.read_text().splitlines()]
    assert len(promised) > 400
    assert [p for p in promised if (p[0], p[1], int(p[2])) not in kept] == []
