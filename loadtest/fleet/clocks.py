"""Gateways whose clocks are wrong by an hour, by Debian's `faketime`."""

import pathlib
import time

from load import Load, verified
from table import Row, quarantine, states
from world import Gateway, Missed, SECRET_TEXT, World, wait_for

HOUR_SECONDS = 3600
# One that the gateways' own rule imposes, for less than the clocks are wrong.
RULE = 'quarantine: {rules: [{name: leak, findings: 1, risk: ">= high", within: 10m, per: session, for: 30m}]}\n'


def wrong_clocks(world: World) -> list[Row]:
    """One gateway is an hour ahead, one an hour behind: they follow, hold and ship like all others, and are told."""
    library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        raise Missed("faketime is missing: install the Debian package faketime (.ci/install test does)")
    ahead, behind = world.gateways[:2]
    for gateway, offset in [(ahead, f"+{HOUR_SECONDS}s"), (behind, f"-{HOUR_SECONDS}s")]:
        # The monotonic clock is right on such machines, too; what waits by it would wait for an hour.
        restarted(world, gateway, {"LD_PRELOAD": str(library), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
    off = [it.configuration()["started"] - time.time() for it in (ahead, behind)]
    if not (off[0] > HOUR_SECONDS / 2 and off[1] < -HOUR_SECONDS / 2):
        raise Missed(f"the programs do not take the clocks that they are given: off by {off} s")
    load = Load(world, "skewed").run(requests=20 * len(world.gateways))
    load.arrive()
    rows = [Row("records with an hour ahead and an hour behind", f"{load.check()}; {verified(world)}")]
    rows += [followed(world), held(world, ahead), held_by_rule(world, behind), told(world)]
    for gateway in (ahead, behind):
        restarted(world, gateway, {})
    load = Load(world, "righted").run(requests=20 * len(world.gateways))
    load.arrive()
    rows.append(Row("clocks set right again", f"{load.check()}; {verified(world)}"))
    return rows


def restarted(world: World, gateway: Gateway, environment: dict[str, str]) -> None:
    """Ends a gateway and starts it with another clock."""
    gateway.stop()
    gateway.environment = environment
    gateway.start()
    world.until_all("after a restart a gateway does not serve", lambda it: it.ask(world.key)[0] == 200, [gateway])


def followed(world: World) -> Row:
    """Bundles of a server whose clock is another are taken."""
    begun = time.monotonic()
    world.publish("block")
    world.until_all("a policy is not in force", lambda it: it.ask(world.key, SECRET_TEXT)[0] == 400)
    world.publish("redact")
    key = world.new_key("skewed")
    world.until_all("a new key is not known", lambda it: it.ask(key["key"])[0] == 200)
    world.server.call("DELETE", f"/api/v1/keys/{key['id']}")
    world.until_all("a key is not taken back", lambda it: it.ask(key["key"])[0] == 401)
    refused = [it["report"]["refused"] for it in world.reports().values() if it["report"]["refused"]]
    if refused:
        raise Missed(f"bundles are refused: {refused}")
    return Row("policies and keys with wrong clocks", f"all followed, {time.monotonic() - begun:.0f} s for two policies, a key and its end")


def held(world: World, ahead: Gateway) -> Row:
    """A quarantine of an hour is over by the clock of the gateway that is ahead, and holds there all the same."""
    reference = quarantine(world, "an-hour", hours=1)
    refuses = lambda it: it.ask(world.key, session="an-hour")[0] == 400
    world.until_all("a session is not kept out", refuses)
    end = time.monotonic() + world.arguments.watch
    while time.monotonic() < end:
        if not refuses(ahead):
            raise Missed("the gateway whose clock is ahead lets in whom the server keeps out")
        time.sleep(0.5)
    world.server.call("POST", f"/api/v1/quarantines/{reference}/release", {"reason": "it was a test"})
    world.until_all("a session is not let in again", lambda it: it.ask(world.key, session="an-hour")[0] == 200)
    return Row("a quarantine of an hour on a gateway an hour ahead", "held until it was released")


def held_by_rule(world: World, behind: Gateway) -> Row:
    """What the rule of a gateway that is behind imposes for half an hour holds everywhere, and ends by the server's clock."""
    world.publish("redact", RULE)
    # The rule is in force everywhere when a prompt keeps its session out.
    world.until_all("the rule is not in force", lambda it: tripped(world, it))
    behind.ask(world.key, SECRET_TEXT, session="by-rule")
    world.until_all("the others do not keep it out", lambda it: it.ask(world.key, session="by-rule")[0] == 400)
    found = [it for it in world.server.call("GET", "/api/v1/quarantines") if it["value"] == "by-rule"]
    if len(found) != 1 or not found[0]["holds"]:
        raise Missed(f"the server knows it as {found}")
    minutes = (found[0]["until_ms"] / 1000 - time.time()) / 60
    if not 15 < minutes < 31:
        raise Missed(f"it ends in {minutes:.0f} minutes")
    world.publish("redact")
    return Row("a rule of a gateway an hour behind, for 30 minutes", f"held everywhere, ends in {minutes:.0f} min")


def tripped(world: World, gateway: Gateway) -> bool:
    """Whether the rule keeps a session out whose prompt had a finding."""
    session = f"trip-{gateway.folder.name}"
    gateway.ask(world.key, SECRET_TEXT, session=session)
    return gateway.ask(world.key, session=session)[0] == 400


def told(world: World) -> Row:
    """The page says whose clock is wrong, and of both that they are in step."""
    wait_for("the page does not tell of the clocks", lambda: all(it in world.server.page("/gateways") for it in ("min ahead of", "min behind")))
    if set(states(world).values()) != {"in step"}:
        raise Missed(f"the page says {states(world)}")
    return Row("the page of gateways", "tells both clocks, and that all are in step")
