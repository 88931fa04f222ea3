//! What differs per AI vendor: paths, credentials, where text sits, stream events, error and refusal shapes.

mod anthropic;
mod azure;
mod blocks;
#[cfg(test)]
mod contract_tests;
mod detect;
#[cfg(test)]
mod fixture;
mod keys;
mod openai;
mod outline;
mod refusal;
mod segments;
mod session;
mod sse;
mod usage;

use std::ops::Range;

use crate::config::Dialect;
use crate::domain::{Skipped, Source};
use crate::wire::json::Path;

pub use detect::detect;
pub use refusal::{Refusal, RefusalKind};
pub(crate) use segments::decoded as percent_decoded;
pub use session::{SESSION_HEADERS, session_header, session_in_user_id};
pub use usage::Told;

/// Every dialect: to add one is one folder and one line.
pub const ALL: &[&dyn Provider] = &[&anthropic::Anthropic, &openai::OpenAi, &azure::Azure];

/// The one that speaks `dialect`.
pub fn for_dialect(dialect: Dialect) -> &'static dyn Provider {
    match dialect {
        Dialect::Anthropic => &anthropic::Anthropic,
        Dialect::OpenAi => &openai::OpenAi,
        Dialect::Azure => &azure::Azure,
    }
}

/// What a path of a provider's API is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Anthropic `POST /v1/messages`.
    Messages,
    /// Anthropic `POST /v1/messages/count_tokens`.
    CountTokens,
    /// Anthropic `/v1/messages/batches…`.
    Batches,
    /// OpenAI `POST /v1/chat/completions`.
    ChatCompletions,
    /// OpenAI `/v1/responses…`.
    Responses,
    /// OpenAI `POST /v1/completions`.
    Completions,
    /// OpenAI `POST /v1/embeddings`.
    Embeddings,
    /// `GET /v1/models…` of any dialect.
    Models,
}

impl Endpoint {
    /// The name used in metrics and events.
    pub fn name(self) -> &'static str {
        match self {
            Endpoint::Messages => "messages",
            Endpoint::CountTokens => "count_tokens",
            Endpoint::Batches => "batches",
            Endpoint::ChatCompletions => "chat_completions",
            Endpoint::Responses => "responses",
            Endpoint::Completions => "completions",
            Endpoint::Embeddings => "embeddings",
            Endpoint::Models => "models",
        }
    }
}

/// A request path understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What it is for.
    pub endpoint: Endpoint,
    /// The path to ask the provider for, in the provider's own spelling (with `/v1`, without doubled parts), no query.
    pub path: String,
    /// The model, where the path names it (Azure deployments).
    pub model: Option<String>,
}

impl Route {
    /// The id in the path, of an answer or a batch that the provider keeps and that is fetched, cancelled or deleted.
    pub fn kept_answer(&self) -> Option<&str> {
        if self.model.is_some() {
            return None;
        }
        let mut parts = self.path.rsplit('/').skip_while(|part| matches!(*part, "results" | "cancel" | "input_items"));
        let (id, kind) = (parts.next()?, parts.next()?);
        let is_kind = matches!(kind, "batches" | "completions" | "responses");
        (is_kind && !matches!(id, "compact" | "input_tokens")).then_some(id)
    }
}

/// Author of the message or item that a leaf stands in, as far as its `role` has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `user`
    User,
    /// `assistant`
    Assistant,
    /// `system`, `developer`
    System,
    /// `tool`, `function`
    Tool,
    /// Any other.
    Other,
}

impl Role {
    /// From the JSON string.
    pub fn parse(text: &str) -> Self {
        match text {
            "user" => Role::User,
            "assistant" | "model" => Role::Assistant,
            "system" | "developer" => Role::System,
            "tool" | "function" => Role::Tool,
            _ => Role::Other,
        }
    }
}

