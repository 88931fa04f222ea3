"""The command that releases, beside a gateway that runs: what operators of a single machine do."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from machines import GATEWAY, ROOT, Running, free_port, run

sys.path.insert(0, str(ROOT / "tests/clients"))

import provider  # noqa: E402  (the loopback provider)

# Made up, and never whole in one line.
LEAKED = "AKIA" + "Q3EGRZ7XKLM2PVNT"


class Quarantine(unittest.TestCase):
    """From the first finding to the first answer after the release."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="airiskguard-quarantine-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        port, _ = provider.start(provider.Memory())
        self.config = self.folder / "gateway.yaml"
        settings = {
            "upstream": {"anthropic": {"url": f"http://127.0.0.1:{port}", "api_key": "made-up-provider-key"}},
            "checks": {"outbound": ["secrets"], "inbound": []},
            "redact_secrets": True,
            "teams": {"red": {"api_keys": ["made-up-gateway-key-of-red-0123456789"]}},
            "quarantine": {"rules": [{"name": "leaking", "findings": 1, "risk": ">= high", "within": "10m", "per": "key"}]},
            "admin": {"listen": f"127.0.0.1:{free_port()}"},
            "audit": {"directory": str(self.folder / "data")},
        }
        self.config.write_text(json.dumps(settings))

    def start(self) -> Running:
        """The gateway, on a free port."""
        ports = self.folder / "ports"
        ports.unlink(missing_ok=True)
        words = [GATEWAY, "--config", str(self.config), "--host", "127.0.0.1", "--port", "0", "--port-file", str(ports)]
        running = Running(words, ports)
        self.addCleanup(lambda: running.child.poll() is None and running.stop())
        return running

    def command(self, *words: str) -> str:
        """`quarantine …` beside it."""
        return run(GATEWAY, "quarantine", *words, "--config", self.config)

    @staticmethod
    def ask(running: Running, text: str) -> int:
        """The status of one prompt."""
        body = {"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
        headers = {"content-type": "application/json", "x-api-key": "made-up-gateway-key-of-red-0123456789"}
        return running.ask("POST", running.addresses[0], "/v1/messages", json.dumps(body), headers)[0]

    def kept_out(self, running: Running) -> str:
        """Somebody is, from now on; the reference."""
        self.assertEqual(self.ask(running, "hello"), 200)
        self.ask(running, f"why is {LEAKED} refused?")
        self.assertEqual(self.ask(running, "hello"), 400)
        for _ in range(200):
            listed = self.command("list", "--json").strip()
            if listed.startswith("{"):
                return json.loads(listed)["reference"]
        raise AssertionError("the quarantine is not listed")

    def test_a_running_gateway_releases_at_once_and_writes_down_why(self) -> None:
        """Without a restart; what is not there is refused."""
        running = self.start()
        try:
            reference = self.kept_out(running)
            self.assertIn(f"{reference}  key ", self.command("list"))
            done = subprocess.run(
                [GATEWAY, "quarantine", "release", "Q-NOBODY", "--reason", "a mistake", "--config", self.config], capture_output=True, text=True
            )
            self.assertEqual(done.returncode, 1)
            self.assertIn("keeps nobody out under the reference Q-NOBODY", done.stderr)
            self.assertEqual(self.command("release", reference, "--reason", "a test key"), f"released: {reference}\n")
            self.assertEqual(self.ask(running, "hello"), 200)
            self.assertEqual(self.command("list"), "nobody is kept out\n")
        finally:
            running.stop()
        acts = run(GATEWAY, "audit", "search", "--kind", "act", "--json", "--config", self.config)
        (released,) = [line for line in acts.splitlines() if "quarantine.released" in line]
        self.assertIn("a test key", released)

    def test_a_stopped_gateway_releases_with_its_next_start(self) -> None:
        """What was asked for meanwhile is not forgotten."""
        running = self.start()
        reference = self.kept_out(running)
        self.assertEqual(running.stop(), 0)
        self.assertIn("as soon as the gateway runs", self.command("release", reference, "--reason", "a test key"))
        running = self.start()
        try:
            for _ in range(200):
                if self.command("list") == "nobody is kept out\n":
                    break
            self.assertEqual(self.ask(running, "hello"), 200)
        finally:
            running.stop()


if __name__ == "__main__":
    unittest.main()
