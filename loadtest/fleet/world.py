"""A policy server, the gateways that follow it, a provider that answers at once, and somebody who administers them."""

import concurrent.futures
import http.client
import http.cookiejar
import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from line import Line
from postgres import Postgres

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "loadtest"), str(ROOT / "tests" / "clients")]

import reload_cost  # noqa: E402  (its provider)
import samples  # noqa: E402  (made-up secrets)
from ports import free_port  # noqa: E402

# Until a state that has to come is there. A limit for what never comes, not a measure.
DEADLINE_SECONDS = 180
# Until all gateways have built what they build after a start.
REST_SECONDS_MAX = 300
# Between two requests that ask whether a change has arrived.
PROBE_SECONDS = 0.1
# A kept connection that was used since then is not idle.
IDLE_SECONDS_MIN = 30
OWNER = {"name": "olga", "password": "correct horse battery"}

POLICY = """\
checks: {{outbound: [secrets], inbound: []}}
policies:
  - name: fleet
    condition: {{checker: secrets, risk: ">= high"}}
    action: {action}
"""


class Missed(Exception):
    """Something that must hold does not."""


def wait_for(what: str, holds, seconds: float = DEADLINE_SECONDS, every: float = 0.2):
    """Waits until `holds` gives something, and gives that."""
    end = time.monotonic() + seconds
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > end:
            raise Missed(f"after {seconds} s: {what}")
        time.sleep(every)


