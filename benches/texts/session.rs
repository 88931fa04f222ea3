//! Sessions of a coding agent, made up from a seed: instructions, tool schemas, prose, files that were read and written.

#![allow(clippy::expect_used, clippy::write_with_newline, reason = "a generator of texts, line by line")]

use std::fmt::Write;

const WORDS: &[&str] = &[
    "the",
    "file",
    "parser",
    "returns",
    "a",
    "frame",
    "when",
    "input",
    "ends",
    "and",
    "each",
    "request",
    "keeps",
    "its",
    "own",
    "buffer",
    "until",
    "it",
    "is",
    "complete",
    "run",
    "tests",
    "before",
    "you",
    "change",
    "code",
    "never",
    "write",
    "more",
    "than",
    "asked",
    "error",
    "message",
    "names",
    "line",
    "column",
    "server",
    "client",
    "stream",
    "of",
    "bytes",
    "reads",
    "should",
    "be",
    "small",
    "use",
    "existing",
    "function",
    "instead",
    "new",
    "one",
    "check",
    "result",
    "first",
    "module",
    "type",
    "value",
    "list",
    "config",
    "option",
    "default",
    "path",
    "absolute",
    "search",
    "pattern",
    "match",
    "command",
    "output",
    "timeout",
    "seconds",
    "background",
    "process",
    "edit",
    "replace",
    "string",
    "unique",
    "context",
    "session",
    "model",
    "answer",
    "question",
    "explain",
    "why",
    "short",
    "clear",
    "steps",
    "plan",
    "task",
    "done",
    "update",
];
const NAMES: &[&str] = &[
    "reader", "frame", "buffer", "entry", "session", "offset", "length", "state", "queue", "header", "body", "index",
    "config", "parser", "token", "writer", "status", "handle", "limit", "window", "cache", "record", "event", "label",
];
const TYPES: &[&str] = &["u64", "String", "Vec<u8>", "Option<usize>", "bool", "Result<(), Error>", "&str", "Duration"];

/// One developer's conversation with an agent.
pub(crate) struct Session {
    random: u64,
    fixed: u64,
    tools: String,
    system: String,
    messages: Vec<String>,
}

impl Session {
    /// `shares` its instructions and tools with all sessions that do: the same version of the same client.
    pub(crate) fn new(seed: u64, shares: bool) -> Session {
        let fixed = if shares { 1 } else { seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 };
        let random = seed.wrapping_mul(0xD134_2543_DE82_EF95) | 1;
        Session { random, fixed, tools: String::new(), system: String::new(), messages: Vec::new() }
    }

    /// The body of a first turn of about so many bytes.
    pub(crate) fn first(mut self, bytes: usize) -> Vec<u8> {
        self.start(bytes);
        self.body()
    }

    /// Instructions and tools take three quarters of 64 KB, what the developer says and pastes the rest.
    pub(crate) fn start(&mut self, bytes: usize) {
        let own = self.random;
        self.random = self.fixed;
        let paragraphs: Vec<String> = (0..24).map(|_| self.sentences(500)).collect();
        self.system = quoted(&paragraphs.join("\n\n# Section\n"));
        let tools: Vec<String> = (0..14).map(|number| self.tool(number)).collect();
        self.tools = tools.join(",");
        self.random = own;
        let mut said = self.sentences(600);
        let taken = self.system.len() + self.tools.len() + 600;
        while said.len() * 21 / 20 + taken < bytes {
            said.push_str("\n\n```rust\n");
            said.push_str(&self.code(40));
            said.push_str("```\n");
            let more = self.sentences(300);
            said.push_str(&more);
        }
        self.messages
            .push(format!("{{\"role\":\"user\",\"content\":[{{\"type\":\"text\",\"text\":{}}}]}}", quoted(&said)));
    }

