"""What must hold of a fleet, each a function that gives rows of the table: what, how it went, whether it holds."""

import itertools
import statistics
import time

from clocks import wrong_clocks
from line import CLOSED, SILENT, WHOLE
from load import Load, verified
from table import Row, quarantine, states
from world import Missed, SECRET_TEXT, World, reload_cost, wait_for

# A change is to be live everywhere within this.
LIVE_SECONDS_MAX = 6.0


def took(what: str, rounds: list[float], bounded: bool) -> Row:
    """How long changes took until the last gateway answered by them."""
    listed = ", ".join(f"{it:.1f}" for it in rounds)
    told = f"{listed} s (median {statistics.median(rounds):.1f}, longest {max(rounds):.1f}; at most {LIVE_SECONDS_MAX:.0f})"
    return Row(what, told, not bounded or max(rounds) < LIVE_SECONDS_MAX)


def published(world: World) -> list[Row]:
    """A policy changes what becomes of a prompt: redacted, blocked, and back."""
    rounds = []
    for number in range(world.arguments.rounds):
        # `begin` has published the second.
        action, status = [("block", 400), ("redact", 200)][number % 2]
        begun = time.monotonic()
        world.publish(action)
        live = world.until_all(f"{action} is not in force", lambda it: it.ask(world.key, SECRET_TEXT)[0] == status)
        rounds.append(max(live) - begun)
    return [took("a published policy, until the last gateway answers by it", rounds, world.arguments.bounded)]


