"""The stage that clients play on: a loopback provider, the gateway in front of it, a tap in front of the gateway.

Runs the commands after ``--`` one after the other with the addresses in their environment, then takes the stage down.
Without ``--gateway`` the clients talk to the provider itself, which proves the provider and the clients.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import provider
import samples
from ports import free_port
from tap import Tap

START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 40

GATEWAY_KEY = "gw-engineers-made-up-key"
PROVIDER_KEYS = {name: f"provider-key-of-{name}-made-up" for name in ("anthropic", "openai", "azure")}
MODELS_ALLOWED = ["claude-sonnet-4-6", "claude-opus-*", "claude-haiku-4-5", "gpt-4o", "gpt-5*", "text-embedding-3-small"]

GATEWAY_YAML = """\
upstream:
  anthropic:
    url: http://127.0.0.1:{provider}
    api_key: {anthropic}
  openai:
    url: http://127.0.0.1:{provider}
    api_key: {openai}
  azure:
    url: http://127.0.0.1:{provider}
    api_key: {azure}
checks:
  outbound: [secrets, compliance, agent]
  inbound: [vuln, agent]
policies:
  - name: never_send_stripe_keys
    condition: {{checker: secrets, type: STRIPE_SECRET_KEY}}
    action: block
    redact: false
  - name: block_secrets
    condition: {{checker: secrets, risk: ">= high"}}
    action: block
  - name: block_vuln_code
    condition: {{checker: vuln, risk: ">= high"}}
    action: block
redact_secrets: true
redaction:
  restore: true
teams:
  engineers:
    model_allowlist: {models}
    api_keys:
      - {gateway_key}
admin:
  listen: 127.0.0.1:{admin}
"""


class Stage:
    """What runs; a context manager that leaves nothing behind."""

    def __init__(self, gateway: str | None) -> None:
        self.gateway = gateway
        self.memory = provider.Memory()
        self.child: subprocess.Popen | None = None
        self.folder = tempfile.TemporaryDirectory(prefix="airiskguard-stage-")

    def __enter__(self) -> "Stage":
        more: dict = {}
        self.provider_port, self.control_port = provider.start(self.memory, more=more)
        target = self.start_gateway() if self.gateway else self.provider_port
        self.tap = Tap(target)
        more.update({"tap": self.tap.told, "reset": self.tap.reset})
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_gateway()
        self.folder.cleanup()

    def start_gateway(self) -> int:
        """Writes the configuration, starts the binary, waits until it is ready; returns its port."""
        port, admin = free_port(), free_port()
        config = pathlib.Path(self.folder.name, "gateway.yaml")
        config.write_text(
            GATEWAY_YAML.format(
                provider=self.provider_port,
                admin=admin,
                gateway_key=GATEWAY_KEY,
                models=json.dumps(MODELS_ALLOWED),
                **PROVIDER_KEYS,
            )
        )
        command = [self.gateway, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        with open(self.log_path(), "wb") as log:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.wait_until_ready(port)
        return port

    def wait_until_ready(self, port: int) -> None:
        """Asks for health until it is answered or the binary ends."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self.child.poll() is None:
            with contextlib.suppress(OSError, urllib.error.URLError):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1) as answer:
                    if answer.status == 200:
                        return
            time.sleep(0.05)
        state = "is running" if self.child.poll() is None else f"ended with {self.child.returncode}"
        log = self.log()
        self.stop_gateway()
        raise SystemExit(f"the gateway is not healthy after start: it {state}\n{log}")

    def stop_gateway(self) -> None:
        """Asks the binary to stop and insists after a while."""
        if not self.child or self.child.poll() is not None:
            return
        self.child.terminate()
        try:
            self.child.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def log_path(self) -> str:
        """Where the gateway's output goes."""
        return os.path.join(self.folder.name, "gateway.log")

    def log(self) -> str:
        """What the gateway printed so far."""
        with contextlib.suppress(FileNotFoundError):
            return pathlib.Path(self.log_path()).read_text(errors="replace")
        return ""

    def environment(self) -> dict:
        """How the clients find everything."""
        return {
            "STAGE_GATEWAY_URL": f"http://127.0.0.1:{self.tap.port}",
            "STAGE_CONTROL_URL": f"http://127.0.0.1:{self.control_port}",
            "STAGE_GATEWAY_KEY": GATEWAY_KEY,
            "STAGE_PROVIDER_KEYS": json.dumps(PROVIDER_KEYS),
            "STAGE_SAMPLES": json.dumps({name: value for name, value in vars(samples).items() if name.isupper()}),
            "STAGE_DIRECT": "" if self.gateway else "1",
        }


def main() -> int:
    """Runs the commands; the exit code is how many of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gateway", help="path of the gateway binary")
    parser.add_argument("commands", nargs="+", help="after --: commands, parted by the word and")
    arguments = parser.parse_args()
    commands = [part.split("\0") for part in "\0".join(arguments.commands).split("\0and\0")]
    failed = 0
    with Stage(arguments.gateway) as stage:
        for command in commands:
            code = subprocess.run(command, env=os.environ | stage.environment(), stdin=subprocess.DEVNULL).returncode
            failed += code != 0
            alive = stage.child is None or stage.child.poll() is None
            if not alive:
                print(f"the gateway ended with {stage.child.returncode}")
                failed += 1
        if failed and stage.gateway:
            print("---- the gateway printed ----", stage.log()[-20_000:], sep="\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
