"""The coding agents as a developer starts them, in a home of their own and with nothing else in their environment."""

import os
import pathlib
import subprocess
import tempfile
from dataclasses import dataclass

import remote

CLI_FOLDER = os.environ.get("CLIENTS_CLI", "")
RUN_SECONDS_MAX = 150


@dataclass
class Ran:
    """What a developer saw."""

    code: int
    shown: str
    """Both output streams."""


class Agent:
    """An agent with a fresh home and a fresh project."""

    name = ""
    binary = ""

    def __init__(self, folder: str, key: str = remote.GATEWAY_KEY) -> None:
        self.key = key
        self.home = pathlib.Path(folder, "home")
        self.project = pathlib.Path(folder, "project")
        self.home.mkdir()
        self.project.mkdir()
        subprocess.run(["git", "init", "--quiet", self.project], check=True)

    def run(self, prompt: str, more: dict | None = None) -> Ran:
        """One prompt from start to end."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"} | self.settings() | (more or {})
        command = [os.path.join(CLI_FOLDER, "node_modules", ".bin", self.binary), *self.arguments(), prompt]
        done = subprocess.run(
            command,
            env=environment,
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
        )
        return Ran(done.returncode, done.stdout + done.stderr)

    def settings(self) -> dict:
        """Environment variables that point it to the gateway."""
        raise NotImplementedError

    def arguments(self) -> list[str]:
        """Flags of a run without questions."""
        raise NotImplementedError

    def reading(self, file: str) -> dict:
        """An answer that makes it read a file."""
        raise NotImplementedError

    def editing(self, file: str, before: list[str], after: list[str]) -> dict:
        """An answer that makes it replace lines of a file."""
        raise NotImplementedError

    def writing(self, file: str, content: str) -> dict:
        """An answer that makes it write a new file."""
        raise NotImplementedError


class Claude(Agent):
    """Claude Code."""

    name = "claude"
    binary = "claude"

    def settings(self) -> dict:
        return {
            "ANTHROPIC_BASE_URL": remote.GATEWAY_URL,
            "ANTHROPIC_API_KEY": self.key,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }

    def arguments(self) -> list[str]:
        return ["--allowedTools", "Read,Edit,Write", "--print"]

    def reading(self, file: str) -> dict:
        return remote.tool("Read", {"file_path": str(self.project / file)})

    def editing(self, file: str, before: list[str], after: list[str]) -> dict:
        change = {"old_string": "\n".join(before), "new_string": "\n".join(after), "replace_all": False}
        return remote.tool("Edit", {"file_path": str(self.project / file), **change})

    def writing(self, file: str, content: str) -> dict:
        return remote.tool("Write", {"file_path": str(self.project / file), "content": content})


class Codex(Agent):
    """Codex with a model provider of its own, the way ``connect codex`` prints it."""

    name = "codex"
    binary = "codex"
    config = """\
model = "gpt-5.5"
model_provider = "gateway"

[model_providers.gateway]
name = "gateway"
base_url = "{url}/v1"
env_key = "GATEWAY_KEY"
wire_api = "responses"
supports_websockets = false
"""

    def settings(self) -> dict:
        folder = self.home / ".codex"
        folder.mkdir(exist_ok=True)
        (folder / "config.toml").write_text(self.config.format(url=remote.GATEWAY_URL))
        return {"GATEWAY_KEY": self.key}

    def arguments(self) -> list[str]:
        return ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]

    def reading(self, file: str) -> dict:
        return remote.tool("exec_command", {"cmd": f"cat {file}"})

    def editing(self, file: str, before: list[str], after: list[str]) -> dict:
        return self.patch([f"*** Update File: {file}", "@@", *(f"-{line}" for line in before), *(f"+{line}" for line in after)])

    def writing(self, file: str, content: str) -> dict:
        return self.patch([f"*** Add File: {file}", *(f"+{line}" for line in content.splitlines())])

    def patch(self, lines: list[str]) -> dict:
        """An answer that calls ``apply_patch`` with its free-form input."""
        written = "\n".join(["*** Begin Patch", *lines, "*** End Patch", ""])
        return {"parts": [{"custom": "apply_patch", "input": written}]}


class CodexBuiltIn(Codex):
    """Codex with its built-in provider and only the base URL changed; it tries a WebSocket first."""

    name = "codex_built_in"
    config = """\
model = "gpt-5.5"
openai_base_url = "{url}/v1"
"""

    def settings(self) -> dict:
        super().settings()
        return {"CODEX_API_KEY": self.key}


class CodexSocket(CodexBuiltIn):
    """The same, before a provider that opens the WebSocket."""

    name = "codex_socket"

    def run(self, prompt: str, more: dict | None = None) -> Ran:
        remote.open_sockets()
        return super().run(prompt, more)


def fresh(kind: type[Agent], **more: str) -> tuple[tempfile.TemporaryDirectory, Agent]:
    """An agent and the folder to clean up after it."""
    folder = tempfile.TemporaryDirectory(prefix="agent-", dir=CLI_FOLDER, ignore_cleanup_errors=True)
    return folder, kind(folder.name, **more)
