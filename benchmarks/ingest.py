"""CPU of the whole path per message, beside the collector one would write first.

Ours: our endpoint, or mosquitto and paho's socket, then decode, SQLite commit with fsync, PUBACK,
rules. The usual: mosquitto, then paho
with manual acknowledgement, pydantic, ``Point`` and influxdb-client's background ``WriteApi``
against an HTTP server that answers 204 at once. Same messages, QoS 1, 12 metrics, alternating.

python -m benchmarks.ingest [messages]
"""

import contextlib
import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from influxdb_client import InfluxDBClient, Point, WriteOptions
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import BaseModel

from equipment.credential import Credential, credential
from equipment.device import Device, Site
from equipment.words import Words
from fieldcare.clock import wall_clock
from fieldcare.settings import load
from fieldcare.wiring import Collecting, desk_of, open_stores
from storage.interface import Records
from tests.servers import free_port, program, stop, wait_for_port

ROUNDS = 3
CONNECTIONS, WINDOW = 50, 200
IDLE_S = 0.005
TOPICS = "fc/v1/+/+/tele"


class Tele(BaseModel):
    """The message as pydantic reads it."""

    b: str
    s: int
    t: int
    m: dict[str, float]


class Sink(http.server.BaseHTTPRequestHandler):
    """An InfluxDB that takes everything and keeps nothing."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def sink() -> None:
    """Serve ``Sink`` until killed; the first line printed is the port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


def ours(folder: str, broker: str = "") -> None:
    """Run our collector until SIGTERM, then print CPU seconds and messages."""
    conf = load(data=Path(folder), mqtt_port=0, broker=broker)
    stores = open_stores(conf)
    record(stores.records, CONNECTIONS)
    collecting = Collecting(conf, desk_of(conf, stores, wall_clock))
    collecting.start()
    time.sleep(0.5)
    port = collecting.port or int(broker.rpartition(":")[2])
    serve(port, lambda: sum(t.stored for t in collecting.ingest.tallies.values()))
    collecting.stop()
    stores.close()


def record(records: Records, devices: int) -> None:
    """Put the devices that ``benchmarks.load`` pretends to be on record."""
    with records.begin() as work:
        work.shelf(Site).put(Site("H1", "C1", Words("医院", "hospital"), 30.6, 104.1))
        for n in range(devices):
            device = f"load-{n:04d}"
            work.shelf(Device).put(Device(device, "H1", "CHEM", device))
            work.shelf(Credential).put(credential(device, "", "salt"))


def usual(url: str, broker_port: str) -> None:
    """Run the usual collector until SIGTERM, then print CPU seconds and messages written."""
    written = [0]
    influx = InfluxDBClient(url, token="t", org="o")
    api = influx.write_api(
        WriteOptions(batch_size=5000, flush_interval=1000),
        success_callback=lambda _conf, lines: written.append(lines.count(b"\n") + 1),
    )

    def on_message(client: Client, _data: object, message: MQTTMessage) -> None:
        read = Tele.model_validate_json(message.payload)
        _, _, site, device, _ = message.topic.split("/")
        point = Point("CHEM").tag("site", site).tag("device", device).time(read.t, "ms")
        for name, value in read.m.items():
            point.field(name, value)
        api.write("bucket", "o", point)
        client.ack(message.mid, message.qos)

    client = Client(CallbackAPIVersion.VERSION2, client_id="usual", manual_ack=True)
    client.on_message = on_message
    client.max_inflight_messages_set(2000)
    client.connect("127.0.0.1", int(broker_port))
    client.subscribe(TOPICS, 1)
    client.loop_start()
    time.sleep(0.5)
    serve(int(broker_port), lambda: sum(written))
    client.loop_stop()
    api.close()


def serve(port: int, count: object) -> None:
    """Print the port, then at each line of input the CPU seconds so far and the message count."""
    print(port, flush=True)
    for _ in sys.stdin:
        spent = time.process_time()
        print(json.dumps({"cpu_s": spent, "messages": count()}), flush=True)  # type: ignore[operator]


