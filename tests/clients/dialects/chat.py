"""OpenAI Chat Completions and the legacy Completions: asks read, answers written whole and as chunks."""

import json
from collections.abc import Iterator

from . import Ask, cuts

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
CREATED = 1_760_000_000


def read(body: dict) -> Ask:
    """Understands a request body."""
    messages = body.get("messages", [])
    return Ask(
        model=body.get("model", ""),
        stream=bool(body.get("stream")),
        last="tool" if messages and messages[-1].get("role") == "tool" else "user",
        tools=[tool.get("function", {}).get("name", "") for tool in body.get("tools", [])],
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
    )


def text_of(answer: dict) -> str | None:
    """All prose of the answer, None without any."""
    texts = [part["text"] for part in answer["parts"] if "text" in part]
    return "".join(texts) if texts else None


def calls(answer: dict, number: int) -> list[dict]:
    """The tool calls of the answer, complete."""
    tools = [part for part in answer["parts"] if "tool" in part]
    return [
        {
            "id": f"call_{number:06}{index}",
            "type": "function",
            "function": {"name": part["tool"], "arguments": json.dumps(part["input"])},
        }
        for index, part in enumerate(tools)
    ]


def finish(answer: dict, number: int) -> str:
    """Why the model stopped."""
    return "tool_calls" if calls(answer, number) else "stop"


def whole(ask: Ask, answer: dict, number: int) -> dict:
    """The answer in one JSON document."""
    message = {"role": "assistant", "content": text_of(answer), "refusal": None}
    if calls(answer, number):
        message["tool_calls"] = calls(answer, number)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish(answer, number)}
    return envelope(ask, number, "chat.completion") | {"choices": [choice], "usage": USAGE}


def whole_legacy(ask: Ask, answer: dict, number: int) -> dict:
    """The answer of the legacy endpoint in one JSON document."""
    choice = {"index": 0, "text": text_of(answer) or "", "logprobs": None, "finish_reason": "stop"}
    return envelope(ask, number, "text_completion") | {"choices": [choice], "usage": USAGE}


def envelope(ask: Ask, number: int, kind: str) -> dict:
    """What every answer and chunk begins with."""
    return {"id": f"chatcmpl-{number:06}", "object": kind, "created": CREATED, "model": ask.model}


def events(ask: Ask, answer: dict, number: int) -> Iterator[tuple[None, str]]:
    """The answer as unnamed events, `[DONE]` last."""
    yield chunk(ask, number, {"role": "assistant", "content": "", "refusal": None})
    if text_of(answer) is not None:
        for cut in cuts(text_of(answer), answer):
            yield chunk(ask, number, {"content": cut})
    for index, call in enumerate(calls(answer, number)):
        head = {"index": index, "id": call["id"], "type": "function"}
        yield chunk(ask, number, {"tool_calls": [head | {"function": {"name": call["function"]["name"], "arguments": ""}}]})
        for cut in cuts(call["function"]["arguments"], answer):
            yield chunk(ask, number, {"tool_calls": [{"index": index, "function": {"arguments": cut}}]})
    yield chunk(ask, number, {}, finish(answer, number))
    if ask.include_usage:
        yield None, json.dumps(envelope(ask, number, "chat.completion.chunk") | {"choices": [], "usage": USAGE})
    yield None, "[DONE]"


def chunk(ask: Ask, number: int, delta: dict, finish_reason: str | None = None) -> tuple[None, str]:
    """One chunk with one choice."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return None, json.dumps(envelope(ask, number, "chat.completion.chunk") | {"choices": [choice]})


def events_legacy(ask: Ask, answer: dict, number: int) -> Iterator[tuple[None, str]]:
    """The legacy endpoint's chunks, `[DONE]` last."""
    for cut in cuts(text_of(answer) or "", answer):
        choice = {"index": 0, "text": cut, "logprobs": None, "finish_reason": None}
        yield None, json.dumps(envelope(ask, number, "text_completion") | {"choices": [choice]})
    yield None, "[DONE]"
