"""Anthropic Messages: how asks are read, how answers are written whole and as events."""

import json
from collections.abc import Iterator

from . import Ask, cuts

USAGE = {"input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 5}


def read(body: dict) -> Ask:
    """Understands a request body."""
    spoken = [message for message in body.get("messages", []) if message.get("role") == "user"]
    content = spoken[-1].get("content", "") if spoken else ""
    results = isinstance(content, list) and any(block.get("type") == "tool_result" for block in content)
    return Ask(
        model=body.get("model", ""),
        stream=bool(body.get("stream")),
        last="tool" if results else "user",
        tools=[tool.get("name", "") for tool in body.get("tools", [])],
    )


def stop_reason(answer: dict) -> str:
    """Why the model stopped."""
    return "tool_use" if any("tool" in part for part in answer["parts"]) else "end_turn"


def block(part: dict, number: int, index: int) -> dict:
    """One content block, complete."""
    if "tool" in part:
        return {"type": "tool_use", "id": f"toolu_{number:06}{index}", "name": part["tool"], "input": part["input"]}
    return {"type": "text", "text": part["text"]}


def whole(ask: Ask, answer: dict, number: int) -> dict:
    """The answer in one JSON document."""
    return {
        "id": f"msg_{number:06}",
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": [block(part, number, index) for index, part in enumerate(answer["parts"])],
        "stop_reason": stop_reason(answer),
        "stop_sequence": None,
        "usage": USAGE,
    }


def events(ask: Ask, answer: dict, number: int) -> Iterator[tuple[str, str]]:
    """The answer as (event name, data) pairs."""
    message = whole(ask, {"parts": []}, number) | {"stop_reason": None}
    yield event({"type": "message_start", "message": message})
    yield event({"type": "ping"})
    for index, part in enumerate(answer["parts"]):
        yield from block_events(part, answer, number, index)
    delta = {"stop_reason": stop_reason(answer), "stop_sequence": None}
    yield event({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}})
    yield event({"type": "message_stop"})


def block_events(part: dict, answer: dict, number: int, index: int) -> Iterator[tuple[str, str]]:
    """Start, deltas and stop of one content block."""
    empty = part | {"input": {}} if "tool" in part else {"text": ""}
    yield event({"type": "content_block_start", "index": index, "content_block": block(empty, number, index)})
    if "tool" in part:
        deltas = [{"type": "input_json_delta", "partial_json": cut} for cut in cuts(json.dumps(part["input"]), answer)]
    else:
        deltas = [{"type": "text_delta", "text": cut} for cut in cuts(part["text"], answer)]
    for delta in deltas:
        yield event({"type": "content_block_delta", "index": index, "delta": delta})
    yield event({"type": "content_block_stop", "index": index})


def event(data: dict) -> tuple[str, str]:
    """An event is named like the type in its data."""
    return data["type"], json.dumps(data)
