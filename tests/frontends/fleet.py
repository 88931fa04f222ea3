"""Three gateways on one host in front of the loopback provider. Each has its own port, audit directory and log.

Every gateway tells the provider which one it is (a header of its upstream), so that a test knows who served whom.
"""

import contextlib
import http.client
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "clients"))

import provider  # noqa: E402  (the loopback provider that the tests under real clients have, too)
from ports import free_port  # noqa: E402

START_SECONDS_MAX = 60
VIA = "x-gateway"

GATEWAY_YAML = """\
upstream:
  anthropic:
    url: http://127.0.0.1:{provider}
    headers: {{{via}: {name}}}
{tls}
policies:
  - name: block_secrets
    condition: {{checker: secrets, risk: ">= high"}}
    action: block
audit:
  directory: {folder}
limits:
  drain_timeout: {drain_seconds}s
host: 127.0.0.1
port: {port}
admin: {{listen: "127.0.0.1:{admin}"}}
"""


class Gateway:
    """One gateway that can be stopped, killed and started again on the same port."""

    def __init__(self, binary: str, name: str, folder: pathlib.Path, provider_port: int, drain_seconds: int, tls: str) -> None:
        self.binary, self.name = binary, name
        self.port, self.admin = free_port(), free_port()
        self.folder = folder / name
        self.folder.mkdir()
        self.config = folder / f"{name}.yaml"
        self.scheme_is_tls = bool(tls)
        self.config.write_text(
            GATEWAY_YAML.format(
                provider=provider_port,
                via=VIA,
                name=name,
                tls=tls,
                folder=self.folder,
                drain_seconds=drain_seconds,
                port=self.port,
                admin=self.admin,
            )
        )
        self.child: subprocess.Popen | None = None

    def start(self) -> None:
        """Starts the process; `wait_until_ready` waits for it."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("LISTEN_", "NOTIFY_"))}
        with open(self.log_path(), "ab") as log:
            self.child = subprocess.Popen(
                [self.binary, "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    def wait_until_ready(self) -> None:
        """Until the gateway says that it takes requests."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self.child.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("/readyz")[0] == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"{self.name} did not become ready\n{self.log()}")

    def ask(self, path: str) -> tuple[int, str]:
        """Status and text of the operators' listener."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        for line in self.ask("/metrics")[1].splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        raise AssertionError(f"{self.name} has no metric {name}")

    def terminate(self, seconds_max: float) -> None:
        """Asks it to stop as a service manager does, and waits until it has ended by itself."""
        self.child.terminate()
        code = self.child.wait(seconds_max)
        assert code == 0, f"{self.name} ended with {code}\n{self.log()}"

    def kill(self) -> None:
        """The worst case: no last word."""
        self.child.kill()
        self.child.wait()

    def end(self) -> None:
        """Whatever it takes, after a test."""
        if self.child and self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def log_path(self) -> pathlib.Path:
        """Where its output goes."""
        return self.folder.parent / f"{self.name}.log"

    def log(self) -> str:
        """The end of what it printed."""
        return self.log_path().read_text(errors="replace")[-4_000:]


class Fleet:
    """Three gateways and one provider; a context manager that leaves nothing running."""

    def __init__(self, binary: str, folder: pathlib.Path, drain_seconds: int, tls: str = "") -> None:
        self.memory = provider.Memory()
        provider_port, _ = provider.start(self.memory)
        names = ("gateway-1", "gateway-2", "gateway-3")
        self.gateways = {name: Gateway(binary, name, folder, provider_port, drain_seconds, tls) for name in names}

    def __enter__(self) -> "Fleet":
        try:
            for gateway in self.gateways.values():
                gateway.start()
            for gateway in self.gateways.values():
                gateway.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for gateway in self.gateways.values():
            gateway.end()

    def script(self, *answers: dict) -> None:
        """What the provider answers from now on, first match first."""
        with self.memory.lock:
            self.memory.script[:] = answers

    def served(self) -> list[dict]:
        """The requests that reached the provider: headers as a dictionary, and which gateway sent them."""
        told = []
        for request in self.memory.told()["requests"]:
            headers = dict(request["headers"])
            told.append({"path": request["path"], "headers": headers, "gateway": headers.get(VIA)})
        return told

    def gateway_of(self, marker: str) -> str | None:
        """Which gateway sent the request with this marker; `None` if the provider never saw it."""
        sent = [request["gateway"] for request in self.served() if request["headers"].get("x-marker") == marker]
        assert len(sent) <= 1, f"{marker} reached the provider {len(sent)} times"
        return sent[0] if sent else None
