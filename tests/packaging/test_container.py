"""The container image, without a container engine: its files are put together as the Dockerfile does, and run.

Not run here: the build stage, which needs the Rust image, and the engine itself.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

from machines import BINARY, ROOT, Running, free_port, run

sys.path.insert(0, str(ROOT / "tests/clients"))

import provider  # noqa: E402  (the loopback provider)

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
USER = "65532"


def instructions(stage: str) -> list[tuple[str, str]]:
    """What stands after `FROM` of a stage, as (word, rest)."""
    lines = [line for line in DOCKERFILE.split(f"FROM {stage}")[1].split("\nFROM ")[0].splitlines()[1:]]
    return [tuple(line.split(" ", 1)) for line in lines if line and not line.startswith(("#", " "))]


class Image(unittest.TestCase):
    """What is in the image, and that it is enough."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.temporary = tempfile.TemporaryDirectory(prefix="airiskguard-image-")
        cls.root = pathlib.Path(cls.temporary.name, "rootfs")
        run(ROOT / "packaging/container/rootfs.sh", BINARY, cls.root)
        cls.stage = instructions("scratch")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.temporary.cleanup()

    def files(self) -> set[str]:
        """All of them, by their path in the image."""
        return {f"/{it.relative_to(self.root)}" for it in self.root.rglob("*") if not it.is_dir()}

    def test_nothing_is_in_it_that_is_not_needed(self) -> None:
        """The program, its libraries, and a handful of files; no other program, no shell."""
        libraries = set(re.findall(r"(/\S+)", run("ldd", BINARY)))
        wanted = {
            "/usr/bin/airiskguard-gateway",
            "/etc/airiskguard/gateway.yaml",
            "/etc/group",
            "/etc/nsswitch.conf",
            "/etc/passwd",
            "/etc/ssl/certs/ca-certificates.crt",
            "/usr/share/doc/airiskguard-gateway/LICENSE",
        }
        self.assertEqual(self.files(), wanted | libraries)
        for path in self.root.rglob("*"):
            self.assertEqual(path.stat().st_mode & 0o7022, 0, f"{path} can be written by others or has special rights")

    def test_the_last_stage_runs_what_was_put_together(self) -> None:
        """As a user without rights, in a folder of its own, with the configuration that is there."""
        stage = dict(self.stage)
        self.assertEqual(stage["USER"], f"{USER}:{USER}")
        self.assertIn(f"airiskguard:x:{USER}:{USER}:", (self.root / "etc/passwd").read_text())
        words = yaml.safe_load(stage["ENTRYPOINT"]) + yaml.safe_load(stage["CMD"])
        for word in words:
            if word.startswith("/"):
                self.assertIn(word, self.files())
        self.assertEqual(stage["ENV"], f"STATE_DIRECTORY={stage['VOLUME']}")
        copied = [rest for word, rest in self.stage if word == "COPY"]
        self.assertIn("--from=build /rootfs /", copied)
        self.assertIn(f"--from=build --chown={USER}:{USER} /state {stage['VOLUME']}", copied)
        self.assertIn("packaging/container/rootfs.sh target/release/airiskguard-gateway /rootfs", DOCKERFILE)
        file = yaml.safe_load((self.root / "etc/airiskguard/gateway.yaml").read_text())
        ports = {str(file.get("port", 8080)), file["admin"]["listen"].rsplit(":", 1)[1]}
        self.assertEqual(set(stage["EXPOSE"].split()), ports)

    def test_the_build_is_that_of_this_compiler_and_this_debian(self) -> None:
        """Base and `rust-version` agree; what the context leaves out is not asked for."""
        version = re.search(r'^rust-version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
        self.assertIn(f"FROM rust:{version}-bookworm AS build", DOCKERFILE)
        ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
        for needed in ("Cargo.toml", "Cargo.lock", "src", "conf", "tests", "benches", "loadtest", "packaging", "LICENSE"):
            self.assertNotIn(needed, ignored)
        for secret in (".git", "secrets", "**/.env"):
            self.assertIn(secret, ignored)

    def test_hadolint_has_nothing_to_say(self) -> None:
        """The linter for Dockerfiles."""
        run("hadolint", ROOT / "Dockerfile")

    @unittest.skipUnless(os.geteuid() == 0, "a root of its own needs root")
    def test_it_runs_there_with_a_root_that_cannot_be_written(self) -> None:
        """As its user, without /proc, /dev and /tmp: a name is resolved, an exchange passes, a stop is clean."""
        port, _ = provider.start(provider.Memory())
        folder = pathlib.Path(self.temporary.name)
        state = folder / "state"
        state.mkdir(mode=0o700)
        os.chown(state, int(USER), int(USER))
        # What an engine mounts into every container, and what its user mounts.
        hosts = self.root / "etc/hosts"
        self.addCleanup(hosts.unlink)
        hosts.write_text("127.0.0.1 localhost provider.test\n")
        config = folder / "gateway.yaml"
        config.write_text(f"upstream: {{anthropic: 'http://provider.test:{port}'}}\nadmin: {{listen: '0.0.0.0:{free_port()}'}}\n")
        stage = dict(self.stage)
        script = """
            mount --bind "$1" "$1"
            mkdir -p "$1$4" && mount --bind "$2" "$1$4"
            mount --bind "$3" "$1/etc/airiskguard/gateway.yaml"
            mount -o remount,bind,ro "$1"
            shift 3; cd /; root=$ROOT_FOLDER state=$1; shift
            ! touch "$root/written" 2>/dev/null || exit 3
            exec env -i "$STATE" /usr/sbin/chroot --userspec="$USER_ID:$USER_ID" "$root" "$@"
        """
        words = yaml.safe_load(stage["ENTRYPOINT"]) + yaml.safe_load(stage["CMD"])
        words += ["--host", "127.0.0.1", "--port", "0", "--port-file", f"{stage['VOLUME']}/ports"]
        command = ["unshare", "--mount", "--propagation", "private", "bash", "-euc", script, "-"]
        command += [str(self.root), str(state), str(config), stage["VOLUME"], *words]
        environment = os.environ | {"ROOT_FOLDER": str(self.root), "STATE": stage["ENV"], "USER_ID": USER}
        running = Running(command, state / "ports", env=environment)
        try:
            main, admin = running.addresses
            self.assertEqual(running.ask("GET", admin, "/readyz")[0], 200)
            body = '{"model":"claude-sonnet-4-6","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}'
            status, answer = running.ask("POST", main, "/v1/messages", body, {"content-type": "application/json", "x-api-key": "made-up"})
            self.assertEqual(status, 200, answer)
            self.assertIn("Hello from the loopback provider.", answer)
        finally:
            code = running.stop()
        self.assertEqual(code, 0)
        self.assertEqual((state / "audit.db").stat().st_uid, int(USER))


class Compose(unittest.TestCase):
    """The example with PostgreSQL and Prometheus fits together."""

    def test_every_file_that_is_mounted_is_there(self) -> None:
        """Relative to compose.yaml; named volumes, networks and secrets are declared."""
        for service in COMPOSE["services"].values():
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                self.assertTrue((ROOT / source).is_file() if source.startswith("./") else source in COMPOSE["volumes"], source)
            self.assertLessEqual(set(service["networks"]), COMPOSE["networks"].keys())
            self.assertLessEqual(set(service.get("secrets", [])), COMPOSE["secrets"].keys())
            self.assertEqual(service["security_opt"], ["no-new-privileges:true"])
            self.assertEqual(service["cap_drop"], ["ALL"])

    def test_the_gateway_accepts_its_configuration(self) -> None:
        """With the secrets that the service has, and with no other."""
        service = COMPOSE["services"]["gateway"]
        text = (ROOT / "conf/compose/gateway.yaml").read_text()
        self.assertEqual(set(re.findall(r"/run/secrets/(\w+)", text)), set(service["secrets"]))
        with tempfile.TemporaryDirectory() as folder:
            value = {"audit_store": "postgres://a:b@postgres/a?sslmode=disable", "engineers_key": "sha256:" + "0" * 64}
            for name in service["secrets"]:
                pathlib.Path(folder, name).write_text(value.get(name, "made-up-for-a-test-and-long-enough"))
            path = pathlib.Path(folder, "gateway.yaml")
            path.write_text(text.replace("/run/secrets", folder))
            run(BINARY, "check", "--config", path)
        drain = yaml.safe_load(text)["limits"]["drain_timeout"]
        self.assertEqual(drain, "2m")
        self.assertGreaterEqual(int(service["stop_grace_period"].rstrip("s")), 120 + 15)

    def test_prometheus_accepts_its_configuration(self) -> None:
        """With the alert rules where the container has them; the target is the gateway's listener for operators."""
        with tempfile.TemporaryDirectory() as folder:
            for source in ("conf/compose/prometheus.yaml", "conf/prometheus-rules.yaml"):
                pathlib.Path(folder, pathlib.Path(source).name).write_text((ROOT / source).read_text())
            run("promtool", "check", "config", pathlib.Path(folder, "prometheus.yaml"))
        (job,) = yaml.safe_load((ROOT / "conf/compose/prometheus.yaml").read_text())["scrape_configs"]
        self.assertIn(f'job="{job["job_name"]}"', (ROOT / "conf/prometheus-rules.yaml").read_text())
        admin = yaml.safe_load((ROOT / "conf/compose/gateway.yaml").read_text())["admin"]["listen"]
        self.assertEqual(job["static_configs"], [{"targets": [f"gateway:{admin.rsplit(':', 1)[1]}"]}])

    def test_the_image_is_that_of_this_version(self) -> None:
        """Also in the words at the head of the Dockerfile."""
        version = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
        self.assertEqual(COMPOSE["services"]["gateway"]["image"], f"airiskguard-gateway:{version}")
        self.assertEqual(set(re.findall(r"airiskguard-gateway:([0-9.]+)", DOCKERFILE)), {version})


if __name__ == "__main__":
    unittest.main()