@contextlib.contextmanager
def child(module: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a role of ``module``; give its process and the number it prints first."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, int(process.stdout.readline())
    finally:
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()


def ask(process: subprocess.Popen[str]) -> dict[str, float]:
    """Return the CPU seconds and the message count of a child."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    answer: dict[str, float] = json.loads(process.stdout.readline())
    return answer


def _push(port: int, messages: int) -> float:
    command = [sys.executable, "-m", "benchmarks.load", f"--port={port}"]
    command += [f"--messages={messages}", f"--connections={CONNECTIONS}", f"--window={WINDOW}"]
    outcome = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert outcome["acked"] == messages, outcome
    return float(outcome["seconds"])


def _measure(process: subprocess.Popen[str], port: int, messages: int) -> dict[str, float]:
    """Return CPU us per message and messages/s until the last message was worked on."""
    before = ask(process)
    started = time.perf_counter()
    _push(port, messages)
    while ask(process)["messages"] - before["messages"] < messages:
        time.sleep(0.05)
    seconds = time.perf_counter() - started
    cpu_s = settled(process) - before["cpu_s"]
    return {"us": cpu_s / messages * 1e6, "per_s": messages / seconds}


def settled(process: subprocess.Popen[str]) -> float:
    """Return the CPU seconds of a child once it rests: what follows the last message counts too."""
    before, after = 0.0, ask(process)["cpu_s"]
    while after - before > IDLE_S:
        time.sleep(0.5)
        before, after = after, ask(process)["cpu_s"]
    return after


def _ours_once(messages: int) -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory() as folder,
        child("benchmarks.ingest", "ours", folder) as (process, port),
    ):
        return _measure(process, port, messages)


def _behind_once(messages: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        broker_port = free_port()
        with _broker(Path(folder), broker_port) as pid:
            arguments = ("ours", f"{folder}/data", f"mqtt://127.0.0.1:{broker_port}")
            with child("benchmarks.ingest", *arguments) as (process, port):
                before = cpu_of(pid)
                row = _measure(process, port, messages)
                row["broker_us"] = (cpu_of(pid) - before) / messages * 1e6
                return row


def _usual_once(messages: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, _sink() as http_port:
        broker_port = free_port()
        with _broker(Path(folder), broker_port) as pid:
            arguments = ("usual", f"http://127.0.0.1:{http_port}", str(broker_port))
            with child("benchmarks.ingest", *arguments) as (process, port):
                before = cpu_of(pid)
                row = _measure(process, port, messages)
                row["broker_us"] = (cpu_of(pid) - before) / messages * 1e6
                return row


@contextlib.contextmanager
def _broker(folder: Path, port: int) -> Iterator[int]:
    """Run a mosquitto without passwords or persistence, which is the cheapest, and give its pid."""
    conf = folder / "mosquitto.conf"
    conf.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 1000000\n"
        "max_inflight_messages 10000\nlog_type error\n"
    )
    process = subprocess.Popen([program("mosquitto"), "-c", str(conf)])
    try:
        wait_for_port(port, process)
        yield process.pid
    finally:
        stop(process)


@contextlib.contextmanager
def _sink() -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.ingest", "sink"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(5)


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    ways = {
        "fieldcare, its own endpoint": _ours_once,
        "fieldcare behind mosquitto": _behind_once,
        "usual behind mosquitto": _usual_once,
    }
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, once in ways.items():
            rows[name].append(once(messages))
    print("\nwhole path, QoS 1, 12 metrics, acknowledged after commit; median of", ROUNDS)
    print("collector                     CPU us/message   its broker   messages/s   usual is")
    middle = {
        name: sorted(several, key=lambda r: r["us"])[ROUNDS // 2] for name, several in rows.items()
    }
    usual_us = middle["usual behind mosquitto"]["us"]
    for name, row in middle.items():
        broker = f"{row['broker_us']:.1f}" if "broker_us" in row else "-"
        times = usual_us / row["us"]
        print(f"{name:<29} {row['us']:>14.1f} {broker:>12} {row['per_s']:>12,.0f} {times:>9.1f}x")


if __name__ == "__main__":
    roles = {"ours": ours, "usual": usual, "sink": sink}
    if len(sys.argv) > 1 and sys.argv[1] in roles:
        threading.current_thread().name = sys.argv[1]
        roles[sys.argv[1]](*sys.argv[2:])  # type: ignore[operator]
    else:
        main()
