"""A PostgreSQL server of its own, from the Debian package, reached through a socket in its own folder."""

import os
import pathlib
import shutil
import subprocess

# It refuses to run as root.
USERS = ("postgres", "nobody")


class Postgres:
    """One cluster with the database `control`; a context manager that leaves nothing running."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.programs = programs()
        self.owner = [] if os.geteuid() else as_another(folder)

    def __enter__(self) -> "Postgres":
        self.run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D", self.data)
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as settings:
            settings.write(f"listen_addresses = ''\nunix_socket_directories = '{self.folder}'\n")
        self.start()
        self.run("createdb", "-U", "postgres", "-h", self.folder, "control")
        return self

    def __exit__(self, *_: object) -> None:
        self.control("stop", "-m", "immediate", check=False)

    @property
    def url(self) -> str:
        """What a store is named by."""
        return f"postgres://postgres@localhost/control?host={self.folder}"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self.control("start")

    def stop_at_once(self) -> None:
        """Stops it as a crash does: it recovers at the next start."""
        self.control("stop", "-m", "immediate")

    def restart_at_once(self) -> None:
        """Crashes it and starts it again."""
        self.control("restart", "-m", "immediate")

    def ask(self, sql: str) -> list[list[str]]:
        """The rows of an answer, by a program that is not ours."""
        told = self.run("psql", "-U", "postgres", "-h", self.folder, "-d", "control", "-A", "-t", "-F", "\t", "-c", sql)
        return [line.split("\t") for line in told.splitlines()]

    def control(self, *words: str, check: bool = True) -> None:
        """Runs `pg_ctl` and waits for what it does."""
        self.run("pg_ctl", "-w", "-t", "120", "-D", self.data, "-l", self.folder / "log", *words, check=check)

    def run(self, program: str, *arguments: object, check: bool = True) -> str:
        """Runs one of its programs and gives what it prints."""
        command = [*self.owner, self.programs / program, *arguments]
        # What is started in the background keeps the output open: it goes to a file.
        with open(self.folder / "said", "w+", encoding="utf-8") as said:
            done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, cwd="/")
            said.seek(0)
            text = said.read()
        if check and done.returncode != 0:
            raise RuntimeError(f"{program} ended with {done.returncode}\n{text}")
        return text


def programs() -> pathlib.Path:
    """The folder with `initdb` and the others: Debian keeps them off the PATH, by version."""
    versions = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda it: -int(it.parent.name))
    found = versions or [pathlib.Path(it).parent for it in [shutil.which("initdb")] if it]
    if not found:
        raise SystemExit("PostgreSQL is missing: install the Debian package postgresql (.ci/install test does)")
    return found[0]


def as_another(folder: pathlib.Path) -> list[str]:
    """Gives the folder to another user, and the words that run a program as that one."""
    known = {line.split(":")[0] for line in pathlib.Path("/etc/passwd").read_text(encoding="utf-8").splitlines()}
    user = next(it for it in USERS if it in known)
    group = "nogroup" if user == "nobody" else user
    shutil.chown(folder, user, group)
    return ["setpriv", "--reuid", user, "--regid", group, "--clear-groups"]
