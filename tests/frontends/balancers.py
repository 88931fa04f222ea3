"""HAProxy and Envoy, run with the very files of `conf/`: only addresses, ports and certificate paths are replaced."""

import http.client
import os
import pathlib
import shutil
import socket
import subprocess
import time

import yaml

from fleet import Fleet, free_port

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
START_SECONDS_MAX = 30
NAME = "gateway.example.com"
EXAMPLES = {"gateway-1": "192.0.2.11", "gateway-2": "192.0.2.12", "gateway-3": "192.0.2.13"}


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """Every change made once at least; an example that lost what is replaced is an example that is not tested."""
    for old, new in changes:
        assert old in text, f"{old} is not in the file"
        text = text.replace(old, new)
    return text


class Certificate:
    """A certificate for NAME and its key, made for this run."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.cert, self.key, self.both = folder / "tls.crt", folder / "tls.key", folder / "tls.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-keyout", self.key, "-out", self.cert, "-days", "2", "-subj", f"/CN={NAME}"]
        command += ["-addext", f"subjectAltName=DNS:{NAME}"]
        subprocess.run(command, check=True, capture_output=True)
        self.both.write_bytes(self.cert.read_bytes() + self.key.read_bytes())


class Balancer:
    """What both have in common: a process, a port for clients, and a log."""

    def __init__(self, fleet: Fleet, folder: pathlib.Path) -> None:
        self.fleet, self.folder, self.port = fleet, folder, free_port()
        self.child: subprocess.Popen | None = None

    def run(self, command: list[str]) -> None:
        """Starts the process and waits until every gateway is up in its eyes."""
        with open(self.folder / "balancer.log", "wb") as log:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        for name in self.fleet.gateways:
            self.wait_until_up(name)

    def wait_until_up(self, name: str) -> None:
        """Until a gateway gets requests."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self.child.poll() is None:
            try:
                if self.is_up(name):
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)
        raise AssertionError(f"{name} is not up\n{self.log()}")

    def is_up(self, name: str) -> bool:
        """Whether a gateway gets requests."""
        raise NotImplementedError

    def end(self) -> None:
        """After a test."""
        if self.child and self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def log(self) -> str:
        """The end of what it printed."""
        return (self.folder / "balancer.log").read_text(errors="replace")[-6_000:]


class HAProxy(Balancer):
    """Debian's HAProxy; gateways are taken out over its runtime socket."""

    def start(self, example: str, certificate: Certificate) -> None:
        """Runs `conf/haproxy/<example>`."""
        self.socket = self.folder / "admin.sock"
        text = (ROOT / "conf/haproxy" / example).read_text()
        text = replaced(
            text,
            ("bind :443", f"bind 127.0.0.1:{self.port}"),
            ("/run/haproxy/admin.sock", str(self.socket)),
            # An ordinary user becomes nobody else, and may not have as many descriptors.
            ("    user haproxy\n    group haproxy\n", ""),
            ("    maxconn 20000", "    maxconn 1000"),
        )
        if "/etc/haproxy/gateway.pem" in text:
            text = replaced(text, ("/etc/haproxy/gateway.pem", str(certificate.both)), (":8404", f":{free_port()}"))
        for name, address in EXAMPLES.items():
            port = self.fleet.gateways[name].port
            tail = "8443" if "passthrough" in example else "8080"
            text = replaced(text, (f"{address}:{tail}", f"127.0.0.1:{port}"))
        config = self.folder / "haproxy.cfg"
        config.write_text(text)
        # Debian installs it where an ordinary user's search path does not look.
        program = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        self.run([program, "-db", "-f", str(config)])

    def command(self, text: str) -> str:
        """One command of the runtime API."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self.socket))
            connection.sendall(text.encode() + b"\n")
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
        return answer.decode()

    def drain(self, name: str) -> None:
        """Nothing new for this gateway; what is in flight may end."""
        assert self.command(f"set server gateways/{name} state drain").strip() == ""

    def undrain(self, name: str) -> None:
        """It may get requests again, once it is healthy."""
        assert self.command(f"set server gateways/{name} state ready").strip() == ""

    def is_up(self, name: str) -> bool:
        """`UP` in the statistics; `UP 1/2` is one that the checks doubt."""
        for line in self.command("show stat").splitlines():
            fields = line.split(",")
            if fields[:2] == ["gateways", name]:
                return fields[17] == "UP"
        return False


class Envoy(Balancer):
    """Envoy as the Python package index has it; gateways are taken out by replacing the file with their addresses."""

    def start(self, example: str, certificate: Certificate) -> None:
        """Runs `conf/envoy/<example>` with `conf/envoy/gateways.yaml`."""
        self.admin = free_port()
        self.endpoints = self.folder / "gateways.yaml"
        self.draining: set[str] = set()
        self.write_endpoints()
        text = (ROOT / "conf/envoy" / example).read_text()
        text = replaced(
            text,
            ("0.0.0.0, port_value: 443", f"127.0.0.1, port_value: {self.port}"),
            ("port_value: 9901", f"port_value: {self.admin}"),
            ("/etc/envoy/gateways.yaml", str(self.endpoints)),
        )
        if "/etc/envoy/gateway.crt" in text:
            cert, key = str(certificate.cert), str(certificate.key)
            text = replaced(text, ("/etc/envoy/gateway.crt", cert), ("/etc/envoy/gateway.key", key))
        config = self.folder / "envoy.yaml"
        config.write_text(text)
        program = os.environ["ENVOY"]
        self.run([program, "-c", str(config), "--log-level", "warning", "--concurrency", "2", "--disable-hot-restart"])

    def write_endpoints(self) -> None:
        """A new file in the place of the old one, in one step."""
        text = (ROOT / "conf/envoy/gateways.yaml").read_text()
        for name, address in EXAMPLES.items():
            port = self.fleet.gateways[name].port
            text = replaced(text, (f"{address}, port_value: 8080", f"127.0.0.1, port_value: {port}"))
            if name in self.draining:
                lines = text.split("\n")
                at = next(index for index, line in enumerate(lines) if f"port_value: {port}}}" in line) - 1
                lines[at] = replaced(lines[at], ("UNKNOWN", "DRAINING"))
                text = "\n".join(lines)
        yaml.safe_load(text)
        fresh = self.endpoints.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.endpoints)

    def drain(self, name: str) -> None:
        """Nothing new for this gateway; what is in flight may end."""
        self.draining.add(name)
        self.write_endpoints()
        deadline = time.monotonic() + START_SECONDS_MAX
        while self.is_up(name):
            assert time.monotonic() < deadline, f"{name} does not drain\n{self.log()}"
            time.sleep(0.05)

    def undrain(self, name: str) -> None:
        """It may get requests again, once it is healthy."""
        self.draining.discard(name)
        self.write_endpoints()

    def is_up(self, name: str) -> bool:
        """Whether its flags are those of a healthy endpoint."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=5)
        try:
            connection.request("GET", "/clusters")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        # Without a word before its first check, which counts as up when it never failed.
        return f"gateways::127.0.0.1:{self.fleet.gateways[name].port}::health_flags::healthy" in text
