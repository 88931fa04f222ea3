"""The Debian package: built, installed into an empty machine, run, changed, upgraded, removed, purged."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from machines import BINARY, ROOT, Running, as_root, free_port, run

NAME = "airiskguard-gateway"
# Time counts more than size here, and lintian is told so.
FAST = os.environ | {"COMPRESSION": "none"}
FAST_TAGS = "uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball"


def built(folder: pathlib.Path, revision: int) -> pathlib.Path:
    """A package of the binary at hand."""
    script = ROOT / "packaging/debian/build.sh"
    return pathlib.Path(run(script, BINARY, folder, revision, env=FAST).strip())


class Package(unittest.TestCase):
    """One life of a package."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.temporary = tempfile.TemporaryDirectory(prefix="airiskguard-package-")
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.first, cls.second = built(cls.folder, 1), built(cls.folder, 2)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.temporary.cleanup()

    def setUp(self) -> None:
        self.machine = self.folder / self.id().rsplit(".", 1)[1]
        for part in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc"):
            (self.machine / part).mkdir(parents=True)
        (self.machine / "var/lib/dpkg/status").touch()
        self.config = self.machine / "etc/airiskguard/gateway.yaml"
        self.program = self.machine / "usr/bin" / NAME

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
        """Version, and every library that the program asks for."""
        version = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
        fields = dict(line.split(": ", 1) for line in run("dpkg-deb", "--field", self.first).splitlines() if ": " in line)
        self.assertEqual(fields["Version"], f"{version}-1")
        needed = set(re.findall(r"NEEDED\s+(\S+)", run("objdump", "-p", BINARY)))
        known = {"libc.so.6", "libm.so.6", "libgcc_s.so.1"} | {it for it in needed if it.startswith("ld-linux")}
        self.assertLessEqual(needed, known, "a library that `Depends:` does not name")

    def test_the_same_input_gives_the_same_package(self) -> None:
        """Byte for byte."""
        other = self.folder / "again"
        other.mkdir()
        self.assertEqual(built(other, 1).read_bytes(), self.first.read_bytes())

    def test_a_life(self) -> None:
        """From the first installation to the purge."""
        told = self.dpkg("--install", self.first)
        self.assertIn("systemctl enable --now", told)
        users = (self.machine / "etc/passwd").read_text()
        number, group = re.search(r"^airiskguard:[^:]*:(\d+):(\d+):", users, re.MULTILINE).groups()
        self.assertNotEqual(number, "0")
        self.assertEqual(self.owner("etc/airiskguard"), f"0:{group} 750")
        self.assertEqual(self.owner("etc/airiskguard/gateway.yaml"), f"0:{group} 640")
        self.assertEqual(self.config.read_text(), (ROOT / "conf/gateway.yaml").read_text())

        changed = self.config.read_text().replace("127.0.0.1:9090", f"127.0.0.1:{free_port()}") + "# ours\n"
        self.config.write_text(changed)
        self.run_as_the_unit_does()

        told = self.dpkg("--install", self.second)
        self.assertNotIn("systemctl enable --now", told)
        self.assertEqual(self.config.read_text(), changed, "an upgrade keeps what was changed")
        self.assertEqual(self.owner("etc/airiskguard/gateway.yaml"), f"0:{group} 640")

        self.dpkg("--remove", NAME)
        self.assertFalse(self.program.exists())
        self.assertEqual(self.config.read_text(), changed)
        told = self.dpkg("--purge", NAME)
        self.assertFalse(self.config.parent.exists())
        self.assertIn("/var/lib/airiskguard holds the audit log", told)
        self.assertTrue((self.machine / "var/lib/airiskguard/keys").is_dir())

    def run_as_the_unit_does(self) -> None:
        """Its command line and folder, on a free port."""
        unit = (self.machine / "usr/lib/systemd/system" / f"{NAME}.service").read_text()
        words = re.search(r"^ExecStart=(.+)$", unit, re.MULTILINE).group(1).split()
        state = self.machine / "var/lib" / re.search(r"^StateDirectory=(.+)$", unit, re.MULTILINE).group(1)
        command = [str(self.machine / word.lstrip("/")) if word.startswith("/") else word for word in words]
        ports = self.folder / "ports"
        running = Running([*command, "--host", "127.0.0.1", "--port", "0", "--port-file", str(ports)], ports, env={"STATE_DIRECTORY": str(state)})
        try:
            main, admin = running.addresses
            self.assertEqual(running.ask("GET", main, "/healthz")[0], 200)
            self.assertEqual(running.ask("GET", admin, "/readyz")[0], 200)
        finally:
            code = running.stop()
        self.assertEqual(code, 0)
        self.assertTrue((state / "audit.db").exists())

    def test_the_units_are_sound_where_they_are_installed(self) -> None:
        """systemd reads them, and finds the service well locked up."""
        self.dpkg("--install", self.first)
        units = self.machine / "usr/lib/systemd/system"
        text = (units / f"{NAME}.service").read_text()
        self.assertIn(f"ExecStart=/usr/bin/{NAME} ", text)
        self.assertNotIn("/usr/local", text)
        shown = run("systemd-analyze", "security", "--offline=true", "--threshold=15", units / f"{NAME}.service")
        self.assertIn("Overall exposure level", shown)
        # Only that the unit's program exists on this machine cannot be asked: it is on the small one.
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units.iterdir()], capture_output=True, text=True)
        ours = [line for line in done.stderr.splitlines() if NAME in line and "is not executable" not in line]
        self.assertEqual(ours, [])

    def test_the_page_is_one_that_man_can_show(self) -> None:
        """Without a warning, and with the options in it."""
        self.dpkg("--install", self.first)
        page = self.machine / f"usr/share/man/man1/{NAME}.1.gz"
        text = run("gunzip", "--stdout", page)
        self.assertIn("\\-\\-config", text)
        if shutil.which("groff"):
            done = subprocess.run(["groff", "-man", "-ww", "-Tutf8"], input=text, capture_output=True, text=True)
            self.assertEqual(done.stderr, "")


if __name__ == "__main__":
    unittest.main()