/// What was read of one enclosing object before the leaf: its `role` and its `type`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// `role`, if it came before.
    pub role: Option<Role>,
    /// `type`, if it came before.
    pub kind: Option<String>,
}

/// What a string leaf of a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// Text by that author: scanned, may be edited.
    Text(Source),
    /// Signed text (thinking): scanned, must not be edited.
    Sealed(Source),
    /// Opaque if its bytes prove it (base64 alphabet); scanned as text otherwise.
    Opaque(Skipped),
    /// The model's name.
    Model,
    /// The client's session id, or JSON that holds one under `session_id`.
    Session,
}

/// One vendor's dialect. Stateless; [`ALL`] is the closed list.
pub trait Provider: Send + Sync {
    /// The dialect it speaks.
    fn dialect(&self) -> Dialect;

    /// Understands a path without query, prefix already removed; `None` if this API has no such path.
    fn route(&self, method: &str, path: &str) -> Option<Route>;

    /// Header name (lower case) and value that carry the provider's key.
    fn credential(&self, key: &str) -> (&'static str, String);

    /// What the string value at `path` of a request (or of a held JSON answer) is.
    /// `scopes[i]` belongs to the container that `path.steps()[i]` steps out of, so the innermost comes last.
    fn leaf(&self, path: &Path, scopes: &[Scope]) -> Leaf;

    /// The JSON body of a refusal, in the envelope the vendor's clients expect.
    fn refusal(&self, refusal: &Refusal) -> Vec<u8>;

    /// A reader for the events of one streamed answer.
    fn completion(&self, endpoint: Endpoint) -> Box<dyn Completion>;
}

/// The kind of text that grows over the events of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// Prose and code for the reader: released as it is settled.
    Text,
    /// Arguments of a tool call, a JSON document in pieces: held until complete.
    ToolJson,
    /// Free-form input of a tool call (Codex's `apply_patch`): held until complete.
    ToolText,
    /// The model's reasoning; signed where the vendor signs it. Passed on as it is.
    Thinking,
}

/// One growing text of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// Unique within the stream.
    pub id: u64,
    /// What it is.
    pub kind: BlockKind,
}

/// What one event says, for the scanner. Ranges are raw bytes of the event's JSON, inside the quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A block begins (or is first heard of).
    Open(Block),
    /// A piece of a block's text.
    Delta(Block, Range<usize>),
    /// The block is complete.
    Close(Block),
    /// A string that stands complete in this event: repeated full texts, tool names, unknown fields.
    Whole(BlockKind, Range<usize>),
    /// Clients differ in what they would make of it; why.
    Unreadable(&'static str),
}

/// What an event changes in the client's view of the stream, kept with the event until it is released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Note {
    /// Nothing.
    #[default]
    None,
    /// The event means nothing by itself (a ping): it may overtake events that are held.
    Idle,
    /// The answer began.
    Start,
    /// The block, item or choice at this index was opened.
    Open {
        /// Index in the answer.
        index: u32,
        /// What it holds: an ending closes prose, never a tool call.
        kind: BlockKind,
    },
    /// The block, item or choice at this index was closed.
    Close {
        /// Index in the answer.
        index: u32,
    },
    /// The answer is complete.
    Finish,
    /// Several of these, which the reader keeps.
    Several,
}

/// Reader of one streamed answer.
pub trait Completion: Send {
    /// Reads one event: appends what it says to `parts`, returns what it changes for the client.
    /// Data that is not the JSON this dialect sends yields a `Whole` over all of it.
    fn read(&mut self, event: &str, data: &[u8], parts: &mut Vec<Part>) -> Note;

    /// The event of this note went out to the client.
    fn released(&mut self, note: Note);

    /// Bytes that end the stream for the client with this notice as the last text, given what was released.
    /// A tool call that was held is never completed by them.
    fn ending(&self, refusal: &Refusal) -> Vec<u8>;

    /// Bytes that keep an idle client waiting without meaning anything.
    fn keep_alive(&self) -> &'static [u8];
}
