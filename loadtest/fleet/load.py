"""Requests through all gateways at once, each with a marker, and the records of exactly these."""

import collections
import json
import threading
import time

from world import Gateway, Missed, World, wait_for


class Load:
    """What one stretch of load has sent. Every request is a session of its own: that is its marker in the records."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.sent: collections.Counter[str] = collections.Counter()
        self.failed: list[str] = []
        self.seconds = 0.0
        self.lock = threading.Lock()

    def run(self, requests: int | None = None, meanwhile=None) -> "Load":
        """Sends so many, or as many as go beside what is done meanwhile."""
        stop = threading.Event()
        each = None if requests is None else -(-requests // len(self.world.gateways))
        threads = [threading.Thread(target=self.send, args=(it, each, stop)) for it in self.world.gateways]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        try:
            if meanwhile:
                meanwhile()
        finally:
            if requests is None:
                stop.set()
            for thread in threads:
                thread.join()
        self.seconds = time.monotonic() - begun
        return self

    def send(self, gateway: Gateway, each: int | None, stop: threading.Event) -> None:
        """One client of one gateway."""
        number = 0
        while not stop.is_set() and (each is None or number < each):
            marker = f"{self.name}-{gateway.folder.name}-{number:06}"
            status, text = gateway.ask(self.world.key, session=marker)
            with self.lock:
                self.sent[marker] += 1
                if status != 200:
                    self.failed.append(f"{marker}: {status} {text[:200]!r}")
            number += 1

    def in_database(self) -> tuple[int, int]:
        """Records with these markers, and markers among them, by PostgreSQL's own client."""
        sql = f"SELECT count(*), count(DISTINCT session) FROM audit_records WHERE kind = 'exchange' AND session LIKE '{self.name}-%'"
        count, different = self.world.postgres.ask(sql)[0]
        return int(count), int(different)

    def lacking(self) -> str:
        """Whose records are not there, and what these gateways said last."""
        sql = f"SELECT session FROM audit_records WHERE kind = 'exchange' AND session LIKE '{self.name}-%'"
        there = collections.Counter(row[0] for row in self.world.postgres.ask(sql))
        lacks = collections.Counter(marker.rsplit("-", 1)[0].removeprefix(f"{self.name}-") for marker in (self.sent - there).elements())
        said = {it.folder.name: (it.folder / "log").read_text(encoding="utf-8", errors="replace").splitlines() for it in self.world.gateways}
        warnings = {name: [line for line in said[name] if '"level":"INFO"' not in line][-8:] for name in lacks}
        return f"lacking of each: {dict(lacks)}; their last warnings: {warnings}"

    def arrive(self) -> float:
        """Waits until as many records are there as requests were sent; how long that took."""
        begun, wanted = time.monotonic(), sum(self.sent.values())
        try:
            wait_for("", lambda: self.in_database()[0] >= wanted, every=0.5)
        except Missed:
            raise Missed(f"{wanted} requests were sent, (records, markers) are {self.in_database()}; {self.lacking()}") from None
        return time.monotonic() - begun

    def check(self) -> str:
        """That no request failed and each is there exactly once, by the server's own export."""
        if self.failed:
            raise Missed(f"{len(self.failed)} of {sum(self.sent.values())} requests failed: {self.failed[:3]}")
        status, text = self.world.server.ask("GET", "/api/v1/audit/export")
        if status != 200:
            raise Missed(f"the export answers {status}")
        found, rows = collections.Counter(), collections.Counter()
        for line in text.splitlines():
            record = json.loads(line)["record"]
            rows[record["gateway"], record["sequence"]] += 1
            session = record.get("exchange", {}).get("session") or ""
            if session.startswith(f"{self.name}-"):
                found[session] += 1
        twice = [it for it, count in rows.items() if count > 1]
        if twice:
            raise Missed(f"rows are there twice: {twice[:3]}")
        if found != self.sent:
            lost, more = self.sent - found, found - self.sent
            raise Missed(f"{sum(lost.values())} records are lost, {sum(more.values())} too many: {list(lost)[:3]} {list(more)[:3]}")
        return f"{sum(self.sent.values()):,} requests, each recorded once"


def verified(world: World) -> str:
    """The server's own verification of all chains."""
    path = "/api/v1/audit/verifications"
    begun = world.server.call("POST", path)
    done = wait_for("the verification ends", lambda: ended(world.server.call("GET", f"{path}/{begun['id']}")))
    if done["state"] != "done" or done["faults"]:
        raise Missed(f"the verification is {done['state']}: {done['faults'][:3]}")
    names = {it.name for it in world.gateways}
    proven = {it["gateway"] for it in done["chains"] if it["enrolled_key"]}
    if names - proven:
        read = [it for it in done["chains"] if it["gateway"] in names - proven]
        raise Missed(f"no chain was verified with the key of {sorted(names - proven)}; of these were read {read}; still waiting: {done['waiting']}")
    return f"{len(done['chains'])} chains, {done['rows']:,} rows, no fault"


def ended(verification: dict) -> dict | None:
    """A verification that does not run any more."""
    return None if verification["state"] == "running" else verification
