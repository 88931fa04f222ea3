"""The container images, without a container engine: their files are put together as the Dockerfile does, and run.

Not run here: the build stages, which need the Rust image, and the engine itself.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

from machines import GATEWAY, POLICY_SERVER, ROOT, Running, free_port, run

sys.path.insert(0, str(ROOT / "tests/clients"))

import provider  # noqa: E402  (the loopback provider)

DOCKERFILE = (ROOT / "Dockerfile").read_text()
USER = "65532"


def instructions(stage: str) -> list[tuple[str, str]]:
    """What stands after `FROM … AS` of a stage, as (word, rest)."""
    lines = re.search(rf"^FROM \S+ AS {stage}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL).group(1).splitlines()
    return [tuple(line.split(" ", 1)) for line in lines if line and not line.startswith(("#", " "))]


class Image:
    """What is in an image, and that it is enough; what differs is said by the classes below."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.temporary = tempfile.TemporaryDirectory(prefix="airiskguard-image-")
        cls.root = pathlib.Path(cls.temporary.name, "rootfs")
        run(ROOT / "packaging/container/rootfs.sh", cls.program, cls.root)
        cls.stage = instructions(cls.name.removeprefix("airiskguard-"))

    @classmethod
    def tearDownClass(cls) -> None:
        cls.temporary.cleanup()

    def files(self) -> set[str]:
        """All of them, by their path in the image."""
        return {f"/{it.relative_to(self.root)}" for it in self.root.rglob("*") if not it.is_dir()}

    def test_nothing_is_in_it_that_is_not_needed(self) -> None:
        """The program, its libraries, and a handful of files; no other program, no shell."""
        libraries = set(re.findall(r"(/\S+)", run("ldd", self.program)))
        wanted = {
            f"/usr/bin/{self.name}",
            f"/etc/airiskguard/{self.configuration}",
            "/etc/group",
            "/etc/nsswitch.conf",
            "/etc/passwd",
            "/etc/ssl/certs/ca-certificates.crt",
            f"/usr/share/doc/{self.name}/LICENSE",
        }
        self.assertEqual(self.files(), wanted | libraries)
        for path in self.root.rglob("*"):
            self.assertEqual(path.stat().st_mode & 0o7022, 0, f"{path} can be written by others or has special rights")

    def test_the_stage_runs_what_was_put_together(self) -> None:
        """As a user without rights, in a folder of its own, with the configuration that is there."""
        stage, build = dict(self.stage), f"build-{self.name.removeprefix('airiskguard-')}"
        self.assertEqual(stage["USER"], f"{USER}:{USER}")
        self.assertIn(f"airiskguard:x:{USER}:{USER}:", (self.root / "etc/passwd").read_text())
        words = yaml.safe_load(stage["ENTRYPOINT"]) + yaml.safe_load(stage["CMD"])
        for word in words:
            if word.startswith("/") and word != stage["VOLUME"]:
                self.assertIn(word, self.files())
        copied = [rest for word, rest in self.stage if word == "COPY"]
        self.assertIn(f"--from={build} /rootfs /", copied)
        self.assertIn(f"--from={build} --chown={USER}:{USER} /state {stage['VOLUME']}", copied)
        made = " ".join(rest for word, rest in instructions(build) if word == "RUN") + DOCKERFILE
        self.assertIn(f"packaging/container/rootfs.sh target/release/{self.name} /rootfs", made)
        self.assertEqual(set(stage["EXPOSE"].split()), self.ports())
        self.assertEqual(stage["ENV"], self.environment)

    def start(self, folder: pathlib.Path, config: str, more: list[str]) -> Running:
        """As its user, with this configuration and a folder for what it keeps, without /proc, /dev and /tmp."""
        state = folder / "state"
        state.mkdir(mode=0o700)
        os.chown(state, int(USER), int(USER))
        file = folder / self.configuration
        file.write_text(config)
        stage = dict(self.stage)
        script = """
            mount --bind "$1" "$1"
            mkdir -p "$1$4" && mount --bind "$2" "$1$4"
            mount --bind "$3" "$1/etc/airiskguard/$CONFIGURATION"
            mount -o remount,bind,ro "$1"
            shift 4; cd /; root=$ROOT_FOLDER
            ! touch "$root/written" 2>/dev/null || exit 3
            exec env -i "$VARIABLE" /usr/sbin/chroot --userspec="$USER_ID:$USER_ID" "$root" "$@"
        """
        words = yaml.safe_load(stage["ENTRYPOINT"]) + yaml.safe_load(stage["CMD"])
        words += [*more, "--host", "127.0.0.1", "--port", "0", "--port-file", f"{stage['VOLUME']}/ports"]
        command = ["unshare", "--mount", "--propagation", "private", "bash", "-euc", script, "-"]
        command += [str(self.root), str(state), str(file), stage["VOLUME"], *words]
        environment = {"ROOT_FOLDER": str(self.root), "VARIABLE": stage["ENV"], "USER_ID": USER, "CONFIGURATION": self.configuration}
        return Running(command, state / "ports", env=os.environ | environment)


