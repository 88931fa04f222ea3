"""Claude Code and Codex through the gateway. Run by ``cli.sh`` on the stage, without any network but loopback."""

import argparse
import json
import re
import sys
import traceback

import agents
import remote
import samples

SCENARIOS: list[tuple[str, bool, object, list]] = []
BOTH = [agents.Claude, agents.Codex]
ALL = [*BOTH, agents.CodexSocket]


def scenario(direct: bool = False, over: list | None = None):
    """Registers a scenario; ``direct`` ones also hold without a gateway."""

    def register(function):
        SCENARIOS.append((function.__name__, direct, function, over or BOTH))
        return function

    return register


def prompts() -> list[remote.Request]:
    """The prompts that the agent sent, without its probes."""
    return asking(remote.asked())


def asking(requests: list[remote.Request]) -> list[remote.Request]:
    """Those that ask for an answer: posted, or a message of a WebSocket that is no warming up."""
    return [request for request in requests if request.method == "POST" or asks_by_message(request)]


def asks_by_message(request: remote.Request) -> bool:
    """Whether it is a message that asks for an answer."""
    return request.method == "MESSAGE" and json.loads(request.body).get("generate") is not False


def never_seen(secret: str) -> None:
    """No request at the provider holds the secret, or a telling part of it."""
    for request in remote.received():
        for part in (secret, secret.split("@")[-1], secret[-16:]):
            assert part.encode() not in request.body, f"the provider received {part!r} in {request.path}"


def told_why(ran: agents.Ran, family: str) -> None:
    """The developer reads which rule stopped it and where."""
    assert re.search(family + r"\.[a-z_]+\.[a-z_]+", ran.shown), f"no rule named:\n{ran.shown}"
    assert re.search(r"message|input|line|completion|answer", ran.shown), f"no place named:\n{ran.shown}"


@scenario(direct=True, over=[*BOTH, agents.CodexBuiltIn, agents.CodexSocket])
def plain(agent: agents.Agent) -> None:
    """A prompt is answered; the first turn with all its tools is clean and passes byte for byte."""
    ran = agent.run("Say hello")
    assert ran.code == 0 and "Hello from the loopback provider." in ran.shown, ran
    assert len(prompts()) == 1, [request.path for request in remote.asked()]
    assert [request.body for request in asking(remote.received())] == [prompts()[0].body]
    assert prompts()[0].method == ("MESSAGE" if isinstance(agent, agents.CodexSocket) else "POST")


@scenario(direct=True, over=[agents.Claude])
def two_credentials(agent: agents.Agent) -> None:
    """Claude Code sends both credentials when both are set; neither goes upstream."""
    ran = agent.run("Say hello", {"ANTHROPIC_AUTH_TOKEN": remote.GATEWAY_KEY})
    assert ran.code == 0 and "Hello from the loopback provider." in ran.shown, ran
    if not remote.DIRECT:
        headers = str(remote.received()[-1].headers)
        assert remote.GATEWAY_KEY not in headers and remote.PROVIDER_KEYS["anthropic"] in headers, headers


@scenario(direct=True, over=ALL)
def tools(agent: agents.Agent) -> None:
    """Read a file, edit it, write another: three round trips, all on disk."""
    (agent.project / "config.env").write_text("NAME=demo\nSIZE=3\n")
    remote.script(
        agent.reading("config.env"),
        agent.editing("config.env", ["NAME=demo"], ["NAME=other"]) | {"cut": 3},
        agent.writing("notes.txt", 'a "quoted" \\ line\n') | {"cut": 5},
        remote.text("All done."),
    )
    ran = agent.run("Rename the demo")
    assert ran.code == 0 and "All done." in ran.shown, ran
    assert (agent.project / "config.env").read_text() == "NAME=other\nSIZE=3\n"
    assert (agent.project / "notes.txt").read_text() == 'a "quoted" \\ line\n'
    assert len(prompts()) == 4, len(prompts())


