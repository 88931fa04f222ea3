"""A second gateway in five commands, as README.md and the dashboard tell them: typed one after the other."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from machines import GATEWAY, ROOT, run


class Enrolment(unittest.TestCase):
    """From the package to a request that is recorded on the policy server."""

    @unittest.skipUnless(os.geteuid() == 0, "machines of their own need root")
    def test_the_five_commands_make_a_gateway(self) -> None:
        """Of README.md, and of the page; see enrolment.py."""
        with tempfile.TemporaryDirectory(prefix="airiskguard-package-") as folder:
            package = run(ROOT / "packaging/debian/build.sh", GATEWAY, folder, env=os.environ | {"COMPRESSION": "none"}).strip()
            spaces = ["unshare", "--mount", "--net", "--propagation", "private"]
            script = pathlib.Path(__file__).parent / "enrolment.py"
            done = subprocess.run([*spaces, sys.executable, str(script), package], capture_output=True, text=True, timeout=900)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
