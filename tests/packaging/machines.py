"""Small machines in folders: what a package or an image makes of an empty one, and the gateway running in it."""

import contextlib
import http.client
import os
import pathlib
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GATEWAY, POLICY_SERVER = os.environ["GATEWAY"], os.environ["POLICY_SERVER"]
START_SECONDS_MAX = 60


def run(*command: object, **more) -> str:
    """What a command printed; what it complained about, if it failed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def as_root(*command: object) -> list[str]:
    """The command as root, or as somebody whom files seem to belong to."""
    words = [str(part) for part in command]
    return words if os.geteuid() == 0 else ["fakeroot", "-i", "fakeroot.state", "-s", "fakeroot.state", *words]


def as_user(user: str, group: str, *command: object) -> list[str]:
    """The command as this user, where whoever runs the tests may become one."""
    words = [str(part) for part in command]
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *words] if os.geteuid() == 0 else words


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Running:
    """A program that was started by a given command; tells where it listens, and stops at the end."""

    def __init__(self, command: list[str], ports: pathlib.Path, **more) -> None:
        self.ports = ports
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
        deadline = time.monotonic() + START_SECONDS_MAX
        # Written at once, after the sockets are there.
        while not (ports.exists() and ports.read_text().endswith("\n")):
            if self.child.poll() is not None or time.monotonic() > deadline:
                self.child.kill()
                printed, _ = self.child.communicate()
                raise AssertionError(f"it did not start\n{printed.decode(errors='replace')}")
            time.sleep(0.05)
        self.addresses = ports.read_text().split()

    def ask(self, method: str, address: str, path: str, body: str | None = None, headers: dict | None = None) -> tuple[int, str]:
        """One request to one of its listeners."""
        connection = http.client.HTTPConnection("127.0.0.1", int(address.rsplit(":", 1)[1]), timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def stop(self) -> int:
        """Asks it to stop; its exit code."""
        self.child.terminate()
        try:
            return self.child.wait(20)
        finally:
            self.child.kill()
            self.child.stdout.close()
