//! Which way a text flows, and who wrote it.

use std::fmt;
use std::str::FromStr;

/// Which way a text flows through the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Prompt: developer to provider.
    Outbound,
    /// Completion: provider to developer.
    Inbound,
}

impl Direction {
    /// The lower-case name used in configuration, metrics and events.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Outbound => "outbound",
            Direction::Inbound => "inbound",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Direction {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Direction::Outbound, Direction::Inbound].into_iter().find(|it| it.name() == text).ok_or(())
    }
}

/// Who wrote a piece of text. Rules name the sources they hold for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Source {
    /// Typed by the developer, or put into a user turn by the tool.
    User,
    /// System or developer instructions.
    System,
    /// Written by the model: a completion, or one resent as history.
    Assistant,
    /// Result of a tool call: file contents, command output, fetched pages. Untrusted.
    ToolResult,
    /// Arguments of a tool call, written by the model.
    ToolInput,
    /// Declaration of a tool: name, description, parameter schema.
    ToolSchema,
    /// Attached document text.
    Document,
    /// Anything else: ids, settings, unknown fields.
    Metadata,
}

impl Source {
    /// Every source, in the order of their bits in [`Sources`].
    pub const ALL: [Source; 8] = [
        Source::User,
        Source::System,
        Source::Assistant,
        Source::ToolResult,
        Source::ToolInput,
        Source::ToolSchema,
        Source::Document,
        Source::Metadata,
    ];

    /// The lower-case name used in rules, policies and events.
    pub fn name(self) -> &'static str {
        match self {
            Source::User => "user",
            Source::System => "system",
            Source::Assistant => "assistant",
            Source::ToolResult => "tool_result",
            Source::ToolInput => "tool_input",
            Source::ToolSchema => "tool_schema",
            Source::Document => "document",
            Source::Metadata => "metadata",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Source {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Source::ALL.into_iter().find(|it| it.name() == text).ok_or(())
    }
}

/// A set of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sources(u8);

impl Sources {
    /// Every source.
    pub const ALL: Sources = Sources(u8::MAX);

    /// The set of the given sources.
    pub fn of(sources: &[Source]) -> Self {
        Sources(sources.iter().fold(0, |bits, &it| bits | 1 << it as u8))
    }

    /// Whether `source` is in the set.
    pub fn contains(self, source: Source) -> bool {
        self.0 & (1 << source as u8) != 0
    }
}

impl FromIterator<Source> for Sources {
    fn from_iter<I: IntoIterator<Item = Source>>(iter: I) -> Self {
        Sources(iter.into_iter().fold(0, |bits, it| bits | 1 << it as u8))
    }
}
