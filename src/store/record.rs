//! What is written down of an exchange or an administrative act. Rules, places, counts and keyed digests; never text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::Risk;

/// One record. Its JSON, in the order of these fields, is what the chain hashes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this form.
    pub version: u32,
    /// The gateway that wrote it.
    pub gateway: String,
    /// Number in that gateway's chain, from 1.
    pub sequence: u64,
    /// When it was written, Unix milliseconds.
    pub written_ms: u64,
    /// A UUIDv7; for exchanges the request id that client and logs see.
    pub id: String,
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
}

impl Record {
    /// The version that this program writes.
    pub const VERSION: u32 = 1;
}

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// One exchange, at its end.
    Exchange(Box<Exchange>),
    /// The decision over a prompt, written before the provider is contacted (`audit.durability: strict`).
    Decision(Box<Exchange>),
    /// What an administrator or the gateway itself did.
    Act(Act),
    /// A signature over all that stands before.
    Checkpoint(Mark),
}

impl Subject {
    /// The lower-case name, as in the JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Subject::Exchange(_) => "exchange",
            Subject::Decision(_) => "decision",
            Subject::Act(_) => "act",
            Subject::Checkpoint(_) => "checkpoint",
        }
    }
}

/// One exchange. Names of teams, models and policies are the configuration's or the client's; those of the client are
/// replaced where they are themselves a secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// When the request's head had arrived, Unix milliseconds.
    pub start_ms: u64,
    /// When the last byte had left, Unix milliseconds.
    pub end_ms: u64,
    /// The team whose key was used.
    pub team: String,
    /// The gateway key: first eight hex digits of its digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The client's session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The client's `user-agent`, cut to 200 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The upstream's name in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// What the upstream speaks: `anthropic`, `openai`, `azure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// `messages`, `chat_completions`, …; `none` where no path matched.
    pub endpoint: String,
    /// The model asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The model that answered, as the provider names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_answered: Option<String>,
    /// Whether the client asked for a stream.
    pub streamed: bool,
    /// How it ended: `forwarded`, `refused`, `stopped`, `upstream_failed`, `cancelled`, `answered`.
    pub outcome: String,
    /// Why the gateway refused, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// The most severe action of both directions.
    pub action: String,
    /// Digest prefix of the configuration in force.
    pub generation: String,
    /// The prompt.
    pub outbound: Side,
    /// The completion.
    pub inbound: Side,
    /// Placeholders put back into the completion.
    pub restored: u32,
    /// Body bytes from the client.
    pub request_bytes: u64,
    /// Body bytes to the client.
    pub response_bytes: u64,
    /// Tokens, as the provider counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// The provider's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_status: Option<u16>,
    /// Time in the gateway before the provider was contacted, microseconds.
    pub gateway_us: u64,
    /// From then to the end, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_ms: Option<u64>,
    /// From the end of the request to the first byte of the answer, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u64>,
    /// SHA-256 of the sealed text that belongs to this record, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
}

impl Exchange {
    /// Highest risk of both directions.
    pub fn risk(&self) -> Option<Risk> {
        let parse = |side: &Side| side.risk.as_deref().and_then(|it| it.parse().ok());
        parse(&self.outbound).max(parse(&self.inbound))
    }

    /// Highest score of both directions.
    pub fn score(&self) -> f64 {
        self.outbound.score.max(self.inbound.score)
    }

    /// Whether the gateway stopped it because of what was found in it.
    pub fn blocked(&self) -> bool {
        self.action == "block"
    }
}

/// One direction of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// What was decided.
    pub action: String,
    /// Highest risk among the findings that count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
    /// Highest score among them, 0 to 1.
    pub score: f64,
    /// Policies that matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Findings, equal ones together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Found>,
    /// Findings beyond the first [`Side::FINDINGS_MAX`] different ones.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub findings_omitted: u64,
    /// HMAC-SHA-256 of the BLAKE3 hash of the body as it came, under the installation's key, hex; absent without a body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Decoded bytes of text that were scanned.
    pub scanned_bytes: u64,
    /// Bytes that were not, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skipped_bytes: BTreeMap<String, u64>,
}

impl Side {
    /// Different findings that one record names.
    pub const FINDINGS_MAX: usize = 200;
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// A finding, with how many of its kind there were.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The rule's id.
    pub rule: String,
    /// The checker it belongs to.
    pub checker: String,
    /// The type of thing found: `AWS_ACCESS_KEY`.
    #[serde(rename = "type")]
    pub label: String,
    /// How bad it is.
    pub risk: String,
    /// How bad and how sure, 0 to 1.
    pub score: f64,
    /// Who wrote the text.
    pub source: String,
    /// Where the first of them stands: `message 3, line 2 (messages[3].content)`.
    pub place: String,
    /// What happened to it.
    pub action: String,
    /// The exception that let it pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// Keyed digest of the value: tells whether two findings are of the same, and nothing else of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// How many findings with the same rule, source, action and value.
    pub count: u64,
}

/// Tokens of one exchange, from the provider's usage block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Of the prompt, as billed.
    pub input: u64,
    /// Of the completion.
    pub output: u64,
    /// Of the prompt, read from the provider's cache.
    pub cache_read: u64,
    /// Of the prompt, written to it.
    pub cache_write: u64,
}

/// What an administrator did, or what happened to the gateway itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// `gateway.started`, `gateway.stopped`, `audit.expired`, `audit.lost`, `alerts.tested`, …
    pub act: String,
    /// Who did it: `gateway`, or the name of an administrator.
    pub actor: String,
    /// Particulars, by name; no secret among them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

impl Act {
    /// What happened to the gateway, or what it did by itself; what of the details is `None` is left out.
    pub fn of_gateway<'a>(act: &str, details: impl IntoIterator<Item = (&'a str, Option<String>)>) -> Act {
        let details = details.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Act { act: act.to_owned(), actor: "gateway".to_owned(), details: details.collect() }
    }
}

/// A gateway's signature over an entry, and thereby over all before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The entry's number.
    pub sequence: u64,
    /// Its hash, hex.
    pub hash: String,
    /// When it was signed, Unix milliseconds.
    pub signed_ms: u64,
    /// The Ed25519 public key, hex.
    pub key: String,
    /// The Ed25519 signature, hex.
    pub signature: String,
}
