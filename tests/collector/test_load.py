"""What was acknowledged before a kill is on disk after it."""

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.load import Plan, payload, run
from collector.admission import operator_principal
from collector.packets import V5, Ack, Publish
from storage.mailbox import SqliteMailbox
from tests.collector.given_endpoint import PATIENCE_S, client, endpoint, kept, subscribe
from tests.servers import wait_for_port

SERVER = """
import os, sys, time
from collector.admission import device_principal
from collector.committer import Committer
from collector.endpoint import Endpoint
from storage.mailbox import SqliteMailbox

class File:
    def __init__(self, path):
        self.file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    def keep(self, arrivals):
        lines = (a.sender.encode() + b" " + a.payload + b"\\n" for a in arrivals)
        os.write(self.file, b"".join(lines))
        os.fsync(self.file)
    def act(self, kept):
        pass

committer = Committer(File(sys.argv[1]), SqliteMailbox(sys.argv[1] + ".mail"))
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


def started(stored: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Run an endpoint in a process of its own; return it and its port."""
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(stored)], stdout=subprocess.PIPE)
    assert server.stdout is not None
    port = int(server.stdout.readline())
    server.stdout.close()
    wait_for_port(port, server)
    return server, port


def test_a_killed_process_keeps_its_word_to_clients_that_were_away(tmp_path: Path) -> None:
    server, port = started(tmp_path / "stored")
    with client(port, "D2", **kept(V5)) as device:
        assert subscribe(device, "fc/v1/S1/D2/cmd") == (1,)
        device.send(Publish("fc/v1/S1/D2/state", b"online", 1, 2, True))
        device.expect(Ack)
    server.kill()
    server.wait()
    mailbox = SqliteMailbox(tmp_path / "stored.mail")
    with endpoint(mailbox=mailbox) as running:
        running.endpoint.publish("fc/v1/S1/D2/cmd", b"reboot")
        with client(running.port, "D2", **kept(V5)) as device:
            assert device.welcome.present
            assert device.expect(Publish).payload == b"reboot"
        with client(running.port, "desk") as desk:
            subscribe(desk, "fc/v1/S1/+/state")
            assert desk.expect(Publish).payload == b"online"
    mailbox.close()


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    stored, acked = tmp_path / "stored", tmp_path / "acked"
    for turn in range(2):
        server, port = started(stored)
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
