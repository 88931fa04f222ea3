"""One face over the official Python SDKs, so that a scenario is written once and holds for every dialect.

A speaker's ``ask`` returns what a developer's program would see: text and tool calls.
"""

import functools
import json
from dataclasses import dataclass, field

import anthropic
import openai

import remote

WRITE_SCHEMA = {
    "type": "object",
    "properties": {"file_path": {"type": "string"}, "content": {"type": "string"}},
    "required": ["file_path", "content"],
}


@dataclass
class Said:
    """An answer as the SDK hands it out."""

    text: str = ""
    calls: list[tuple[str, dict]] = field(default_factory=list)
    finished: bool = False
    """The stream told that it is complete."""
    failure: str = ""
    """The message of a stream that the dialect ended as failed."""


@functools.cache
def made(kind: type, **arguments: object):
    """A client of the SDK; kept, as programs keep theirs, because making one costs more than a request."""
    return kind(**arguments)


class Anthropic:
    """Messages through ``anthropic``."""

    #: What `code` gives for a block.
    BLOCKED = "policy_blocked"
    name = "anthropic"
    errors = anthropic
    path = "/v1/messages"

    def __init__(self, key: str = remote.GATEWAY_KEY, retries: int = 2, model: str = "claude-sonnet-4-6") -> None:
        self.client = made(anthropic.Anthropic, base_url=remote.GATEWAY_URL, api_key=key, max_retries=retries)
        self.model = model

    def tools(self) -> list[dict]:
        """The tool of all scenarios."""
        return [{"name": "Write", "description": "Writes a file", "input_schema": WRITE_SCHEMA}]

    def ask(self, prompt: str, stream: bool = False, on_text=None, results: list[str] | None = None) -> Said:
        """One turn; with ``results`` the turn after a tool call."""
        messages = [{"role": "user", "content": prompt}]
        for index, result in enumerate(results or []):
            use = {"type": "tool_use", "id": f"toolu_{index}", "name": "Write", "input": {"file_path": "a", "content": "b"}}
            messages.append({"role": "assistant", "content": [use]})
            messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"toolu_{index}", "content": result}]})
        arguments = {"model": self.model, "max_tokens": 256, "messages": messages, "tools": self.tools()}
        if not stream:
            return self.said(self.client.messages.create(**arguments))
        with self.client.messages.stream(**arguments) as events:
            for event in events:
                if event.type == "text" and on_text:
                    on_text(event.text)
            said = self.said(events.get_final_message())
            said.finished = events.current_message_snapshot.stop_reason in ("end_turn", "tool_use")
            return said

    def said(self, message) -> Said:
        """The message of the SDK in our words."""
        texts = [block.text for block in message.content if block.type == "text"]
        calls = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
        return Said("".join(texts), calls, message.stop_reason is not None)

    @staticmethod
    def code(error) -> str:
        """The machine-readable reason of an error."""
        return error.body["error"]["type"]


class Chat:
    """Chat Completions through ``openai``."""

    #: What `code` gives for a block.
    BLOCKED = "policy_blocked"
    name = "chat"
    errors = openai
    path = "/v1/chat/completions"

    def __init__(self, key: str = remote.GATEWAY_KEY, retries: int = 2, model: str = "gpt-4o") -> None:
        self.client = made(openai.OpenAI, base_url=remote.GATEWAY_URL + "/v1", api_key=key, max_retries=retries)
        self.model = model

    def ask(self, prompt: str, stream: bool = False, on_text=None, results: list[str] | None = None) -> Said:
        """One turn; with ``results`` the turn after a tool call."""
        messages = [{"role": "user", "content": prompt}]
        for index, result in enumerate(results or []):
            function = {"name": "Write", "arguments": json.dumps({"file_path": "a", "content": "b"})}
            call = {"id": f"call_{index}", "type": "function", "function": function}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": f"call_{index}", "content": result})
        tools = [{"type": "function", "function": {"name": "Write", "parameters": WRITE_SCHEMA}}]
        arguments = {"model": self.model, "messages": messages, "tools": tools}
        if not stream:
            choice = self.client.chat.completions.create(**arguments).choices[0]
            return Said(choice.message.content or "", calls_of(choice.message.tool_calls), True)
        with self.client.chat.completions.create(**arguments, stream=True) as chunks:
            return self.gather(chunks, on_text)

    def gather(self, chunks, on_text) -> Said:
        """Adds the chunks up, as a client of the raw stream does."""
        said, parts = Said(), {}
        for chunk in chunks:
            for choice in chunk.choices:
                if choice.delta.content:
                    said.text += choice.delta.content
                    if on_text:
                        on_text(choice.delta.content)
                for call in choice.delta.tool_calls or []:
                    name, arguments = parts.get(call.index, ("", ""))
                    parts[call.index] = (name + (call.function.name or ""), arguments + (call.function.arguments or ""))
                said.finished |= choice.finish_reason in ("stop", "tool_calls")
        said.calls = [(name, json.loads(arguments)) for _, (name, arguments) in sorted(parts.items())]
        return said

    @staticmethod
    def code(error) -> str:
        """The machine-readable reason of an error."""
        return error.code


