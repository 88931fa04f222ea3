//! All that leaves the pipeline about one exchange: ids, counts, rule ids and places. Never the text.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Action, Finding, KeyId, Model, Money, RequestId, SessionId, Stamp, Team, Verdict};

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The provider's answer went to the client.
    Forwarded,
    /// The gateway refused the request; the provider was never contacted.
    Refused,
    /// The completion was stopped.
    Stopped,
    /// The provider could not be reached or broke off.
    UpstreamFailed,
    /// The client went away.
    Cancelled,
    /// The gateway answered by itself (health, model list, memory of a block).
    Answered,
}

impl Outcome {
    /// The lower-case name used in metrics and events.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Forwarded => "forwarded",
            Outcome::Refused => "refused",
            Outcome::Stopped => "stopped",
            Outcome::UpstreamFailed => "upstream_failed",
            Outcome::Cancelled => "cancelled",
            Outcome::Answered => "answered",
        }
    }
}

/// Why bytes were not scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skipped {
    /// Base64 of an image, sound or document, or of anything else that is no text.
    Media,
    /// The provider's own signature over a thinking block.
    Signature,
    /// Content encrypted by the provider for itself.
    Encrypted,
    /// Signed reasoning of the model, which must not be altered.
    Thinking,
    /// Text as the numbers of a model's tokens.
    Tokens,
}

impl Skipped {
    /// Every reason.
    pub const ALL: [Skipped; 5] =
        [Skipped::Media, Skipped::Signature, Skipped::Encrypted, Skipped::Thinking, Skipped::Tokens];

    /// The lower-case name used in metrics and events.
    pub fn name(self) -> &'static str {
        match self {
            Skipped::Media => "media",
            Skipped::Signature => "signature",
            Skipped::Encrypted => "encrypted",
            Skipped::Thinking => "thinking",
            Skipped::Tokens => "tokens",
        }
    }
}

/// What was read and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Decoded bytes of text that went through the engine.
    pub scanned_bytes: u64,
    /// Bytes that did not, by reason.
    pub skipped_bytes: Vec<(Skipped, u64)>,
}

impl Coverage {
    /// Adds `bytes` that were skipped for `reason`.
    pub fn skip(&mut self, reason: Skipped, bytes: u64) {
        match self.skipped_bytes.iter_mut().find(|(it, _)| *it == reason) {
            Some((_, sum)) => *sum += bytes,
            None => self.skipped_bytes.push((reason, bytes)),
        }
    }

    /// Adds what another text came to.
    pub fn add(&mut self, other: &Coverage) {
        self.scanned_bytes += other.scanned_bytes;
        other.skipped_bytes.iter().for_each(|&(reason, bytes)| self.skip(reason, bytes));
    }
}

/// Tokens of one exchange, as the provider counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Of the prompt.
    pub input: u64,
    /// Of the completion.
    pub output: u64,
    /// Of the prompt, read from the provider's cache.
    pub cache_read: u64,
    /// Of the prompt, written to it.
    pub cache_write: u64,
}

impl Tokens {
    /// The tokens of both.
    pub fn plus(self, other: Tokens) -> Tokens {
        Tokens {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
        }
    }
}

/// What was said, with everything that was found in it taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// The request's body.
    pub prompt: String,
    /// The answer's body, before placeholders were put back.
    pub completion: String,
}

/// The record of one exchange.
#[derive(Clone, Debug)]
pub struct Event {
    /// Id of the exchange.
    pub request: RequestId,
    /// When the request's head had arrived.
    pub start: Stamp,
    /// When the last byte had left.
    pub end: Stamp,
    /// The team whose key was used.
    pub team: Team,
    /// The gateway key, by digest prefix.
    pub key: Option<KeyId>,
    /// The client's session.
    pub session: Option<SessionId>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The client's `user-agent`, cut short; replaced where it holds a secret.
    pub agent: Option<String>,
    /// Digest prefix of the configuration in force.
    pub generation: Arc<str>,
    /// Name of the upstream, as configured.
    pub upstream: Option<String>,
    /// What the upstream speaks.
    pub dialect: Option<&'static str>,
    /// Name of the endpoint: `messages`, `chat_completions`, …
    pub endpoint: &'static str,
    /// Model the client asked for.
    pub model: Option<Model>,
    /// Model that answered, as the provider names it.
    pub model_answered: Option<Model>,
    /// Whether the client asked for a stream.
    pub streamed: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Why the gateway refused, if it did: the refusal's machine-readable kind.
    pub refusal: Option<&'static str>,
    /// Decision over the prompt.
    pub outbound: Verdict,
    /// Decision over the completion.
    pub inbound: Verdict,
    /// Findings in the prompt.
    pub outbound_findings: Vec<Finding>,
    /// Findings in the completion.
    pub inbound_findings: Vec<Finding>,
    /// Coverage of the prompt.
    pub outbound_coverage: Coverage,
    /// Coverage of the completion.
    pub inbound_coverage: Coverage,
    /// Keyed digest of the request's body as it came; `None` without one.
    pub outbound_digest: Option<[u8; 32]>,
    /// Keyed digest of the answer's body as it came from the provider.
    pub inbound_digest: Option<[u8; 32]>,
    /// What was said, where the configuration asks for it to be kept.
    pub texts: Option<Texts>,
    /// Placeholders put back into the completion.
    pub restored: u32,
    /// Body bytes from the client.
    pub request_bytes: u64,
    /// Body bytes to the client.
    pub response_bytes: u64,
    /// Tokens, where the provider tells.
    pub tokens: Option<Tokens>,
    /// What they cost by the table of prices; `None` where it does not name the model.
    pub cost: Option<Money>,
    /// The provider's status, if it answered.
    pub upstream_status: Option<u16>,
    /// Time spent in the gateway itself before the provider was contacted, after the last byte of the request.
    pub gateway_time: Duration,
    /// Time from contacting the provider to the end.
    pub upstream_time: Option<Duration>,
    /// Time from the request's end to the first byte of the answer's body that was passed on.
    pub first_byte_time: Option<Duration>,
}

impl Event {
    /// The most severe action of both directions.
    pub fn action(&self) -> Action {
        self.outbound.action.max(self.inbound.action)
    }
}
