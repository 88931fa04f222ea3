"""OpenAI Responses: asks read, answers written whole and as numbered events."""

import json
from collections.abc import Iterator

from . import Ask, cuts

CREATED = 1_760_000_000
USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 15,
}


def read(body: dict) -> Ask:
    """Understands a request body."""
    items = body.get("input", [])
    last = items[-1].get("type", "") if isinstance(items, list) and items else ""
    return Ask(
        model=body.get("model", ""),
        stream=bool(body.get("stream")),
        last="tool" if last.endswith("_output") else "user",
        tools=[tool.get("name", tool.get("type", "")) for tool in body.get("tools", [])],
    )


def item(part: dict, number: int, index: int) -> dict:
    """One output item, complete."""
    if "tool" in part:
        call = {"type": "function_call", "id": f"fc_{number:06}{index}", "call_id": f"call_{number:06}{index}"}
        return call | {"name": part["tool"], "arguments": json.dumps(part["input"]), "status": "completed"}
    if "custom" in part:
        call = {"type": "custom_tool_call", "id": f"ctc_{number:06}{index}", "call_id": f"call_{number:06}{index}"}
        return call | {"name": part["custom"], "input": part["input"], "status": "completed"}
    message = {"type": "message", "id": f"msg_{number:06}{index}", "role": "assistant", "status": "completed"}
    return message | {"content": [text_part(part["text"])]}


def text_part(text: str) -> dict:
    """One content part of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def whole(ask: Ask, answer: dict, number: int) -> dict:
    """The answer in one JSON document."""
    output = [item(part, number, index) for index, part in enumerate(answer["parts"])]
    return envelope(ask, number) | {"status": "completed", "output": output, "usage": USAGE}


def envelope(ask: Ask, number: int) -> dict:
    """The response object as it stands at its creation."""
    return {
        "id": f"resp_{number:06}",
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": ask.model,
        "output": [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }


def events(ask: Ask, answer: dict, number: int) -> Iterator[tuple[str, str]]:
    """The answer as (event name, data) pairs with running sequence numbers."""
    for sequence, data in enumerate(unnumbered(ask, answer, number)):
        yield data["type"], json.dumps(data | {"sequence_number": sequence})


def unnumbered(ask: Ask, answer: dict, number: int) -> Iterator[dict]:
    """The events without their numbers."""
    yield {"type": "response.created", "response": envelope(ask, number)}
    yield {"type": "response.in_progress", "response": envelope(ask, number)}
    for index, part in enumerate(answer["parts"]):
        yield from item_events(part, answer, number, index)
    yield {"type": "response.completed", "response": whole(ask, answer, number)}


def item_events(part: dict, answer: dict, number: int, index: int) -> Iterator[dict]:
    """Added, deltas and done of one output item."""
    complete = item(part, number, index)
    at = {"item_id": complete["id"], "output_index": index}
    emptied = {"content": []} if "text" in part else {"arguments": ""} if "tool" in part else {"input": ""}
    begun = complete | emptied | {"status": "in_progress"}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    if "text" in part:
        yield from text_events(part["text"], answer, at | {"content_index": 0})
    else:
        kind, name = ("function_call_arguments", "arguments") if "tool" in part else ("custom_tool_call_input", "input")
        for cut in cuts(complete[name], answer):
            yield {"type": f"response.{kind}.delta", **at, "delta": cut}
        yield {"type": f"response.{kind}.done", **at, name: complete[name]}
    yield {"type": "response.output_item.done", "output_index": index, "item": complete}


def text_events(text: str, answer: dict, at: dict) -> Iterator[dict]:
    """A message's only content part."""
    yield {"type": "response.content_part.added", **at, "part": text_part("")}
    for cut in cuts(text, answer):
        yield {"type": "response.output_text.delta", **at, "delta": cut, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": text_part(text)}
