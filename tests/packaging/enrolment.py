"""Becoming a gateway of a policy server with the very commands that are told: `enrolment.py PACKAGE`, in a mount and a
network namespace of its own, as root.

Each machine is a copy of this one on top of which it writes: apt, dpkg and the shell are real. systemd does not run there,
so `systemctl` starts what the unit says as whom the unit says, and `sudo` becomes that user without asking.
"""

import html
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse

from machines import POLICY_SERVER, ROOT, Owner, Running, prompt, run, wait_for

sys.path.insert(0, str(ROOT / "tests/clients"))

import provider  # noqa: E402  (the loopback provider)

CONFIG = "/etc/airiskguard/gateway.yaml"
SUDO = """\
#!/bin/bash
# `sudo [-u USER] COMMAND…`, for root.
set -eu
[ "$1" = -u ] || exec env -i PATH="$PATH" "$@"
user=$2
shift 2
exec env -i PATH="$PATH" setpriv --reuid="$user" --regid="$user" --clear-groups -- "$@"
"""
SYSTEMCTL = """\
#!/bin/bash
# `systemctl enable --now UNIT…`: what systemd does for a service, less what needs systemd.
set -eu
[ "$1 $2" = "enable --now" ]
shift 2
for unit in "$@"; do
  file="/usr/lib/systemd/system/$unit"
  [ -s "$file" ]
  case $unit in *.service) ;; *) continue ;; esac
  says() { sed -n "s/^$1=//p" "$file"; }
  user="$(says User)" state="/var/lib/$(says StateDirectory)"
  [ -d "$state" ] || install -d -m "$(says StateDirectoryMode)" "$state"
  # Only where the folder itself is somebody else's.
  [ "$(stat --format=%U "$state")" = "$user" ] || chown -R "$user:$(says Group)" "$state"
  cd /
  setsid setpriv --reuid="$user" --regid="$(says Group)" --clear-groups -- \\
    env -i PATH=/usr/bin STATE_DIRECTORY="$state" $(says ExecStart) >"/var/log/$unit.log" 2>&1 </dev/null &
  echo $! >"/run/$unit.pid"
done
"""


class Machine:
    """A root of its own, with the package lying in the folder where its administrator works."""

    def __init__(self, folder: pathlib.Path, package: pathlib.Path) -> None:
        self.root = folder / "root"
        for part in (self.root, folder / "written", folder / "work"):
            part.mkdir(parents=True)
        layers = f"lowerdir=/,upperdir={folder}/written,workdir={folder}/work"
        run("mount", "-t", "overlay", "overlay", "-o", layers, self.root)
        for part in ("proc", "dev"):
            run("mount", "--bind", f"/{part}", self.root / part)
        run("mount", "-t", "tmpfs", "tmpfs", self.root / "run")
        self.home = self.root / "srv/enrolling"
        self.home.mkdir(parents=True)
        (self.home / package.name).write_bytes(package.read_bytes())
        for name, text in (("sudo", SUDO), ("systemctl", SYSTEMCTL)):
            path = self.root / "usr/local/bin" / name
            path.write_text(text)
            path.chmod(0o755)

    def do(self, command: str) -> subprocess.CompletedProcess:
        """What its administrator types."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        words = ["chroot", str(self.root), "/usr/bin/env", "-i", f"PATH={path}", "HOME=/root", "bash", "-c"]
        words.append(f"cd /srv/enrolling; {command}")
        return subprocess.run(words, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        """Stops the gateway, and waits until it has gone."""
        pid = int((self.root / "run/airiskguard-gateway.service.pid").read_text())
        os.kill(pid, 15)
        wait_for("the gateway stops", lambda: not pathlib.Path(f"/proc/{pid}").exists())


class Server:
    """The policy server with its first owner, a provider, a team and a key."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.url = "http://127.0.0.1:8090"
        settings = folder / "policy-server.yaml"
        settings.write_text(f"public_url: {self.url}\n")
        data, ports = folder / "data", folder / "ports"
        command = [POLICY_SERVER, "--data-dir", str(data), "--config", str(settings), "--port-file", str(ports)]
        self.running = Running(command, ports)
        self.owner = Owner(self.url, (data / "setup-token").read_text())
        self.owner.connect(provider.start(provider.Memory())[0])
        self.key = self.owner.key("anna")

    def commands_of_readme(self) -> list[str]:
        """Those that the README tells, with this server's address and a token of its own."""
        text = (ROOT / "README.md").read_text()
        (block,) = [it for it in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "enroll --config" in it]
        token = self.owner.invite()
        architecture = run("dpkg", "--print-architecture").strip()
        told = {"https://policy.company.com": self.url, "arg-enrol-…": token, "amd64": architecture}
        for example, real in told.items():
            assert example in block, f"README has no {example}"
            block = block.replace(example, real)
        return block.strip().splitlines()

    def commands_of_the_page(self) -> list[str]:
        """Those that the dashboard shows."""
        form = urllib.parse.urlencode({"csrf": self.owner.csrf, "group": "", "hours": ""}).encode()
        page = self.owner.browser.open(self.url + "/gateways", form, timeout=20).read().decode()
        (block,) = re.findall(r'<pre id="invitation"[^>]*>(.*?)</pre>', page, re.DOTALL)
        return html.unescape(block).strip().splitlines()