class Azure(Chat):
    """Chat Completions of a deployment through ``AzureOpenAI``."""

    #: What `code` gives for a block.
    BLOCKED = "content_filter"
    name = "azure"
    path = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"

    def __init__(self, key: str = remote.GATEWAY_KEY, retries: int = 2, model: str = "gpt-4o") -> None:
        version = "2024-10-21"
        self.client = made(
            openai.AzureOpenAI, azure_endpoint=remote.GATEWAY_URL, api_key=key, api_version=version, max_retries=retries
        )
        self.model = model


class Responses:
    """Responses through ``openai``."""

    #: What `code` gives for a block.
    BLOCKED = "policy_blocked"
    name = "responses"
    errors = openai
    path = "/v1/responses"

    def __init__(self, key: str = remote.GATEWAY_KEY, retries: int = 2, model: str = "gpt-5") -> None:
        self.client = made(openai.OpenAI, base_url=remote.GATEWAY_URL + "/v1", api_key=key, max_retries=retries)
        self.model = model

    def ask(self, prompt: str, stream: bool = False, on_text=None, results: list[str] | None = None) -> Said:
        """One turn; with ``results`` the turn after a tool call."""
        items: list[dict] = [{"role": "user", "content": prompt}]
        for index, result in enumerate(results or []):
            call = {"type": "function_call", "call_id": f"call_{index}", "name": "Write"}
            items.append(call | {"arguments": json.dumps({"file_path": "a", "content": "b"})})
            items.append({"type": "function_call_output", "call_id": f"call_{index}", "output": result})
        tools = [{"type": "function", "name": "Write", "parameters": WRITE_SCHEMA, "strict": False}]
        arguments = {"model": self.model, "input": items, "tools": tools, "store": False}
        if not stream:
            return self.said(self.client.responses.create(**arguments))
        with self.client.responses.create(**arguments, stream=True) as events:
            return self.gather(events, on_text)

    def gather(self, events, on_text) -> Said:
        """Follows the events; what the completed response says must agree with the deltas."""
        deltas, said = "", Said()
        for event in events:
            if event.type == "response.output_text.delta":
                deltas += event.delta
                if on_text:
                    on_text(event.delta)
            elif event.type == "response.output_item.done" and event.item.type == "function_call":
                said.calls.append((event.item.name, json.loads(event.item.arguments)))
            elif event.type == "response.completed":
                whole = self.said(event.response)
                assert whole.text == deltas, f"deltas {deltas!r} and completed text {whole.text!r} differ"
                assert whole.calls == said.calls, f"done items {said.calls} and completed calls {whole.calls} differ"
                said.finished = True
            elif event.type == "response.failed":
                assert event.response.error.code == "invalid_prompt", event.response.error
                said.failure, said.finished = event.response.error.message, True
        said.text = deltas
        return said

    def said(self, response) -> Said:
        """The response of the SDK in our words."""
        calls = [(item.name, json.loads(item.arguments)) for item in response.output if item.type == "function_call"]
        return Said(response.output_text, calls, response.status == "completed")

    @staticmethod
    def code(error) -> str:
        """The machine-readable reason of an error."""
        return error.code


def calls_of(tool_calls) -> list[tuple[str, dict]]:
    """Tool calls of a chat message in our words."""
    return [(call.function.name, json.loads(call.function.arguments)) for call in tool_calls or []]


ALL = [Anthropic, Chat, Azure, Responses]
