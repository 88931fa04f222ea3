//! Requests as coding agents send them: tool schemas, a system prompt, and a history that is sent again with each turn.
//!
//! Everything follows from a seed. Two seeds share only the fixed words of the dialect, unless tools and system prompt are
//! asked to be shared, as between the developers of one company who run one version of one tool.

use std::fmt::Write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::to_string as quoted;

use crate::dialect::Dialect;
use crate::random::Random;
use crate::writing;

/// Seed of tools and system prompt that are shared.
const SHARED_SEED: u64 = 0x7001;
/// Tool schemas are at most this part of a first turn, and no larger than the tools of a real agent.
const TOOLS_PART: f64 = 0.6;
const TOOLS_BYTES_MAX: usize = 44 << 10;
/// The same for the system prompt.
const SYSTEM_PART: f64 = 0.18;
const SYSTEM_BYTES_MAX: usize = 12 << 10;
/// One step of an earlier turn: what the assistant says and calls, and what the tool returned.
const STEP_BYTES: usize = 4 << 10;

/// Whose tool schemas and system prompt a session sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tools {
    /// Its own: no cache of an earlier session helps.
    #[default]
    Own,
    /// Those of every other session.
    Shared,
}

/// What the requests of a session are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// How it talks.
    pub dialect: Dialect,
    /// About how many bytes the first turn has.
    pub first_bytes: usize,
    /// About how many bytes each later turn adds.
    pub turn_bytes: usize,
    /// Whose tools and system prompt.
    pub tools: Tools,
    /// Whether a streamed answer is asked for.
    pub stream: bool,
}

/// One session of an agent.
#[derive(Clone, Debug)]
pub struct Session {
    shape: Shape,
    random: Random,
    /// The body up to the messages.
    before: String,
    /// The messages so far, each with the comma after it, but for the last one.
    messages: String,
    /// The body after the messages.
    after: String,
    turns: usize,
}

impl Session {
    /// A session whose next request is its first turn.
    pub fn new(shape: Shape, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (before, after) = frame(&shape, &mut random);
        let mut session = Session { shape, random, before, messages: String::new(), after, turns: 1 };
        let fixed = session.before.len() + session.after.len();
        // Long first requests are sessions that were resumed: history, then the question.
        while fixed + session.messages.len() + 2 * STEP_BYTES < shape.first_bytes {
            session.question(400);
            session.step(STEP_BYTES - 600);
        }
        let left = shape.first_bytes.saturating_sub(fixed + session.messages.len());
        session.question(left.saturating_sub(60).max(40));
        session
    }

    /// The body of the next request.
    pub fn body(&self) -> Bytes {
        Bytes::from([self.before.as_str(), self.messages.trim_end_matches(','), self.after.as_str()].concat())
    }

    /// Goes on by one turn: the answer of the assistant with its tool call, and what the tool returned.
    pub fn advance(&mut self) {
        self.turns += 1;
        self.step(self.shape.turn_bytes);
    }

    /// Which turn the next request is, from 1.
    pub fn turn(&self) -> usize {
        self.turns
    }

    fn question(&mut self, bytes: usize) {
        let mut text = String::with_capacity(bytes + 200);
        // Escaped, text becomes a little longer than it is.
        writing::prose(&mut text, &mut self.random, bytes * 97 / 100);
        let text = json_string(&text);
        let _ = match self.shape.dialect {
            Dialect::Anthropic | Dialect::CountTokens => {
                write!(self.messages, "{{\"role\":\"user\",\"content\":[{{\"type\":\"text\",\"text\":{text}}}]}},")
            }
            Dialect::Chat => write!(self.messages, "{{\"role\":\"user\",\"content\":{text}}},"),
            Dialect::Responses => write!(
                self.messages,
                "{{\"type\":\"message\",\"role\":\"user\",\"content\":[{{\"type\":\"input_text\",\"text\":{text}}}]}},"
            ),
        };
    }

