"""What conf/k8s/policy-server rests on: two policy servers over one PostgreSQL and one master key are one to whoever asks."""

import contextlib
import itertools
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / it) for it in ("packaging", "clients")]

from machines import GATEWAY, POLICY_SERVER, Owner, Running, as_user, free_port, prompt, run, wait_for  # noqa: E402

import provider  # noqa: E402  (the loopback provider)


class Postgres:
    """A server in a folder, reached through a socket there; root starts it as somebody else, as it refuses root."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        folder.mkdir()
        programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        # `nobody`, and its group.
        user = lambda *words: as_user("65534", "65534", *words)  # noqa: E731
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
        more = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D", folder / "data")
        run(*user(programs / "initdb", *more), cwd="/")
        settings = itertools.chain(*(("-c", it) for it in ("listen_addresses=", "fsync=off", "shared_buffers=64MB")))
        words = user(programs / "postgres", "-D", folder / "data", "-k", folder, *settings)
        self.child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        ready = [str(programs / "pg_isready"), "--quiet", f"--host={folder}"]
        wait_for("PostgreSQL is ready", lambda: subprocess.run(ready).returncode == 0)

    def url(self) -> str:
        """The address of its database."""
        return f"postgres://postgres@localhost/postgres?host={self.folder}&sslmode=disable"

    def stop(self) -> None:
        """At once."""
        self.child.terminate()
        try:
            self.child.wait(20)
        finally:
            self.child.kill()


class Service:
    """What a Service does: each connection goes to the next of those behind it that accepts it."""

    def __init__(self, backends: list[int]) -> None:
        self.backends, self.turn = backends, itertools.count()
        self.taken = {port: 0 for port in backends}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        """Until nobody needs it."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        """One connection."""
        first = next(self.turn)
        with client:
            for step in range(len(self.backends)):
                port = self.backends[(first + step) % len(self.backends)]
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as server:
                    self.taken[port] += 1
                    asking = threading.Thread(target=self.pass_on, args=(client, server), daemon=True)
                    asking.start()
                    self.pass_on(server, client)
                    asking.join()
                    return

    @staticmethod
    def pass_on(source: socket.socket, target: socket.socket) -> None:
        """One direction, and its end, which ends the other one, too."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for it in (source, target):
            with contextlib.suppress(OSError):
                it.shutdown(socket.SHUT_RDWR)


class TwoServers(unittest.TestCase):
    """Everything is asked of one, and answered by the other."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="airiskguard-two-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.folder.chmod(0o755)
        postgres = Postgres(self.folder / "postgres")
        self.addCleanup(postgres.stop)
        (self.folder / "store").write_text(postgres.url())
        self.ports = [free_port(), free_port()]

    def start(self, number: int) -> Running:
        """One of the servers, as the overlay does: store from a file, master key and port from the environment."""
        folder = self.folder / f"server-{number}"
        folder.mkdir(exist_ok=True)
        (folder / "policy-server.yaml").write_text(f"public_url: http://127.0.0.1:8090\nstore: 'file:{self.folder}/store'\n")
        environment = {"AIRISKGUARD_MASTER_KEY": "7" * 64, "AIRISKGUARD_POLICY_SERVER_PORT": str(self.ports[number])}
        ports = folder / "ports"
        ports.unlink(missing_ok=True)
        words = ["--data-dir", str(folder / "data"), "--config", str(folder / "policy-server.yaml"), "--port-file", str(ports)]
        running = Running([POLICY_SERVER, *words], ports, env=environment)
        self.addCleanup(lambda: running.child.poll() is None and running.stop())
        return running

    def test_what_one_is_told_the_other_knows(self) -> None:
        """Sign-in, keys, enrolment, bundles and records; and either goes on alone."""
        first, second = self.start(0), self.start(1)
        self.assertEqual([it.ask("GET", it.addresses[0], "/readyz")[0] for it in (first, second)], [200, 200])
        urls = [f"http://127.0.0.1:{port}" for port in self.ports]
        # The token of the server that started last, shown to the other.
        owner = Owner(urls[0], (self.folder / "server-1/data/setup-token").read_text())
        owner.connect(provider.start(provider.Memory())[0])
        owner.url = urls[1]
        self.assertEqual(owner.get("/api/v1/teams")[0]["name"], "red")
        key, token = owner.key("anna"), owner.invite()

        service = Service(self.ports)
        self.addCleanup(service.listener.close)
        config, ports, state = self.folder / "gateway.yaml", self.folder / "ports", {"STATE_DIRECTORY": str(self.folder / "state")}
        admin = f"127.0.0.1:{free_port()}"
        config.write_text(f"control: {{server: 'http://127.0.0.1:{service.port}', poll: 1s}}\nadmin: {{listen: '{admin}'}}\n")
        run(GATEWAY, "enroll", "--config", config, "--token", token, env=state)
        words = [GATEWAY, "--config", str(config), "--host", "127.0.0.1", "--port", "0", "--port-file", str(ports)]
        gateway = Running(words, ports, env=state)
        self.addCleanup(gateway.stop)
        asked = lambda key: prompt(gateway.addresses[0], key, "hello")[0] == 200  # noqa: E731
        wait_for("the gateway serves", lambda: asked(key))
        for url in urls:
            owner.url = url
            wait_for("the record is there", lambda: owner.get("/api/v1/records")["records"])
        self.assertEqual(first.stop(), 0)
        owner.url = urls[1]
        more = owner.key("ben")
        wait_for("a key that the second one gave holds", lambda: asked(more))
        first = self.start(0)
        self.assertEqual(second.stop(), 0)
        owner.url = urls[0]
        last = owner.key("carla")
        wait_for("a key that the first one gave holds", lambda: asked(last))
        wait_for("all records are there", lambda: len(owner.get("/api/v1/records")["records"]) >= 3)
        (told,) = owner.get("/api/v1/gateways")
        self.assertIsNone(told["arrival"], "records were refused")
        self.assertGreater(min(service.taken.values()), 0, "both were asked")


if __name__ == "__main__":
    unittest.main()
