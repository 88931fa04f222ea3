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
import socket
import statistics
import subprocess
import tempfile
import threading
import time

ANSWER = b'{"type":"message","role":"assistant","content":[{"type":"text","text":"ok"}]}'


class Provider(http.server.BaseHTTPRequestHandler):
    """Reads a request and answers it at once, on a connection that is kept."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_):
        pass


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def processor_seconds(pid):
    """User and system time of a process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(port, body, stop, counts, index):
    """Requests one after the other on one connection until told to stop; every one must be answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not stop.is_set():
        connection.request("POST", "/v1/messages", body)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{answer.status}: {text!r}")
        counts[index] += 1


def stretch(gateway, port, body, arguments, reloads):
    """Requests per second and processor seconds per request of one stretch."""
    stop, counts = threading.Event(), [0] * arguments.clients
    clients = [threading.Thread(target=ask, args=(port, body, stop, counts, it)) for it in range(arguments.clients)]
    begun, used = time.monotonic(), processor_seconds(gateway.pid)
    for it in clients:
        it.start()
    for _ in range(arguments.seconds):
        if reloads:
            gateway.send_signal(signal.SIGHUP)
        time.sleep(1)
    stop.set()
    for it in clients:
        it.join()
    took, used = time.monotonic() - begun, processor_seconds(gateway.pid) - used
    return sum(counts) / took, used / sum(counts)


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
    text = "The quick brown fox reads the configuration once more. " * (arguments.kilobytes * 1024 // 55)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]})
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
            stretch(gateway, ports[0], body, arguments, False)
            without, with_reloads = [], []
            for number in range(arguments.rounds):
                without.append(stretch(gateway, ports[0], body, arguments, False))
                with_reloads.append(stretch(gateway, ports[0], body, arguments, True))
                print(f"round {number + 1} of {arguments.rounds}", flush=True)
            admin = http.client.HTTPConnection("127.0.0.1", ports[1], timeout=5)
            admin.request("GET", "/config")
            told = json.load(admin.getresponse())
        finally:
            gateway.terminate()
            gateway.wait()
    for index, name in enumerate(["requests per second", "processor seconds per request"]):
        one, other = (statistics.median(it[index] for it in them) for them in (without, with_reloads))
        print(f"{name}: {one:.6g} without reloads, {other:.6g} with one a second: ratio {other / one:.3f}")
    print(f"{told['reloads']} reloads, {told['failures']} refused")


if __name__ == "__main__":
    main()
