//! The outlet that ships records to the policy server: every entry, in order, at least once, with its hash, so that the
//! server verifies the chain as it arrives. What the server does not have any more is sent again from the local store.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contact::{Answer, Contact, Refused};
use crate::control::ProblemKind;
use crate::domain::Secret;
use crate::sinks::{Failure, Outlet};
use crate::store::{self, Entry, Head, Link, Mark, Marker, Store};

const PATH: &str = "/api/v1/ingest";
/// Bytes of texts sent together, roughly; the server takes some times as much.
const BYTES_MAX: usize = 6 << 20;
/// Entries sent together.
const ENTRIES_MAX: usize = 500;

/// Ships records.
pub struct Shipping {
    contact: Contact,
    parts: Parts,
}

/// What shipping takes.
pub struct Parts {
    /// The gateway's name, which its records have.
    pub gateway: Arc<str>,
    /// Signs where the shipped chain begins.
    pub marker: Marker,
    /// Where it begins: the last entry that is not shipped. `None` where it is followed already.
    pub start: Option<Head>,
    /// The address of the local store, which has what the journal does not have any more.
    pub store: Option<Secret>,
}

/// What is posted.
#[derive(Serialize)]
struct Shipment<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<&'a Mark>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lost: bool,
    entries: Vec<Shipped<'a>>,
}

#[derive(Serialize)]
struct Shipped<'a> {
    hash: String,
    body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

/// How far the server has come with this gateway's chain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Arrived {
    /// 0 where it has nothing.
    sequence: u64,
}

/// What it remembers over a restart.
#[derive(Serialize, Deserialize)]
struct Start {
    sequence: u64,
    hash: String,
}

/// Why a post did not succeed.
enum Trouble {
    /// The server has another place in the chain.
    Elsewhere(String),
    Failed(String),
}

impl From<String> for Trouble {
    fn from(what: String) -> Self {
        Trouble::Failed(what)
    }
}

impl Shipping {
    /// Its name among the outlets.
    pub const NAME: &'static str = "control";

    pub(super) fn new(contact: Contact, parts: Parts) -> Shipping {
        Shipping { contact, parts }
    }

    /// Posts entries that belong together; large ones in several steps.
    async fn post(&self, entries: &[Entry], start: Option<&Mark>, lost: bool) -> Result<(), Trouble> {
        let (mut rest, mut first) = (entries, true);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest));
            let entries = now.iter().map(shipped).collect();
            let shipment = Shipment { start: start.filter(|_| first), lost: lost && first, entries };
            match self.contact.post::<Arrived>(PATH, &shipment).await? {
                Answer::Given(..) => {}
                Answer::Unchanged => return Err(Trouble::Failed("no answer of a policy server".to_owned())),
                Answer::Refused(Refused { kind: Some(ProblemKind::Conflict), detail }) => {
                    return Err(Trouble::Elsewhere(detail));
                }
                Answer::Refused(refused) => return Err(Trouble::Failed(refused.detail)),
            }
            (rest, first) = (later, false);
        }
        Ok(())
    }

    /// Sends again what stands between the server's place and the first of `entries`, and says what was lost.
    async fn catch_up(&self, entries: &[Entry], refused: String) -> Result<(), Trouble> {
        let Some(first) = entries.first() else { return Ok(()) };
        let arrived = match self.contact.get::<Arrived>(PATH, None).await? {
            Answer::Given(arrived, _) => arrived.sequence,
            _ => return Err(Trouble::Failed(refused)),
        };
        if arrived + 1 >= first.sequence {
            // It is where it should be, and does not take what follows: another chain of the same name.
            return Err(Trouble::Failed(refused));
        }
        tracing::warn!(from = arrived + 1, "the policy server lacks records: they are sent again");
        let store = self.open().await;
        let mark = match &store {
            Some(store) => store.mark(&self.parts.gateway).await.ok().flatten(),
            None => None,
        };
        // Where it has nothing, the chain may begin behind what has expired here.
        let mark = mark.filter(|it| arrived == 0 && it.sequence < first.sequence);
        let mut next = mark.as_ref().map_or(arrived + 1, |it| it.sequence + 1);
        let mut whole = mark.is_some() || arrived > 0 || next == 1;
        let mut start = mark.as_ref();
        while let Some(store) = store.as_ref().filter(|_| next < first.sequence) {
            let rows = store.read(&self.parts.gateway, next, ENTRIES_MAX).await;
            let rows = rows.map_err(|error| error.to_string())?;
            let again: Vec<Entry> =
                rows.into_iter().map(|it| it.entry).take_while(|it| it.sequence < first.sequence).collect();
            let Some(last) = again.last().map(|it| it.sequence) else { break };
            let lost = !whole || again[0].sequence > next;
            self.post(&again, start, lost).await?;
            (next, whole, start) = (last + 1, true, None);
        }
        self.post(entries, start, !whole || next < first.sequence).await
    }

    async fn open(&self) -> Option<Box<dyn Store>> {
        store::open(self.parts.store.as_ref()?.expose()).await.ok()
    }
}

/// How many of these, one at least, go together.
fn fitting(entries: &[Entry]) -> usize {
    let mut bytes = 0;
    let within = entries.iter().take(ENTRIES_MAX).take_while(|it| {
        bytes += it.body.len() + it.sealed.as_ref().map_or(0, |it| it.len());
        bytes <= BYTES_MAX
    });
    within.count().max(1)
}

fn shipped(entry: &Entry) -> Shipped<'_> {
    Shipped {
        hash: entry.hash.to_string(),
        body: &entry.body,
        sealed: entry.sealed.as_deref().map(|it| STANDARD.encode(it)),
    }
}

#[async_trait]
impl Outlet for Shipping {
    fn name(&self) -> &str {
        Shipping::NAME
    }

    async fn deliver(&mut self, entries: &[Entry], now_ms: u64) -> Result<(), Failure> {
        let start =
            self.parts.start.filter(|it| entries.first().is_some_and(|first| first.sequence == it.sequence + 1));
        let mark = start.filter(|it| it.sequence > 0).map(|it| self.parts.marker.mark(it, now_ms));
        let done = match self.post(entries, mark.as_ref(), false).await {
            Err(Trouble::Elsewhere(detail)) => self.catch_up(entries, detail).await,
            other => other,
        };
        match done {
            Ok(()) => {
                self.parts.start = None;
                Ok(())
            }
            // Whatever the server says of an entry, it is offered again: nothing becomes a dead letter here.
            Err(Trouble::Elsewhere(what) | Trouble::Failed(what)) => Err(Failure::later(what)),
        }
    }

    fn state(&self) -> Option<Value> {
        let start = self.parts.start?;
        serde_json::to_value(Start { sequence: start.sequence, hash: start.hash.to_string() }).ok()
    }

    fn restore(&mut self, state: Value) {
        let start: Option<Start> = serde_json::from_value(state).ok();
        let head = start.and_then(|it| Some(Head { sequence: it.sequence, hash: it.hash.parse::<Link>().ok()? }));
        self.parts.start = head.or(self.parts.start);
    }
}
