"""The Debian packages: built, installed into an empty machine, run, changed, upgraded, removed, purged."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from machines import GATEWAY, POLICY_SERVER, ROOT, Running, as_root, as_user, free_port, run

# Time counts more than size here, and lintian is told so.
FAST = os.environ | {"COMPRESSION": "none"}
FAST_TAGS = "uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball"


def built(program: str, folder: pathlib.Path, revision: int) -> pathlib.Path:
    """A package of the program at hand."""
    script = ROOT / "packaging/debian/build.sh"
    return pathlib.Path(run(script, program, folder, revision, env=FAST).strip())


class Package:
    """One life of a package; what differs is said by the classes below."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.temporary = tempfile.TemporaryDirectory(prefix="airiskguard-package-")
        cls.folder = pathlib.Path(cls.temporary.name)
        # The package's user gets there, too.
        cls.folder.chmod(0o755)
        cls.first, cls.second = built(cls.program, cls.folder, 1), built(cls.program, cls.folder, 2)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.temporary.cleanup()

    def setUp(self) -> None:
        self.machine = self.folder / self.id().rsplit(".", 1)[1]
        for part in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc"):
            (self.machine / part).mkdir(parents=True)
        (self.machine / "var/lib/dpkg/status").touch()
        self.config = self.machine / "etc/airiskguard" / self.configuration
        self.installed = self.machine / "usr/bin" / self.name
        self.state = self.machine / "var/lib" / self.state_name

    def dpkg(self, *arguments: object) -> str:
        """dpkg, for this machine; its maintainer scripts run outside and are told where it is."""
        where = ["--root", self.machine, "--force-script-chrootless", "--force-depends", "--force-not-root"]
        if not os.access("/var/log/dpkg.log", os.W_OK):
            where += ["--log", self.machine / "dpkg.log"]
        if os.geteuid() != 0 and not (self.folder / "fakeroot.state").exists():
            (self.folder / "fakeroot.state").touch()
        path = {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        return run(*as_root("dpkg", *where, *arguments), cwd=self.folder, env=os.environ | path)

    def owner(self, path: str) -> str:
        """Who a file belongs to, and what they may do with it."""
        return run(*as_root("stat", "--format", "%u:%g %a", self.machine / path), cwd=self.folder).strip()

    def test_lintian_has_nothing_to_say(self) -> None:
        """Errors and warnings, less those with a reason in the overrides."""
        run("lintian", "--allow-root", "--fail-on", "error,warning", "--suppress-tags", FAST_TAGS, self.first)

    def test_the_control_file_fits_what_is_inside(self) -> None:
        """Version, and a package for every library that the program asks for."""
        version = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
        fields = dict(line.split(": ", 1) for line in run("dpkg-deb", "--field", self.first).splitlines() if ": " in line)
        self.assertEqual(fields["Version"], f"{version}-1")
        depends = {it.split()[0] for it in fields["Depends"].split(", ")}
        needed = set(re.findall(r"NEEDED\s+(\S+)", run("objdump", "-p", self.program)))
        path = {it.split()[0]: it.split()[2] for it in run("ldd", self.program).splitlines() if "=>" in it}
        for library in needed & path.keys():
            # The linker says where it is under the name before /usr was one folder, dpkg knows either.
            owners = {self.package_of(it) for it in (path[library], f"/usr{path[library]}", str(pathlib.Path(path[library]).resolve()))}
            self.assertTrue(owners & depends, f"{library} is of {owners}, and `Depends:` names none of them")

    @staticmethod
    def package_of(path: str) -> str | None:
        """The package that a file came with, if there is one."""
        done = subprocess.run(["dpkg-query", "--search", path], capture_output=True, text=True)
        return done.stdout.split(":")[0] if done.returncode == 0 else None

    def test_the_same_input_gives_the_same_package(self) -> None:
        """Byte for byte."""
        other = self.folder / "again"
        other.mkdir()
        self.assertEqual(built(self.program, other, 1).read_bytes(), self.first.read_bytes())

    def test_a_life(self) -> None:
        """From the first installation to the purge."""
        told = self.dpkg("--install", self.first)
        self.assertIn("systemctl enable --now", told)
        users = (self.machine / "etc/passwd").read_text()
        number, group = re.search(r"^airiskguard:[^:]*:(\d+):(\d+):", users, re.MULTILINE).groups()
        self.assertNotEqual(number, "0")
        self.assertEqual(self.owner("etc/airiskguard"), f"0:{group} 750")
        self.assertEqual(self.owner(f"etc/airiskguard/{self.configuration}"), f"0:{group} 640")
        self.assertEqual(self.config.read_text(), (ROOT / "conf" / self.configuration).read_text())
        # The user's commands have a place before the unit's first start.
        self.assertEqual(self.owner(f"var/lib/{self.state_name}"), f"{number}:{group} 700")

        changed = self.config.read_text().replace("127.0.0.1:9090", f"127.0.0.1:{free_port()}") + "# ours\n"
        self.config.write_text(changed)
        self.run_as_the_unit_does(number, group)

        told = self.dpkg("--install", self.second)
        self.assertNotIn("systemctl enable --now", told)
        self.assertEqual(self.config.read_text(), changed, "an upgrade keeps what was changed")
        self.assertEqual(self.owner(f"etc/airiskguard/{self.configuration}"), f"0:{group} 640")

        self.dpkg("--remove", self.name)
        self.assertFalse(self.installed.exists())
        self.assertEqual(self.config.read_text(), changed)
        told = self.dpkg("--purge", self.name)
        self.assertFalse(self.config.parent.exists())
        self.assertIn(f"/var/lib/{self.state_name} holds the", told)
        self.assertTrue((self.state / "keys").is_dir())

    def test_what_was_never_used_leaves_nothing(self) -> None:
        """A folder without anything in it is no evidence."""
        self.dpkg("--install", self.first)
        told = self.dpkg("--purge", self.name)
        self.assertNotIn("was left", told)
        self.assertFalse(self.state.exists())

    def run_as_the_unit_does(self, user: str, group: str) -> None:
        """Its command line, user and folder, on a free port."""
        unit = (self.machine / "usr/lib/systemd/system" / f"{self.name}.service").read_text()
        words = re.search(r"^ExecStart=(.+)$", unit, re.MULTILINE).group(1).split()
        self.assertEqual(re.search(r"^StateDirectory=(.+)$", unit, re.MULTILINE).group(1), self.state_name)
        self.assertEqual(re.search(r"^User=(.+)$", unit, re.MULTILINE).group(1), "airiskguard")
        command = [str(self.machine / word.lstrip("/")) if word.startswith("/") else word for word in words]
        ports = self.state / "ports"
        command += ["--host", "127.0.0.1", "--port", "0", "--port-file", str(ports)]
        running = Running(as_user(user, group, *command), ports, env={"STATE_DIRECTORY": str(self.state)})
        try:
            main, *more = running.addresses
            self.assertEqual(running.ask("GET", main, "/healthz")[0], 200)
            self.assertEqual(running.ask("GET", more[0] if more else main, "/readyz")[0], 200)
        finally:
            code = running.stop()
        self.assertEqual(code, 0)
        self.assertTrue((self.state / self.database).exists())

    def test_the_units_are_sound_where_they_are_installed(self) -> None:
        """systemd reads them, and finds the service well locked up."""
        self.dpkg("--install", self.first)
        units = self.machine / "usr/lib/systemd/system"
        text = (units / f"{self.name}.service").read_text()
        self.assertIn(f"ExecStart=/usr/bin/{self.name} ", text)
        self.assertNotIn("/usr/local", text)
        shown = run("systemd-analyze", "security", "--offline=true", "--threshold=15", units / f"{self.name}.service")
        self.assertIn("Overall exposure level", shown)
        # Only that the unit's program exists on this machine cannot be asked: it is on the small one.
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units.iterdir()], capture_output=True, text=True)
        ours = [line for line in done.stderr.splitlines() if self.name in line and "is not executable" not in line]
        self.assertEqual(ours, [])

    def test_the_page_is_one_that_man_can_show(self) -> None:
        """Without a warning, and with the options in it."""
        self.dpkg("--install", self.first)
        page = self.machine / f"usr/share/man/man1/{self.name}.1.gz"
        text = run("gunzip", "--stdout", page)
        self.assertIn("\\-\\-config", text)
        if shutil.which("groff"):
            done = subprocess.run(["groff", "-man", "-ww", "-Tutf8"], input=text, capture_output=True, text=True)
            self.assertEqual(done.stderr, "")


class Gateway(Package, unittest.TestCase):
    """The gateway's."""

    name, program, configuration = "airiskguard-gateway", GATEWAY, "gateway.yaml"
    state_name, database = "airiskguard", "audit.db"


class PolicyServer(Package, unittest.TestCase):
    """The policy server's."""

    name, program, configuration = "airiskguard-policy-server", POLICY_SERVER, "policy-server.yaml"
    state_name, database = "airiskguard-control", "control.db"

    def test_the_token_of_the_first_run_is_for_few(self) -> None:
        """It is in the folder, and does not go to the journal."""
        self.dpkg("--install", self.first)
        unit = (self.machine / "usr/lib/systemd/system" / f"{self.name}.service").read_text()
        self.assertIn("StandardOutput=null", unit.splitlines())


if __name__ == "__main__":
    unittest.main()
