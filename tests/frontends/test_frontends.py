"""Gateways behind a front end: what it must not change, what a restart and a kill cost.

`FRONTENDS_STREAM_SECONDS` is how long the long streams take: a few seconds unless told, minutes in the long form.
"""

import http.client
import json
import os
import pathlib
import re
import ssl
import tempfile
import time
import unittest

from balancers import ROOT, Certificate, Envoy, HAProxy
from clients import WORDS, Client, Load, Seen, message
from fleet import Fleet

BINARY = os.environ["GATEWAY"]
STREAM_SECONDS = float(os.environ.get("FRONTENDS_STREAM_SECONDS", "4"))
EVENTS = max(16, int(STREAM_SECONDS))
TEXT = (WORDS * (1 + EVENTS * 4 // len(WORDS)))[: EVENTS * 4]
"""Four characters an event."""
QUIET_SECONDS = min(100, STREAM_SECONDS / 2)
"""In the long form beyond the minute that most timeouts are by default."""
LONG_FORM = STREAM_SECONDS > 60
LONG_SECONDS_MAX = 2 * STREAM_SECONDS + 60
DRAIN_SECONDS = int(LONG_SECONDS_MAX)
# What front ends and proxies like to add, and what would tell the provider about the house.
NEVER_ADDED = ("x-forwarded-", "forwarded", "via", "x-envoy-", "x-request-id", "x-real-ip")
LONG = {
    "parts": [{"text": TEXT}],
    "cut": 4,
    "delay_ms": STREAM_SECONDS * 1000 / EVENTS,
    "when": {"body": "a long one"},
    "times": 0,
}


def eventually(what: str, holds, seconds_max: float = 15) -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + seconds_max
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds_max} s: {what}"
        time.sleep(0.05)


class Stage:
    """A front end before a fleet, with a folder for all of it."""

    def __init__(self, kind: type, example: str, tls_in_gateways: bool) -> None:
        self.temporary = tempfile.TemporaryDirectory(prefix="airiskguard-frontends-")
        folder = pathlib.Path(self.temporary.name)
        self.certificate = Certificate(folder)
        tls = f"tls: {{cert: {self.certificate.cert}, key: {self.certificate.key}}}" if tls_in_gateways else ""
        self.fleet = Fleet(BINARY, folder, DRAIN_SECONDS, tls)
        self.balancer = kind(self.fleet, folder)
        try:
            self.fleet.__enter__()
            self.balancer.start(example, self.certificate)
        except BaseException:
            self.end()
            raise
        self.client = Client(self.balancer.port, str(self.certificate.cert))

    def end(self) -> None:
        """Nothing is left."""
        self.balancer.end()
        self.fleet.__exit__()
        self.temporary.cleanup()

    def restart(self, name: str) -> None:
        """One gateway, as the README says: out, stop, start, in."""
        gateway = self.fleet.gateways[name]
        self.balancer.drain(name)
        # What the front end has sent already is accepted by then.
        time.sleep(1)
        gateway.terminate(LONG_SECONDS_MAX)
        gateway.start()
        gateway.wait_until_ready()
        self.balancer.undrain(name)
        self.balancer.wait_until_up(name)


class Behind:
    """What holds for every front end and every layer."""

    kind: type
    example: str
    tls_in_gateways = False

    @classmethod
    def setUpClass(cls) -> None:
        cls.stage = Stage(cls.kind, cls.example, cls.tls_in_gateways)
        cls.fleet, cls.client, cls.balancer = cls.stage.fleet, cls.stage.client, cls.stage.balancer

    @classmethod
    def tearDownClass(cls) -> None:
        cls.stage.end()

    def setUp(self) -> None:
        self.fleet.memory.reset(cut=False)
        self.fleet.script(dict(LONG))

    def test_events_arrive_one_by_one(self) -> None:
        """The provider stops after a few events; the client has them although nothing more comes."""
        self.fleet.script({"parts": [{"text": TEXT}], "cut": 4, "gate": 8, "when": {"body": "gated"}})
        connection, answer = self.client.open(message("gated", stream=True), {"x-claude-code-session-id": "gated"})
        text = ""
        while len(text) < 4:
            line = answer.readline()
            if line.startswith(b"data: ") and b"text_delta" in line:
                text += json.loads(line[6:])["delta"]["text"]
        self.fleet.memory.gate.set()
        self.assertIn(b"message_stop", answer.read())
        connection.close()

    def test_nothing_is_added_to_a_request(self) -> None:
        """What the provider gets is what the client and the gateway said."""
        self.assertEqual(self.client.ask("headers").problem(), "")
        (request,) = self.fleet.served()
        self.assertEqual(request["path"], "/v1/messages")
        self.assertEqual(request["headers"]["x-claude-code-session-id"], "headers")
        for name in request["headers"]:
            self.assertFalse(name.startswith(NEVER_ADDED), name)

    def test_an_error_of_the_provider_is_not_asked_for_again(self) -> None:
        """A prompt reaches the provider once, whatever the provider says."""
        for status in (429, 500, 503, 529):
            with self.subTest(status=status):
                self.fleet.memory.reset(cut=False)
                self.fleet.script({"error": {"status": status, "body": {"type": "error", "error": {"type": "x", "message": "no"}}}})
                self.assertEqual(self.client.ask("errors").status, status)
                self.assertEqual(len(self.fleet.served()), 1)

    def test_a_blocked_prompt_is_refused_in_the_words_of_the_gateway(self) -> None:
        """No page of the front end's own in between."""
        secret = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
        seen = self.client.ask("blocked", f"use {secret} here")
        self.assertEqual(seen.status, 400)
        self.assertEqual(json.loads(seen.body)["error"]["type"], "policy_blocked")
        self.assertEqual(self.fleet.served(), [])

    def test_a_client_that_leaves_is_noticed_while_the_model_thinks(self) -> None:
        """Before the first byte, and in the midst of a stream: the exchange ends, and with it the cost."""
        self.fleet.script({"parts": [{"text": "too late"}], "delay_ms": 20_000})
        connection = self.client.send(message("silence"), {})
        eventually("the request is with the provider", lambda: self.fleet.served() != [])
        self.leave(connection)
        self.fleet.script({"parts": [{"text": TEXT}], "cut": 4, "gate": 2})
        connection, _ = self.client.open(message("gated", stream=True), {})
        self.leave(connection)
        self.fleet.memory.gate.set()

    def leave(self, connection: http.client.HTTPConnection) -> None:
        """Closes, and waits until the gateway knows; the provider says nothing in all that time."""
        self.assertEqual(self.active_requests(), 1)
        connection.sock.close()
        connection.close()
        eventually("the exchange has ended", lambda: self.active_requests() == 0, seconds_max=5)

    def test_a_model_that_thinks_is_waited_for(self) -> None:
        """Not a byte for a while, then the whole answer."""
        self.fleet.script({"parts": [{"text": "at last"}], "delay_ms": QUIET_SECONDS * 1000})
        self.assertEqual(self.client.ask("thinks", seconds_max=QUIET_SECONDS + 30).problem(), "")

    def test_rolling_restart(self) -> None:
        """Every gateway is restarted once under load; nobody notices."""
        with Load(self.client, shorts=2, longs=6, long_seconds_max=LONG_SECONDS_MAX) as load:
            eventually("all streams run", lambda: len(load.streaming()) == 6)
            for name in self.fleet.gateways:
                self.stage.restart(name)
        self.assertEqual([seen.problem() for seen in load.failures()], [])
        longs = [seen for seen in load.all if seen.long]
        self.assertGreaterEqual(len(longs), 6)
        self.assertTrue(all(seen.text == TEXT for seen in longs), "a stream has all of its text")
        for seen in load.all:
            self.assertIsNotNone(self.fleet.gateway_of(seen.marker), "each was sent exactly once")

    def test_one_is_killed(self) -> None:
        """What was in flight there is lost, and nothing else."""
        with Load(self.client, shorts=2, longs=9, long_seconds_max=LONG_SECONDS_MAX) as load:
            eventually("all streams run", lambda: len(load.streaming()) == 9)
            time.sleep(0.5)
            victim = self.fleet.gateway_of(load.streaming()[0].marker)
            before = time.monotonic()
            self.fleet.gateways[victim].kill()
            after = time.monotonic()
            time.sleep(max(3, STREAM_SECONDS + 1))
        self.fleet.gateways[victim].start()
        self.fleet.gateways[victim].wait_until_ready()
        self.balancer.wait_until_up(victim)
        self.assert_only_in_flight_is_lost(load, victim, before, after)

    def assert_only_in_flight_is_lost(self, load: Load, victim: str, before: float, after: float) -> None:
        failed = load.failures()
        for seen in failed:
            self.assertLessEqual(seen.began, after, f"began after the kill: {seen.problem()}")
            self.assertGreaterEqual(seen.ended, before, f"failed before the kill: {seen.problem()}")
            # `None`: the gateway had the request, and died before the provider got it.
            self.assertIn(self.fleet.gateway_of(seen.marker), (victim, None), seen.problem())
        running = [seen for seen in load.all if seen.long and seen.began <= before <= seen.ended]
        there = {seen.marker for seen in running if self.fleet.gateway_of(seen.marker) == victim}
        elsewhere = [seen for seen in running if seen.marker not in there]
        self.assertGreater(len(there), 0)
        self.assertGreater(len(elsewhere), 0)
        self.assertLessEqual(there, {seen.marker for seen in failed}, "a stream of the killed gateway cannot be whole")
        self.assertEqual([seen.problem() for seen in elsewhere if seen.problem()], [])
        self.assertGreater(len([seen for seen in load.all if seen.began > after]), 0)

    def active_requests(self) -> float:
        """Exchanges in flight in all gateways."""
        return sum(gateway.metric("airiskguard_active_requests") for gateway in self.fleet.gateways.values())


class Reading(Behind):
    """What holds where the front end reads requests."""

    def test_a_session_stays_with_its_gateway(self) -> None:
        """Sessions are spread over all gateways, and each stays where it is."""
        for session in range(12):
            for _ in range(2):
                self.assertEqual(self.client.ask(f"session-{session}").problem(), "")
        where: dict[str, set] = {}
        for request in self.fleet.served():
            where.setdefault(request["headers"]["x-claude-code-session-id"], set()).add(request["gateway"])
        self.assertEqual(len(where), 12)
        self.assertEqual({len(gateways) for gateways in where.values()}, {1})
        self.assertEqual(len(set.union(*where.values())), 3)

    def test_a_name_with_an_underscore_is_a_session_as_well(self) -> None:
        """Codex sends `session_id`; it must arrive, too."""
        connection, answer = self.client.open(message("hello"), {"session_id": "underscore"})
        self.assertEqual(answer.status, 200)
        connection.close()
        (request,) = self.fleet.served()
        self.assertEqual(request["headers"]["session_id"], "underscore")

    def test_z_without_any_gateway_the_answer_is_one_that_tools_understand(self) -> None:
        """Last, because nothing is left after it."""
        for gateway in self.fleet.gateways.values():
            gateway.kill()
        seen = self.client.ask("nobody")
        self.assertEqual(seen.status, 503, seen.problem())
        self.assertEqual(json.loads(seen.body)["error"]["type"], "overloaded_error")


class Passing(Behind):
    """What holds where the front end passes TLS on. The rolling restart, which drains as elsewhere, is the long form's."""

    tls_in_gateways = True

    def setUp(self) -> None:
        if not LONG_FORM and self._testMethodName == "test_rolling_restart":
            self.skipTest("in the long form only")
        super().setUp()

    def test_another_name_is_let_go(self) -> None:
        """Who asks for something else never gets to a gateway."""
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.client.connect("other.example.com").close()


class SameSessions(unittest.TestCase):
    """The examples name the session headers of the gateway, the most exact one first."""

    def test_both_have_all_of_them_in_order(self) -> None:
        """As in `SESSION_HEADERS`."""
        source = (ROOT / "src/providers/session.rs").read_text()
        names = re.findall(r'"([^"]+)"', source.split("SESSION_HEADERS: [&str; 8] = [")[1].split("]")[0])
        self.assertEqual(len(names), 8)
        keys = ["x-api-key", "api-key", "authorization"]
        envoy = re.findall(r"header_name: ([a-z_-]+)", (ROOT / "conf/envoy/envoy.yaml").read_text())
        # The last assignment wins there.
        haproxy = re.findall(r"set-var\(txn.session\) req.hdr\(([a-z_-]+)\)", (ROOT / "conf/haproxy/haproxy.cfg").read_text())
        self.assertEqual(envoy, names + keys)
        self.assertEqual(haproxy[::-1], names + keys)


class BehindHAProxy(Reading, unittest.TestCase):
    """TLS, HTTP and sessions in HAProxy."""

    kind, example = HAProxy, "haproxy.cfg"


class BehindEnvoy(Reading, unittest.TestCase):
    """TLS, HTTP and sessions in Envoy."""

    kind, example = Envoy, "envoy.yaml"


class BehindHAProxyPassing(Passing, unittest.TestCase):
    """HAProxy sees names only."""

    kind, example = HAProxy, "passthrough.cfg"


class BehindEnvoyPassing(Passing, unittest.TestCase):
    """Envoy sees names only."""

    kind, example = Envoy, "passthrough.yaml"