class Server:
    """The policy server, on one port for all its lives."""

    def __init__(self, binary: pathlib.Path, folder: pathlib.Path, store: str) -> None:
        self.binary, self.folder = binary, folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir()
        (folder / "policy-server.yaml").write_text(f"public_url: {self.url}\nstore: '{store}'\n", encoding="utf-8")
        self.child: subprocess.Popen | None = None
        self.token = ""
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def start(self) -> None:
        """Starts it and waits until it answers."""
        command = [self.binary, "--port", str(self.port), "--data-dir", self.folder / "data", "--config", self.folder / "policy-server.yaml"]
        with open(self.folder / "log", "ab") as log:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        wait_for("the policy server answers", self.answers)

    def answers(self) -> bool:
        """Whether it says anything."""
        if self.child.poll() is not None:
            raise Missed(f"the policy server ended with {self.child.returncode}\n{self.log()[-3000:]}")
        try:
            return self.ask("GET", "/api/v1/setup")[0] == 200
        except OSError:
            return False

    def set_up(self) -> None:
        """Makes the first owner, and a token that may do everything."""
        script = [sys.executable, "-B", ROOT / "tests/control/first_token.py", self.url, ROOT / "docs/openapi.json"]
        with open(self.folder / "data/setup-token", "rb") as secret:
            self.token = subprocess.run(script, stdin=secret, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Status and bytes of an answer of the API."""
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read()

    def call(self, method: str, path: str, body: object = None):
        """The JSON of a success."""
        status, text = self.ask(method, path, body)
        if not 200 <= status < 300:
            raise Missed(f"{method} {path}: {status} {text[:500]!r}")
        return json.loads(text) if text else None

    def page(self, path: str) -> str:
        """A page as a signed-in person gets it, who signs in when asked to: sign-ins are limited."""
        for _ in range(2):
            with self.browser.open(self.url + path, timeout=60) as answer:
                if "/sign-in" not in answer.geturl():
                    return answer.read().decode()
            sign_in = urllib.request.Request(f"{self.url}/api/v1/sign-in", json.dumps(OWNER).encode(), {"content-type": "application/json"})
            self.browser.open(sign_in, timeout=60).close()
        raise Missed(f"{path} asks to sign in after a sign-in")

    def kill(self) -> None:
        """No last word."""
        if self.child and self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def log(self) -> str:
        """What it printed."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


class Gateway:
    """One gateway with a folder of its own, and a connection to it that probes keep."""

    def __init__(self, binary: pathlib.Path, folder: pathlib.Path, server: str, poll: str) -> None:
        self.binary, self.folder = binary, folder
        self.port, self.admin = free_port(), free_port()
        folder.mkdir()
        yaml = f"control: {{server: '{server}', poll: {poll}}}\nadmin: {{listen: '127.0.0.1:{self.admin}'}}\n"
        (folder / "gateway.yaml").write_text(yaml, encoding="utf-8")
        self.child: subprocess.Popen | None = None
        self.connection: http.client.HTTPConnection | None = None
        # When it was used last.
        self.used = 0.0
        self.environment: dict[str, str] = {}

    @property
    def name(self) -> str:
        """What its records and the server call it."""
        return (self.folder / "airiskguard-data/gateway.id").read_text(encoding="utf-8").strip()

    def enrol(self, token: str) -> None:
        """Enrols it, once."""
        command = [self.binary, "enroll", "--config", "gateway.yaml", "--token", token]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise Missed(f"a gateway does not enrol: {done.stdout}{done.stderr}")

    def start(self) -> None:
        """Starts the process."""
        command = [self.binary, "--config", "gateway.yaml", "--host", "127.0.0.1", "--port", str(self.port)]
        with open(self.folder / "log", "ab") as log:
            self.child = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | self.environment
            )

    def ask(self, key: str, text: str = "hello", session: str | None = None) -> tuple[int, bytes]:
        """Status and body of what a client gets; 0 where there was no answer."""
        body = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}]})
        headers = {"x-api-key": key, "content-type": "application/json"} | ({"x-session-id": session} if session else {})
        was_idle = self.connection is not None and time.monotonic() - self.used > IDLE_SECONDS_MIN
        try:
            return self.exchange(body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.connection = None
            # The gateway closes what nobody used for a while; every client begins anew then. One in use must not break.
            if was_idle and isinstance(error, ConnectionError):
                return self.ask(key, text, session)
            return 0, str(error).encode()

    def exchange(self, body: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """One request on the connection that is kept, and its answer."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.request("POST", "/v1/messages", body, headers)
        answer = self.connection.getresponse()
        told = answer.status, answer.read()
        self.used = time.monotonic()
        if answer.will_close:
            self.connection = None
        return told

    def configuration(self) -> dict:
        """What the gateway says that it runs on."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/config", timeout=30) as answer:
            return json.load(answer)

    def processor_seconds(self) -> float:
        """What the process has taken so far."""
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """Asks it to end, and waits."""
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(DEADLINE_SECONDS)
        self.connection = None

    def end(self) -> None:
        """Whatever it takes."""
        if self.child and self.child.poll() is None:
            self.child.kill()
            self.child.wait()


class World:
    """Everything that runs; a context manager that leaves nothing behind."""

    def __init__(self, arguments, folder: pathlib.Path) -> None:
        self.arguments, self.folder = arguments, folder
        (folder / "postgres").mkdir()
        self.postgres = Postgres(folder / "postgres")
        self.gateways: list[Gateway] = []
        self.keys: dict[str, dict] = {}

    def __enter__(self) -> "World":
        self.postgres.__enter__()
        self.server = Server(self.arguments.server, self.folder / "server", self.postgres.url)
        try:
            self.server.start()
            self.server.set_up()
            self.line = Line(self.server.port)
            self.silent_line = Line(self.server.port)
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for gateway in self.gateways:
            gateway.end()
        self.server.kill()
        self.postgres.__exit__()

    def begin(self) -> None:
        """A provider, a team, a key, a policy, and gateways that serve by them."""
        provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), reload_cost.Provider)
        provider.daemon_threads = True
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{provider.server_address[1]}"
        self.server.call("POST", "/api/v1/providers", {"name": "anthropic", "settings": {"urls": [url], "dialect": "anthropic"}})
        secret = "-".join(["sk", "ant", "made", "up", "fleet"])
        self.server.call("POST", "/api/v1/providers/anthropic/keys", {"name": "main", "key": secret})
        self.server.call("POST", "/api/v1/teams", {"name": "red"})
        self.key = self.new_key("laptops")["key"]
        self.publish("redact")
        # The last two stand behind lines that can be cut; all others reach the server directly.
        count = self.arguments.gateways
        urls = [self.server.url] * (count - 2) + [f"http://127.0.0.1:{it.port}" for it in (self.line, self.silent_line)]
        for number, url in enumerate(urls):
            folder = self.folder / f"gateway-{number:02}"
            self.gateways.append(Gateway(self.arguments.gateway, folder, url, self.arguments.poll))
        for gateway in self.gateways:
            gateway.enrol(self.server.call("POST", "/api/v1/enrolments", {"hours": 1})["token"])
            gateway.start()
        self.until_all("a gateway does not serve", lambda it: it.ask(self.key)[0] == 200)
        if self.arguments.bounded:
            # After its start a gateway builds the automata of its rules. On machines of their own they do not wait for one another.
            wait_for("the gateways do not come to rest", lambda: self.busy() < 0.2, every=0.1, seconds=REST_SECONDS_MAX)

    def busy(self) -> float:
        """Processors that all gateways take together, over a second."""
        before = sum(it.processor_seconds() for it in self.gateways)
        time.sleep(1)
        return sum(it.processor_seconds() for it in self.gateways) - before

    def new_key(self, name: str) -> dict:
        """A gateway key of the team."""
        return self.server.call("POST", "/api/v1/teams/red/keys", {"name": name})

    def publish(self, action: str, more: str = "") -> None:
        """Puts a policy with this action in force."""
        text = POLICY.format(action=action) + more
        draft = self.server.call("PUT", "/api/v1/policies/default/draft", {"text": text})["draft"]
        self.server.call("POST", "/api/v1/policies/default/publish", {"revision": draft["revision"]})

    def until_all(self, what: str, holds, gateways: list[Gateway] | None = None) -> list[float]:
        """Asks all gateways at once until each gives what is wanted; the moments at which they did."""

        def one(gateway: Gateway) -> float:
            wait_for(f"{what} ({gateway.folder.name})", lambda: holds(gateway), every=PROBE_SECONDS)
            return time.monotonic()

        gateways = self.gateways if gateways is None else gateways
        with concurrent.futures.ThreadPoolExecutor(len(gateways)) as pool:
            return list(pool.map(one, gateways))

    def reports(self) -> dict[str, dict]:
        """What the server says of each gateway, by name."""
        return {it["name"]: it for it in self.server.call("GET", "/api/v1/gateways")}


SECRET_TEXT = f"why does {samples.STRIPE_KEY} not work"