@scenario(over=ALL)
def secret_in_file(agent: agents.Agent) -> None:
    """The agent reads a file with a secret, edits around it and copies it: the provider never sees it, the disk does."""
    line = f"DATABASE_URL={samples.DATABASE_URL}"
    (agent.project / "config.env").write_text(f"NAME=demo\n{line}\nSIZE=3\n")
    held = "DATABASE_URL=<<placeholder>>"
    remote.script(
        agent.reading("config.env"),
        agent.editing("config.env", ["NAME=demo", held], ["NAME=other", held]) | {"cut": 4},
        agent.writing("copy.env", f"{held}\n") | {"cut": 7},
        remote.text("Kept <<placeholder>> as it was."),
    )
    ran = agent.run("Rename the demo")
    assert ran.code == 0, ran
    assert (agent.project / "config.env").read_text() == f"NAME=other\n{line}\nSIZE=3\n", ran
    assert (agent.project / "copy.env").read_text() == f"{line}\n", ran
    assert f"Kept {samples.DATABASE_URL} as it was." in ran.shown, ran
    never_seen(samples.DATABASE_URL)
    labels = set(remote.LABEL.findall(b"".join(request.body for request in remote.received())))
    assert len(prompts()) == 4 and len(labels) == 1, (len(prompts()), labels)


@scenario(over=[*ALL, agents.CodexBuiltIn])
def blocked(agent: agents.Agent) -> None:
    """A prompt that may not leave: one request, the reason is shown, the provider is not even connected to."""
    ran = agent.run(f"Why does {samples.STRIPE_KEY} not work?")
    told_why(ran, "secrets")
    assert len(prompts()) == 1, f"the agent asked {len(prompts())} times:\n{ran.shown}"
    assert not asking(remote.received()), remote.received()
    # A socket is open before anything is asked on it.
    assert isinstance(agent, agents.CodexBuiltIn) or not remote.connections(), remote.connections()


@scenario(over=ALL)
def blocked_after_reading(agent: agents.Agent) -> None:
    """A file that may not leave: the turn that would carry it is blocked."""
    (agent.project / "pay.env").write_text(f"KEY={samples.STRIPE_KEY}\n")
    remote.script(agent.reading("pay.env"))
    ran = agent.run("Check the payment settings")
    told_why(ran, "secrets")
    got = asking(remote.received())
    assert len(prompts()) == 2 and len(got) == 1, (len(prompts()), len(got))
    never_seen(samples.STRIPE_KEY)


@scenario(over=ALL)
def stopped(agent: agents.Agent) -> None:
    """Vulnerable code in an answer: a notice instead, nobody asks again."""
    for cut in (None, 6):
        remote.reset()
        remote.script(remote.text(samples.VULNERABLE_REPLY, cut=cut))
        ran = agent.run("Write a query by name")
        told_why(ran, "vuln")
        assert samples.VULNERABLE not in ran.shown and "{name}" not in remote.answered(), ran
        got = asking(remote.received())
        assert len(prompts()) == 1 and len(got) == 1, (len(prompts()), len(got))


@scenario(over=ALL)
def stopped_tool(agent: agents.Agent) -> None:
    """Vulnerable code in a tool call: the file is not written, the call never arrives, nobody asks again."""
    remote.script(agent.writing("query.py", samples.VULNERABLE_FILE["content"]) | {"cut": 9})
    ran = agent.run("Write a query by name")
    told_why(ran, "vuln")
    assert not (agent.project / "query.py").exists(), ran
    assert "{name}" not in remote.answered(), "vulnerable code reached the agent"
    got = asking(remote.received())
    assert len(prompts()) == 1 and len(got) == 1, (len(prompts()), len(got))


@scenario()
def wrong_key(agent: agents.Agent) -> None:
    """An unknown gateway key is refused before anything is sent."""
    agent.key = "gw-nobody-made-up-key"
    ran = agent.run("Let me in")
    assert ran.code != 0 and agent.key not in ran.shown, ran
    assert not remote.received() and not remote.connections(), remote.received()
    assert agent.name != "claude" or len(prompts()) == 1, f"Claude Code asked {len(prompts())} times"


def main() -> int:
    """Runs what was chosen; the exit code tells whether all of it passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="words, parted by commas; a scenario whose name holds one is run")
    words = parser.parse_args().only.split(",")
    passed, failed = 0, 0
    for name, direct, function, over in SCENARIOS:
        for kind in over:
            title = f"{kind.name}.{name}"
            if (remote.DIRECT and not direct) or not any(word in title for word in words):
                continue
            remote.reset()
            folder, agent = agents.fresh(kind)
            try:
                function(agent)
                passed += 1
                print(f"ok      {title}", flush=True)
            except Exception:  # noqa: BLE001: whatever goes wrong is a failed scenario.
                failed += 1
                print(f"FAILED  {title}: {function.__doc__}\n{traceback.format_exc(limit=-3)}", flush=True)
            finally:
                folder.cleanup()
    print(f"coding agents: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
