"""The policy server's certificate is renewed as certificate managers do it: the files change, nobody restarts anything."""

import pathlib
import ssl
import tempfile
import unittest

from machines import POLICY_SERVER, Running, run, wait_for


class Certificate(unittest.TestCase):
    """What callers are shown, before and after."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="airiskguard-certificate-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.cert, self.key = self.folder / "live.pem", self.folder / "live.key"

    def put(self, name: str) -> None:
        """Another certificate in the place of the one that is there."""
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", key, "-out", cert)
        cert.rename(self.cert)
        key.rename(self.key)

    def test_a_new_one_is_shown_without_a_restart_and_a_bad_one_is_not(self) -> None:
        self.put("first")
        ports = self.folder / "ports"
        command = [POLICY_SERVER, "--port", "0", "--data-dir", str(self.folder / "data"), "--port-file", str(ports)]
        running = Running([*command, "--tls-cert", str(self.cert), "--tls-key", str(self.key)], ports)
        self.addCleanup(running.stop)
        port = int(running.addresses[0].rsplit(":", 1)[1])
        self.assertIn(f"first run: open https://localhost:{port}/setup?token=", running.log(), "where it listens, as nobody said another")
        first = ssl.get_server_certificate(("127.0.0.1", port))
        self.cert.write_text("not a certificate")
        wait_for("the log says that it is refused", lambda: "new certificate refused" in running.log())
        self.assertEqual(ssl.get_server_certificate(("127.0.0.1", port)), first)
        self.put("second")
        wait_for("the new one is shown", lambda: ssl.get_server_certificate(("127.0.0.1", port)) != first)


if __name__ == "__main__":
    unittest.main()
