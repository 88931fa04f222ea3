"""Small machines in folders: what a package or an image makes of an empty one, and the gateway running in it."""

import contextlib
import http.client
import http.cookiejar
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))

from ports import free_port  # noqa: E402

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


class Running:
    """A program that was started by a given command; tells where it listens, and stops at the end."""

    def __init__(self, command: list[str], ports: pathlib.Path, **more) -> None:
        self.ports = ports
        # A file, as nobody reads a pipe while it runs.
        self.said = tempfile.TemporaryFile()
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.said, stderr=subprocess.STDOUT, **more)
        deadline = time.monotonic() + START_SECONDS_MAX
        # Written at once, after the sockets are there.
        while not (ports.exists() and ports.read_text().endswith("\n")):
            if self.child.poll() is not None or time.monotonic() > deadline:
                self.child.kill()
                self.child.wait()
                raise AssertionError(f"it did not start\n{self.log()}")
            time.sleep(0.05)
        self.addresses = ports.read_text().split()

    def ask(self, method: str, address: str, path: str, body: str | None = None, headers: dict | None = None) -> tuple[int, str]:
        """One request to one of its listeners."""
        connection = http.client.HTTPConnection("127.0.0.1", int(address.rsplit(":", 1)[1]), timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def log(self) -> str:
        """What it has printed so far."""
        self.said.seek(0)
        return self.said.read().decode(errors="replace")

    def stop(self) -> int:
        """Asks it to stop; its exit code."""
        self.child.terminate()
        try:
            return self.child.wait(20)
        finally:
            self.child.kill()
            self.said.close()


class Owner:
    """Whoever was first on a policy server: signed in, with the rights to everything."""

    def __init__(self, url: str, setup_token: str) -> None:
        self.url = url
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.browser = urllib.request.build_opener(cookies)
        self.csrf = ""
        self.post("/api/v1/setup", {"token": setup_token, "name": "olga", "password": "correct horse battery"})
        self.csrf = self.get("/api/v1/me")["csrf"]

    def get(self, path: str) -> dict:
        """JSON at a path."""
        return json.loads(self.browser.open(self.url + path, timeout=20).read())

    def post(self, path: str, body: dict) -> dict:
        """JSON to a path; what came back."""
        headers = {"content-type": "application/json", "x-csrf-token": self.csrf}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        try:
            text = self.browser.open(request, timeout=20).read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode()}") from error
        return json.loads(text) if text else {}

    def connect(self, provider_port: int) -> None:
        """A provider on loopback, with a key of it, and the team red."""
        settings = {"urls": [f"http://127.0.0.1:{provider_port}"], "dialect": "anthropic"}
        self.post("/api/v1/providers", {"name": "anthropic", "settings": settings})
        self.post("/api/v1/providers/anthropic/keys", {"name": "first", "key": "made-up-provider-key"})
        self.post("/api/v1/teams", {"name": "red"})

    def key(self, name: str) -> str:
        """A new key of the team."""
        return self.post("/api/v1/teams/red/keys", {"name": name})["key"]

    def invite(self) -> str:
        """A token that enrols one gateway."""
        return self.post("/api/v1/enrolments", {"hours": 1})["token"]


def wait_for(what: str, asked, seconds: int = 60) -> None:
    """Until it is so."""
    deadline = time.monotonic() + seconds
    while not asked():
        assert time.monotonic() < deadline, f"not so: {what}"
        time.sleep(0.1)


def prompt(address: str, key: str, text: str) -> tuple[int, str]:
    """One prompt through the gateway at an address; status and answer."""
    body = {"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
    headers = {"content-type": "application/json", "x-api-key": key}
    request = urllib.request.Request(f"http://{address}/v1/messages", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
