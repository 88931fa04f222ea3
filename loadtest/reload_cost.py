#!/usr/bin/env python3
"""What reloading once a second costs: requests and processor time per request, with and without, in one alternating run.

Usage: reload_cost.py PATH-OF-THE-GATEWAY [--rounds 6] [--seconds 5] [--clients 8] [--kilobytes 16]

A provider on loopback answers at once, so that the gateway is what is measured. Stretches with and without a SIGHUP a
second alternate; the ratio of the medians is printed. Needs nothing but Python's own library, on Linux.
"""

import argparse
import http.client
import http.server
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "clients"))

from ports import free_port  # noqa: E402

ANSWER = b'{"type":"message","role":"assistant","content":[{"type":"text","text":"ok"}]}'


class Provider(http.server.BaseHTTPRequestHandler):
    """Reads a request and answers it at once, on a connection that is kept."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes: the second does not wait for the first to be acknowledged.
    disable_nagle_algorithm = True

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_):
        pass


def processor_seconds(pid):
    """User and system time of a process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(port, body, headers, stop, took):
    """Requests one after the other on one connection until told to stop; every one must be answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not stop.is_set():
        begun = time.monotonic()
        connection.request("POST", "/v1/messages", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{answer.status}: {text!r}")
        took.append(time.monotonic() - begun)


MEASURED = ["requests per second", "processor seconds per request", "median latency, ms", "99th percentile of latency, ms"]


def stretch(gateway, port, body, arguments, each_second, headers):
    """What is MEASURED in one stretch. `each_second` is called once a second, if it is there."""
    stop, took = threading.Event(), []
    clients = [threading.Thread(target=ask, args=(port, body, headers, stop, took)) for _ in range(arguments.clients)]
    begun, used = time.monotonic(), processor_seconds(gateway.pid)
    for it in clients:
        it.start()
    for number in range(arguments.seconds):
        if each_second:
            each_second()
        time.sleep(max(0.0, begun + number + 1 - time.monotonic()))
    stop.set()
    for it in clients:
        it.join()
    seconds, used = time.monotonic() - begun, processor_seconds(gateway.pid) - used
    took.sort()
    return len(took) / seconds, used / len(took), 1000 * took[len(took) // 2], 1000 * took[len(took) * 99 // 100]


def in_turns(gateway, port, body, arguments, each_second, headers=None):
    """Rounds without and with what is done each second; medians of both and their ratio, by what is MEASURED."""
    measure = lambda it: stretch(gateway, port, body, arguments, it, headers or {})
    measure(None)
    rounds = []
    for number in range(arguments.rounds):
        rounds.append((measure(None), measure(each_second)))
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
    medians = [[statistics.median(it[side][index] for it in rounds) for side in (0, 1)] for index in range(len(MEASURED))]
    return [(name, without, beside, beside / without) for name, (without, beside) in zip(MEASURED, medians)]


def prompt(kilobytes):
    """A request of this size."""
    text = "The quick brown fox reads the configuration once more. " * (kilobytes * 1024 // 55)
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gateway")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--kilobytes", type=int, default=16)
    arguments = parser.parse_args()
    provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    provider.daemon_threads = True
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    body = prompt(arguments.kilobytes)
    program = pathlib.Path(arguments.gateway).resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        address = f"http://127.0.0.1:{provider.server_address[1]}"
        (folder / "gateway.yaml").write_text(f"upstream: {{anthropic: '{address}'}}\nadmin: {{listen: '127.0.0.1:{free_port()}'}}\n")
        command = [program, "--config", "gateway.yaml", "--host", "127.0.0.1", "--port", "0", "--port-file", "ports"]
        with open(folder / "log", "wb") as log:
            gateway = subprocess.Popen(command, cwd=folder, stderr=log)
        try:
            while not (folder / "ports").exists() or len((folder / "ports").read_text().split()) < 2:
                time.sleep(0.05)
            ports = [int(it.rsplit(":", 1)[1]) for it in (folder / "ports").read_text().split()]
            measured = in_turns(gateway, ports[0], body, arguments, lambda: gateway.send_signal(signal.SIGHUP))
            admin = http.client.HTTPConnection("127.0.0.1", ports[1], timeout=5)
            admin.request("GET", "/config")
            told = json.load(admin.getresponse())
        finally:
            gateway.terminate()
            gateway.wait()
    for name, without, beside, ratio in measured:
        print(f"{name}: {without:.6g} without reloads, {beside:.6g} with one a second: ratio {ratio:.3f}")
    print(f"{told['reloads']} reloads, {told['failures']} refused")


if __name__ == "__main__":
    main()