    /// The assistant says something and calls a tool, which returns about `bytes` bytes less what that took.
    fn step(&mut self, bytes: usize) {
        let random = &mut self.random;
        let id = format!("call_{}", writing::hex(random, 20));
        let mut said = String::new();
        writing::prose(&mut said, random, 160);
        let input = tool_input(random, bytes / 5);
        let output = writing::tool_output(random, (bytes * 4 / 5).saturating_sub(700));
        let (said, output) = (json_string(&said), json_string(&output));
        let messages = &mut self.messages;
        let _ = match self.shape.dialect {
            Dialect::Anthropic | Dialect::CountTokens => write!(
                messages,
                "{{\"role\":\"assistant\",\"content\":[{{\"type\":\"text\",\"text\":{said}}},{{\"type\":\"tool_use\",\"id\":\"{id}\",\"name\":\"Edit\",\"input\":{input}}}]}},\
                 {{\"role\":\"user\",\"content\":[{{\"type\":\"tool_result\",\"tool_use_id\":\"{id}\",\"content\":[{{\"type\":\"text\",\"text\":{output}}}]}}]}},"
            ),
            Dialect::Chat => write!(
                messages,
                "{{\"role\":\"assistant\",\"content\":{said},\"tool_calls\":[{{\"id\":\"{id}\",\"type\":\"function\",\"function\":{{\"name\":\"edit\",\"arguments\":{}}}}}]}},\
                 {{\"role\":\"tool\",\"tool_call_id\":\"{id}\",\"content\":{output}}},",
                json_string(&input)
            ),
            Dialect::Responses => write!(
                messages,
                "{{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{{\"type\":\"output_text\",\"text\":{said}}}]}},\
                 {{\"type\":\"function_call\",\"call_id\":\"{id}\",\"name\":\"edit\",\"arguments\":{}}},\
                 {{\"type\":\"function_call_output\",\"call_id\":\"{id}\",\"output\":{output}}},",
                json_string(&input)
            ),
        };
    }
}

/// What stands before and after the messages.
fn frame(shape: &Shape, random: &mut Random) -> (String, String) {
    let mut shared = Random::new(SHARED_SEED);
    let source = if shape.tools == Tools::Shared { &mut shared } else { &mut *random };
    let tools = tools(shape, source, ((shape.first_bytes as f64 * TOOLS_PART) as usize).min(TOOLS_BYTES_MAX));
    let mut system = String::new();
    writing::prose(&mut system, source, ((shape.first_bytes as f64 * SYSTEM_PART) as usize).min(SYSTEM_BYTES_MAX));
    let _ = write!(system, "\n<env>\nWorking directory: {}\nToday: 2026-03-14\n</env>\n", writing::path(random));
    let system = json_string(&system);
    let (model, stream) = (shape.dialect.model(), shape.stream);
    let user = json_string(&format!("{{\"session_id\":\"{}\"}}", writing::uuid(random)));
    match shape.dialect {
        Dialect::Anthropic => (
            format!("{{\"model\":\"{model}\",\"messages\":["),
            format!(
                "],\"system\":[{{\"type\":\"text\",\"text\":{system},\"cache_control\":{{\"type\":\"ephemeral\"}}}}],\"tools\":{tools},\"metadata\":{{\"user_id\":{user}}},\"max_tokens\":32000,\"stream\":{stream}}}"
            ),
        ),
        Dialect::CountTokens => (
            format!("{{\"model\":\"{model}\",\"messages\":["),
            format!("],\"system\":[{{\"type\":\"text\",\"text\":{system}}}],\"tools\":{tools}}}"),
        ),
        Dialect::Chat => (
            format!("{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"system\",\"content\":{system}}},"),
            format!("],\"tools\":{tools},\"stream\":{stream}}}"),
        ),
        Dialect::Responses => (
            format!("{{\"model\":\"{model}\",\"instructions\":{system},\"input\":["),
            format!("],\"tools\":{tools},\"parallel_tool_calls\":true,\"store\":false,\"stream\":{stream}}}"),
        ),
    }
}