def enrol(server: Server, machine: Machine, commands: list[str], where: str) -> None:
    """Types the commands one after the other, sends a prompt, and finds its record on the server."""
    assert len(commands) == 5, commands
    before = len(server.owner.get("/api/v1/gateways"))
    for command in commands:
        done = machine.do(command)
        print(f"{where}: {command}\n{done.stdout}{done.stderr}", flush=True)
        assert done.returncode == 0, (machine.root / "var/log/airiskguard-gateway.service.log").read_text() if "curl" in command else command
    assert done.stdout.strip() != "", "the last command says that the gateway is ready"
    gateways = server.owner.get("/api/v1/gateways")
    assert len(gateways) == before + 1
    name = (machine.root / "var/lib/airiskguard/gateway.id").read_text().strip()
    assert name in [it["name"] for it in gateways], name
    assert "Hello from the loopback provider." in prompt("127.0.0.1:8080", server.key, f"hello {where}")[1]
    records = lambda: [it for it in server.owner.get("/api/v1/records")["records"] if it["gateway"] == name]  # noqa: E731
    wait_for(f"a request through {name} is recorded", records)
    assert records()[0]["team"] == "red"
    # Nothing in the folder is anybody else's.
    user = (machine.root / "var/lib/airiskguard").stat().st_uid
    assert user != 0
    owners = {it.lstat().st_uid for it in (machine.root / "var/lib/airiskguard").rglob("*")}
    assert owners == {user}, owners


def refuse_root(machine: Machine) -> None:
    """Root would leave files behind that the service cannot read: it is told what to do instead."""
    done = machine.do(f"airiskguard-gateway enroll --config {CONFIG} --token arg-enrol-made-up")
    assert done.returncode == 1 and "sudo -u" in done.stderr, done.stderr
    done = machine.do(f"sudo -u airiskguard airiskguard-gateway enroll --unless-enrolled --config {CONFIG} --token arg-enrol-made-up")
    assert done.returncode == 0 and "already" in done.stdout, done.stdout + done.stderr
    done = machine.do(f"sudo -u airiskguard airiskguard-gateway quarantine list --config {CONFIG}")
    assert (done.returncode, done.stdout) == (0, "nobody is kept out\n"), done.stderr


def main() -> None:
    """README's way, then the page's, each on a machine of its own."""
    package = pathlib.Path(sys.argv[1])
    run("ip", "link", "set", "lo", "up")
    with tempfile.TemporaryDirectory(prefix="airiskguard-enrolment-") as name:
        folder = pathlib.Path(name)
        # Overlays cannot lie on overlays.
        run("mount", "-t", "tmpfs", "tmpfs", folder)
        server = Server(folder)
        try:
            for where in ("README", "page"):
                machine = Machine(folder / where, package)
                commands = server.commands_of_readme() if where == "README" else server.commands_of_the_page()
                try:
                    enrol(server, machine, commands, where)
                finally:
                    if (machine.root / "run/airiskguard-gateway.service.pid").exists():
                        machine.stop()
                refuse_root(machine)
        finally:
            server.running.stop()
        # The namespace ends with this process, and its mounts with it.
        run("umount", "--lazy", "--recursive", folder)


if __name__ == "__main__":
    main()