class Gateway(Image, unittest.TestCase):
    """The gateway's."""

    name, program, configuration = "airiskguard-gateway", GATEWAY, "gateway.yaml"
    environment = "STATE_DIRECTORY=/var/lib/airiskguard"

    def ports(self) -> set[str]:
        """Those of the configuration that is in it."""
        file = yaml.safe_load((self.root / "etc/airiskguard/gateway.yaml").read_text())
        return {str(file.get("port", 8080)), file["admin"]["listen"].rsplit(":", 1)[1]}

    @unittest.skipUnless(os.geteuid() == 0, "a root of its own needs root")
    def test_it_runs_there_with_a_root_that_cannot_be_written(self) -> None:
        """A name is resolved, an exchange passes, a stop is clean."""
        port, _ = provider.start(provider.Memory())
        folder = pathlib.Path(self.temporary.name)
        # What an engine mounts into every container.
        hosts = self.root / "etc/hosts"
        self.addCleanup(hosts.unlink)
        hosts.write_text("127.0.0.1 localhost provider.test\n")
        config = f"upstream: {{anthropic: 'http://provider.test:{port}'}}\nadmin: {{listen: '0.0.0.0:{free_port()}'}}\n"
        running = self.start(folder, config, [])
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
        self.assertEqual((folder / "state/audit.db").stat().st_uid, int(USER))


class PolicyServer(Image, unittest.TestCase):
    """The policy server's."""

    name, program, configuration = "airiskguard-policy-server", POLICY_SERVER, "policy-server.yaml"
    environment = "AIRISKGUARD_POLICY_SERVER_HOST=0.0.0.0"

    def ports(self) -> set[str]:
        """The one of its settings."""
        file = yaml.safe_load((self.root / "etc/airiskguard/policy-server.yaml").read_text())
        return {file["public_url"].rsplit(":", 1)[1]}

    @unittest.skipUnless(os.geteuid() == 0, "a root of its own needs root")
    def test_it_runs_there_with_a_root_that_cannot_be_written(self) -> None:
        """It is ready, shows its first page, and a stop is clean."""
        folder = pathlib.Path(self.temporary.name)
        running = self.start(folder, "public_url: http://localhost:8090\n", [])
        try:
            (main,) = running.addresses
            self.assertEqual(running.ask("GET", main, "/readyz"), (200, "ready\n"))
            token = (folder / "state/setup-token").read_text()
            status, page = running.ask("GET", main, f"/setup?token={token}")
            self.assertEqual(status, 200)
            self.assertIn("password", page)
        finally:
            code = running.stop()
        self.assertEqual(code, 0)
        self.assertEqual((folder / "state/control.db").stat().st_uid, int(USER))