/// Tool definitions of about `bytes` bytes; the last one is cut to fit, so that sizes hold.
fn tools(shape: &Shape, random: &mut Random, bytes: usize) -> String {
    let mut tools = String::with_capacity(bytes + 4_096);
    tools.push('[');
    while tools.len() < bytes {
        let left = bytes - tools.len();
        let mut description = String::new();
        writing::prose(&mut description, random, (left / 2).min(1_200));
        let mut properties = String::new();
        while properties.len() < (left / 3).min(900) {
            let (name, says) = (writing::name(random), json_string(&writing::phrase(random)));
            let comma = if properties.is_empty() { "" } else { "," };
            let _ = write!(properties, "{comma}\"{name}\":{{\"type\":\"string\",\"description\":{says}}}");
        }
        let (name, description) = (writing::name(random), json_string(&description));
        let schema = format!("{{\"type\":\"object\",\"properties\":{{{properties}}},\"additionalProperties\":false}}");
        let comma = if tools.len() > 1 { "," } else { "" };
        let _ = match shape.dialect {
            Dialect::Anthropic | Dialect::CountTokens => {
                write!(tools, "{comma}{{\"name\":\"{name}\",\"description\":{description},\"input_schema\":{schema}}}")
            }
            Dialect::Chat => write!(
                tools,
                "{comma}{{\"type\":\"function\",\"function\":{{\"name\":\"{name}\",\"description\":{description},\"parameters\":{schema}}}}}"
            ),
            Dialect::Responses => write!(
                tools,
                "{comma}{{\"type\":\"function\",\"name\":\"{name}\",\"description\":{description},\"parameters\":{schema}}}"
            ),
        };
    }
    tools.push(']');
    tools
}

/// The arguments of an edit: code inside JSON.
fn tool_input(random: &mut Random, bytes: usize) -> String {
    let (mut before, mut after) = (String::new(), String::new());
    writing::code(&mut before, random, bytes / 3);
    writing::code(&mut after, random, bytes / 3);
    let path = writing::path(random);
    format!(
        "{{\"file_path\":\"{path}\",\"old_string\":{},\"new_string\":{}}}",
        json_string(&before),
        json_string(&after)
    )
}

fn json_string(text: &str) -> String {
    // Writing text to memory as a JSON string cannot fail.
    quoted(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dialect: Dialect, first_bytes: usize) -> Shape {
        Shape { dialect, first_bytes, turn_bytes: 4_096, tools: Tools::Own, stream: true }
    }

    #[test]
    fn a_first_turn_is_json_of_about_the_size_that_was_asked_for() {
        for dialect in Dialect::ALL {
            for bytes in [2 << 10, 64 << 10, 128 << 10, 1 << 20] {
                let body = Session::new(shape(dialect, bytes), 11).body();
                let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(value["model"], dialect.model());
                let off = body.len().abs_diff(bytes);
                assert!(off < 800 + bytes / 20, "{dialect:?} {bytes}: {}", body.len());
            }
        }
    }

    #[test]
    fn a_later_turn_sends_all_earlier_ones_again_and_adds_its_own() {
        for dialect in [Dialect::Anthropic, Dialect::Chat, Dialect::Responses] {
            let mut session = Session::new(shape(dialect, 64 << 10), 3);
            let (first, history) = (session.body(), session.messages.clone());
            (0..19).for_each(|_| session.advance());
            assert_eq!(session.turn(), 20);
            assert!(session.messages.starts_with(&history));
            let grown = (session.body().len() - first.len()) / 19;
            assert!((3_000..5_500).contains(&grown), "{dialect:?} {grown}");
            serde_json::from_slice::<serde_json::Value>(&session.body()).unwrap();
        }
    }

    #[test]
    fn only_shared_tools_are_the_same_between_sessions() {
        let tools = |tools, seed| {
            let body = Session::new(Shape { tools, ..shape(Dialect::Anthropic, 32 << 10) }, seed).body();
            serde_json::from_slice::<serde_json::Value>(&body).unwrap()["tools"].to_string()
        };
        assert_eq!(tools(Tools::Shared, 1), tools(Tools::Shared, 2));
        assert_ne!(tools(Tools::Own, 1), tools(Tools::Own, 2));
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let body = |seed| Session::new(shape(Dialect::Anthropic, 16 << 10), seed).body();
        assert_eq!(body(5), body(5));
        assert_ne!(body(5), body(6));
    }
}