    /// A turn: the agent speaks and calls a tool, the result comes back. About so many bytes.
    pub(crate) fn turn(&mut self, bytes: usize) {
        let said = quoted(&self.sentences(300));
        let id = self.next() % 1_000_000;
        let path = format!("/repo/src/{}_{}.rs", self.name(), self.next() % 100);
        self.messages.push(format!(
            "{{\"role\":\"assistant\",\"content\":[{{\"type\":\"text\",\"text\":{said}}},{{\"type\":\"tool_use\",\"id\":\"toolu_{id}\",\
             \"name\":\"Read\",\"input\":{{\"file_path\":\"{path}\",\"limit\":200}}}}]}}"
        ));
        let mut result = String::new();
        let mut line = 1;
        while result.len() < bytes - 700 {
            for code in self.code(6).lines() {
                let _ = writeln!(result, "{line:>6}\t{code}");
                line += 1;
            }
        }
        let result = quoted(&result);
        self.messages.push(format!(
            "{{\"role\":\"user\",\"content\":[{{\"type\":\"tool_result\",\"tool_use_id\":\"toolu_{id}\",\"content\":{result}}}]}}"
        ));
    }

    /// The body that the client sends now: the whole conversation, the mark for the provider's cache on its end.
    pub(crate) fn body(&self) -> Vec<u8> {
        let mut messages = self.messages.clone();
        if let Some(last) = messages.last_mut() {
            let end = last.len() - 3;
            last.insert_str(end, ",\"cache_control\":{\"type\":\"ephemeral\"}");
        }
        format!(
            "{{\"model\":\"claude-sonnet-4-5\",\"messages\":[{}],\"system\":[{{\"type\":\"text\",\"text\":{}}}],\"tools\":[{}],\
             \"metadata\":{{\"user_id\":\"user_{}_session_{}\"}},\"max_tokens\":32000,\"stream\":true}}",
            messages.join(","), self.system, self.tools, self.fixed, self.random
        )
        .into_bytes()
    }

    fn tool(&mut self, number: usize) -> String {
        let name = self.name();
        let description = quoted(&(0..4).map(|_| self.sentences(450)).collect::<Vec<_>>().join("\n- "));
        let mut properties = Vec::new();
        for _ in 0..4 {
            let (key, about) = (self.name(), quoted(&self.sentences(90)));
            properties.push(format!("\"{key}_{}\":{{\"type\":\"string\",\"description\":{about}}}", self.next() % 10));
        }
        format!(
            "{{\"name\":\"{name}_{number}\",\"description\":{description},\"input_schema\":{{\"type\":\"object\",\"properties\":{{{}}},\
             \"required\":[\"{name}\"],\"additionalProperties\":false}}}}",
            properties.join(",")
        )
    }

    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.random >> 33
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.next() as usize % NAMES.len()]
    }

    fn sentences(&mut self, bytes: usize) -> String {
        let mut text = String::new();
        while text.len() < bytes {
            for word in 0..8 + self.next() % 9 {
                text.push_str(if word == 0 { "" } else { " " });
                text.push_str(WORDS[self.next() as usize % WORDS.len()]);
            }
            text.push_str(if self.next().is_multiple_of(6) { ".\n" } else { ". " });
        }
        text
    }

    fn code(&mut self, lines: usize) -> String {
        let mut text = String::new();
        for _ in 0..lines / 4 {
            let (a, b, c) = (self.name(), self.name(), self.name());
            let (of, number) = (TYPES[self.next() as usize % TYPES.len()], self.next() % 4096);
            let _ = match self.next() % 5 {
                0 => write!(
                    text,
                    "/// Takes the {a} of a {b}.\npub fn {a}_{b}(&self, {c}: {of}) -> {of} {{\n    self.{c}.{a}(\"{b}\", {number})\n}}\n\n"
                ),
                1 => write!(
                    text,
                    "    if {a}.{b}() > {number} {{\n        return Err(format!(\"{c} {{}} is too large\", {a}));\n    }}\n"
                ),
                2 => write!(
                    text,
                    "    let {a} = {b}.iter().filter(|it| it.{c} == {number}).map(|it| it.{a}.clone()).collect::<{of}>();\n"
                ),
                3 => write!(
                    text,
                    "import {{ {a}, {b} }} from './{c}';\nexport const {a}{number} = async ({b}) => {{\n  await {c}.{a}({b});\n}};\n"
                ),
                _ => write!(
                    text,
                    "def {a}({b}, {c}={number}):\n    with open({b}) as handle:\n        return [{c} for line in handle if line.strip() != \"\"]\n"
                ),
            };
        }
        text
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string")
}