class Build(unittest.TestCase):
    """The Dockerfile itself."""

    def test_the_build_is_that_of_this_compiler_and_this_debian(self) -> None:
        """Base and `rust-version` agree; what the context leaves out is not asked for."""
        version = re.search(r'^rust-version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
        self.assertIn(f"FROM rust:{version}-bookworm AS source", DOCKERFILE)
        # What is built where nothing is asked for.
        self.assertTrue(re.findall(r"^FROM .*$", DOCKERFILE, re.MULTILINE)[-1].endswith(" AS gateway"))
        ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
        for needed in ("Cargo.toml", "Cargo.lock", "src", "conf", "tests", "benches", "loadtest", "packaging", "LICENSE"):
            self.assertNotIn(needed, ignored)
        for secret in (".git", "secrets", "**/.env"):
            self.assertIn(secret, ignored)

    def test_hadolint_has_nothing_to_say(self) -> None:
        """The linter for Dockerfiles."""
        run("hadolint", ROOT / "Dockerfile")


COMPOSED = ("compose.yaml", "conf/compose/fleet.yaml")


def composed(path: str) -> dict:
    """A compose file."""
    return yaml.safe_load((ROOT / path).read_text())


class Compose(unittest.TestCase):
    """Both examples fit together."""

    def test_every_file_that_is_mounted_is_there(self) -> None:
        """Relative to the compose file; named volumes, networks, secrets and stages are declared."""
        for path in COMPOSED:
            file, folder = composed(path), (ROOT / path).parent
            for service in file["services"].values():
                for volume in service.get("volumes", []):
                    source = volume.split(":")[0]
                    self.assertTrue((folder / source).is_file() if source.startswith("./") else source in file["volumes"], source)
                self.assertLessEqual(set(service["networks"]), file["networks"].keys())
                self.assertLessEqual(set(service.get("secrets", [])), file["secrets"].keys())
                self.assertLessEqual(set(service.get("depends_on", [])), file["services"].keys())
                self.assertEqual(service["security_opt"], ["no-new-privileges:true"])
                self.assertEqual(service["cap_drop"], ["ALL"])
                if isinstance(build := service.get("build"), dict):
                    self.assertTrue((folder / build["context"] / "Dockerfile").samefile(ROOT / "Dockerfile"))
                    self.assertTrue(instructions(build["target"]))
            for secret in file["secrets"].values():
                self.assertEqual((folder / secret["file"]).resolve().parent, ROOT / "secrets")

    def test_the_gateway_accepts_its_configuration(self) -> None:
        """With the secrets that the service has, and with no other."""
        for path, config in zip(COMPOSED, ("gateway.yaml", "gateway-enrolled.yaml")):
            service = composed(path)["services"]["gateway"]
            self.assertIn(f"{config}:/etc/airiskguard/gateway.yaml:ro", " ".join(service["volumes"]))
            text = (ROOT / "conf/compose" / config).read_text()
            self.assertEqual(set(re.findall(r"/run/secrets/(\w+)", text)), set(service["secrets"]))
            with tempfile.TemporaryDirectory() as folder:
                value = {"audit_store": "postgres://a:b@postgres/a?sslmode=disable", "engineers_key": "sha256:" + "0" * 64}
                for name in service["secrets"]:
                    pathlib.Path(folder, name).write_text(value.get(name, "made-up-for-a-test-and-long-enough"))
                file = pathlib.Path(folder, "gateway.yaml")
                file.write_text(text.replace("/run/secrets", folder))
                run(GATEWAY, "check", "--config", file)
            drain = yaml.safe_load(text)["limits"]["drain_timeout"]
            self.assertEqual(drain, "2m")
            self.assertGreaterEqual(int(service["stop_grace_period"].rstrip("s")), 120 + 15)

    def test_the_policy_server_is_one_that_the_gateway_enrols_with(self) -> None:
        """With the certificate of the very command at the head of the file, and the settings but for the store."""
        text = (ROOT / "conf/compose/fleet.yaml").read_text()
        services = composed("conf/compose/fleet.yaml")["services"]
        server = services["policy-server"]
        head = re.sub(r"\\\n#\s*", "", text)
        (command,) = re.findall(r"^#\s+(openssl req .*)$", head, re.MULTILINE)
        settings = (ROOT / "conf/compose/policy-server.yaml").read_text()
        self.assertLessEqual(set(re.findall(r"/run/secrets/(\w+)", settings)), set(server["secrets"]))
        with tempfile.TemporaryDirectory() as name:
            folder, port = pathlib.Path(name), free_port()
            (folder / "secrets").mkdir()
            run(*command.split(), cwd=folder)
            (folder / "secrets/policy_store").write_text(f"sqlite:{folder}/control.db\n")
            (folder / "secrets/redaction_key").write_text("made-up-for-a-test-and-long-enough")
            settings = settings.replace("/run/secrets", f"{folder}/secrets").replace("8090", str(port))
            (folder / "policy-server.yaml").write_text(settings)
            environment = {key: value.replace("/run/secrets", f"{folder}/secrets") for key, value in server["environment"].items()}
            words = ["--port", str(port), "--data-dir", f"{folder}/data", "--config", f"{folder}/policy-server.yaml"]
            run(POLICY_SERVER, *words, "--check", env=environment)
            running = Running([POLICY_SERVER, *words, "--port-file", f"{folder}/ports"], folder / "ports", env=environment)
            try:
                config = (ROOT / "conf/compose/gateway-enrolled.yaml").read_text().replace("/run/secrets", f"{folder}/secrets")
                # A name of the certificate that this machine knows, too.
                (folder / "gateway.yaml").write_text(config.replace("policy-server:8090", f"localhost:{port}"))
                told = ["enroll", "--config", f"{folder}/gateway.yaml", "--token", "arg-enrol-made-up"]
                done = subprocess.run([GATEWAY, *told], env={"STATE_DIRECTORY": f"{folder}/state"}, capture_output=True, text=True)
                # It was heard: the server itself refuses the token, so that TLS stood.
                self.assertIn("this enrolment token is not known", done.stderr)
            finally:
                self.assertEqual(running.stop(), 0)

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
        for path in COMPOSED:
            for name, service in composed(path)["services"].items():
                if "build" in service:
                    self.assertEqual(service["image"], f"airiskguard-{name}:{version}")
        self.assertEqual(set(re.findall(r"airiskguard-[a-z-]+:([0-9.]+)", DOCKERFILE)), {version})


if __name__ == "__main__":
    unittest.main()