def revoked(world: World) -> list[Row]:
    """A key is made, and taken back."""
    made, ended = [], []
    for number in range(max(1, world.arguments.rounds // 2)):
        begun = time.monotonic()
        key = world.new_key(f"round-{number}")
        made.append(max(world.until_all("a new key is not known", lambda it: it.ask(key["key"])[0] == 200)) - begun)
        begun = time.monotonic()
        world.server.call("DELETE", f"/api/v1/keys/{key['id']}")
        ended.append(max(world.until_all("a key is not taken back", lambda it: it.ask(key["key"])[0] == 401)) - begun)
    bounded = world.arguments.bounded
    return [took("a new key, until the last gateway takes it", made, bounded), took("a revoked key, until the last gateway refuses it", ended, bounded)]


def quarantined(world: World) -> list[Row]:
    """A session is kept out, and let in again."""
    kept_out, let_in = [], []
    for number in range(max(1, world.arguments.rounds // 2)):
        session = f"kept-out-{number}"
        begun = time.monotonic()
        reference = quarantine(world, session)
        live = world.until_all("a session is not kept out", lambda it: it.ask(world.key, session=session)[0] == 400)
        kept_out.append(max(live) - begun)
        if any(it.ask(world.key, session="another")[0] != 200 for it in world.gateways):
            raise Missed("another session is kept out, too")
        begun = time.monotonic()
        world.server.call("POST", f"/api/v1/quarantines/{reference}/release", {"reason": "it was a test"})
        live = world.until_all("a session is not let in again", lambda it: it.ask(world.key, session=session)[0] == 200)
        let_in.append(max(live) - begun)
    bounded = world.arguments.bounded
    return [took("a quarantine, until the last gateway refuses the session", kept_out, bounded), took("its release", let_in, bounded)]


def recorded(world: World) -> list[Row]:
    """All gateways ship at once."""
    load = Load(world, "calm").run(requests=world.arguments.requests)
    waited = load.arrive()
    told = f"{load.check()}; {sum(load.sent.values()) / load.seconds:,.0f} requests/s, the last record {waited:.1f} s after the last answer"
    return [Row("records of all gateways at once", told), Row("chains", verified(world))]


def database_restarts(world: World) -> list[Row]:
    """The database crashes under the server, and comes back; later it stays away for a while."""

    def restart() -> None:
        time.sleep(2)
        world.postgres.restart_at_once()
        time.sleep(2)

    def stay_away() -> None:
        time.sleep(1)
        world.postgres.stop_at_once()
        time.sleep(world.arguments.outage)
        if world.server.ask("GET", "/api/v1/gateways")[0] < 500:
            raise Missed("without its database the server shows gateways all the same")
        world.postgres.start()
        time.sleep(2)

    rows = [during(world, "away", f"PostgreSQL away for {world.arguments.outage} s under load", stay_away)]
    if not world.arguments.short:
        rows.append(during(world, "crash", "PostgreSQL restarted under load (`pg_ctl restart -m immediate`)", restart))
    return rows


def server_restarts(world: World) -> list[Row]:
    """The server is killed, stays away, and is started again."""

    def restart() -> None:
        time.sleep(1)
        world.server.kill()
        time.sleep(world.arguments.outage)
        world.server.start()
        time.sleep(2)

    return [during(world, "killed", f"policy server killed (SIGKILL) under load, started {world.arguments.outage} s later", restart)]


def during(world: World, name: str, what: str, trouble) -> Row:
    """Load while there is trouble: every request is answered, every record arrives once, and publishing goes on."""
    load = Load(world, name).run(meanwhile=trouble)
    waited = load.arrive()
    told = load.check()
    key = world.new_key(name)
    world.until_all("after it a new key is not known", lambda it: it.ask(key["key"])[0] == 200)
    return Row(what, f"{told}, none failed; all arrived {waited:.1f} s after the load; {verified(world)}; publishing goes on")


def damaged(world: World) -> list[Row]:
    """Without the server one gateway is started from the bundle on its disk, another finds that damaged."""
    whole, broken = world.gateways[:2]
    world.server.kill()
    whole.stop()
    broken.stop()
    kept = broken.folder / "airiskguard-data/bundle.json"
    text = kept.read_text(encoding="utf-8")
    at = text.index('"signature":"') + len('"signature":"')
    kept.write_text(text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1 :], encoding="utf-8")
    whole.start()
    broken.start()
    world.until_all("it does not start from its bundle", lambda it: it.ask(world.key)[0] == 200, [whole])
    world.until_all("with a damaged bundle it does not say so", lambda it: it.ask(world.key)[0] == 529, [broken])
    if any(it.ask(world.key)[0] != 200 for it in world.gateways if it is not broken):
        raise Missed("others do not serve on")
    begun = time.monotonic()
    world.server.start()
    world.until_all("it does not get a whole bundle", lambda it: it.ask(world.key)[0] == 200, [broken])
    told = f"one started from its bundle, one with a damaged bundle served nobody until {time.monotonic() - begun:.0f} s after the server was started"
    return [Row("gateways restarted while the server is away", told)]


def cut_off(world: World) -> list[Row]:
    """The network to two gateways is cut: one is refused, of the other nothing is heard."""
    refused, silent = world.gateways[-2], world.gateways[-1]
    cut, others = [refused, silent], world.gateways[:-2]
    wait_for("not all gateways are in step before", lambda: states(world) == {it.name: "in step" for it in world.gateways}, every=1)
    world.line.set(CLOSED)
    world.silent_line.set(SILENT)
    begun = time.monotonic()
    key = world.new_key("behind-the-cut")
    world.until_all("a new key is not known", lambda it: it.ask(key["key"])[0] == 200, others)
    for gateway in cut:
        if (gateway.ask(world.key)[0], gateway.ask(key["key"])[0]) != (200, 401):
            raise Missed(f"{gateway.folder.name} does not serve on with what it has")
    load = Load(world, "cut").run(requests=20 * len(world.gateways))
    wanted = {it.name: "away" if it in cut else "in step" for it in world.gateways}
    wait_for(f"the page tells {states(world)} instead of {wanted}", lambda: states(world) == wanted, every=0.5)
    told_after = time.monotonic() - begun
    stays(world, wanted)
    reports = world.reports()
    newest = max(it["report"]["generation"] for it in reports.values())
    if any(reports[it.name]["report"]["generation"] >= newest for it in cut):
        raise Missed("a gateway that is cut off is said to run on the newest generation")
    world.line.set(WHOLE)
    world.silent_line.set(WHOLE)
    begun = time.monotonic()
    world.until_all("behind the cut the key is not known", lambda it: it.ask(key["key"])[0] == 200, cut)
    wait_for("the page does not say that all are in step", lambda: set(states(world).values()) == {"in step"}, every=0.5)
    mended = time.monotonic() - begun
    load.arrive()
    wait_for("records are said to be behind", lambda: all(it["report"]["records_behind"] == 0 for it in world.reports().values()))
    told = f"served on; the page said so after {told_after:.0f} s, of no other; in step {mended:.0f} s after it was mended; {load.check()}"
    return [Row("two gateways cut off, one refused and one unheard", told), Row("chains after the cut", verified(world))]


def stays(world: World, wanted: dict[str, str]) -> None:
    """What the page says does not change while nothing does."""
    end = time.monotonic() + world.arguments.watch
    while time.monotonic() < end:
        if states(world) != wanted:
            raise Missed(f"while nothing changes the page says {states(world)}")
        time.sleep(1)


def published_every_second(world: World) -> list[Row]:
    """What a policy a second costs one gateway that takes each: stretches with and without, in turns."""
    gateway, arguments, number = world.gateways[0], world.arguments, itertools.count()
    before = gateway.configuration()["reloads"]
    measured = reload_cost.in_turns(
        gateway.child,
        gateway.port,
        reload_cost.prompt(arguments.kilobytes),
        arguments,
        lambda: world.publish(["block", "redact"][next(number) % 2]),
        {"x-api-key": world.key},
    )
    taken, published = gateway.configuration()["reloads"] - before, next(number)
    rows = [
        Row(f"{name}, with a policy a second", f"{beside:.4g} instead of {without:.4g}: ratio {ratio:.3f}")
        for name, without, beside, ratio in measured
    ]
    return [*rows, Row("policies in force", f"{taken} of {published} published")]


CHECKS = {
    "publish": published,
    "revoke": revoked,
    "quarantine": quarantined,
    "records": recorded,
    "database": database_restarts,
    "server": server_restarts,
    "damage": damaged,
    "cut": cut_off,
    "clocks": wrong_clocks,
    "cost": published_every_second,
}
