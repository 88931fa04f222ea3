//! One exchange from open to close: the only place where the order of steps stands.

use std::sync::Arc;

use super::{Reply, Snapshot, Upstream};
use crate::domain::{Event, RequestId, Secret, Stamp};

/// The head of a request, as the edge read it.
pub struct Head<'a> {
    /// Upper case.
    pub method: &'a str,
    /// Without query.
    pub path: &'a str,
    /// Without the question mark.
    pub query: Option<&'a str>,
    /// Every header in its order, lower-case names.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// For session memory where the client names no session.
    pub client: std::net::IpAddr,
}

/// What follows from a head.
pub enum Opening {
    /// Read the whole body, at most so many encoded bytes, feeding `request_body`.
    ReadBody {
        /// Bound.
        bytes_max: u64,
    },
    /// Answer now; the provider is not contacted.
    Answer(Reply),
}

/// What follows from the whole body.
pub enum Sending {
    /// Contact the provider.
    Forward(Forward),
    /// Answer now; the provider is not contacted.
    Answer(Reply),
}

/// A request as it goes to the provider.
pub struct Forward {
    /// To whom.
    pub upstream: Arc<Upstream>,
    /// Path and query, upstream's path prefix included.
    pub path_and_query: String,
    /// Headers of the client that must not go on (lower case), beyond hop-by-hop ones.
    pub remove_headers: Vec<String>,
    /// Headers to set: the provider's credential, configured ones.
    pub set_headers: Vec<(String, Secret)>,
    /// `Some` if the body goes out other than it came in; `None`: the bytes as received.
    pub body: Option<Vec<u8>>,
}

/// How the answer is to be handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answering {
    /// As it comes: nothing to scan (errors, empty answers).
    Pass,
    /// Hold header and body, at most so many encoded bytes, feeding `response_chunk`; then decide.
    Hold {
        /// Bound.
        bytes_max: u64,
    },
    /// Feed `response_chunk`, write what it gives, length unknown.
    Stream,
    /// Answer instead; drop the upstream.
    Refuse,
}

/// What follows from a piece of the answer.
pub enum Flow {
    /// Write what was put out and go on.
    Continue,
    /// Write what was put out, end the answer properly, drop the upstream.
    Stop,
    /// Held answers only: answer this instead.
    Replace(Reply),
}

/// One exchange.
pub struct Exchange {
    _snapshot: Arc<Snapshot>,
    _request: RequestId,
}

impl Exchange {
    /// Reads the head: gateway key to team, path to provider.
    pub fn open(snapshot: Arc<Snapshot>, request: RequestId, head: &Head<'_>, now: Stamp) -> (Self, Opening) {
        let _ = (head, now);
        let bytes_max = snapshot.limits.body_bytes_max;
        (Exchange { _snapshot: snapshot, _request: request }, Opening::ReadBody { bytes_max })
    }

    /// A piece of the body, and whether it was the last; decides with the last.
    /// `None`: go on reading. An answer before the last piece: stop reading (drain a little).
    pub fn request_body(&mut self, _chunk: &[u8], _last: bool, _now: Stamp) -> Option<Sending> {
        None
    }

    /// The provider's status and headers (lower-case names). For `Refuse` the reply comes along.
    pub fn response_head(
        &mut self,
        _status: u16,
        _headers: &[(&str, &[u8])],
        _now: Stamp,
    ) -> (Answering, Option<Reply>) {
        (Answering::Pass, None)
    }

    /// A piece of the answer's body, and whether it was the last; bytes for the client are appended to `out`.
    pub fn response_chunk(&mut self, _chunk: &[u8], _last: bool, _now: Stamp, _out: &mut Vec<u8>) -> Flow {
        Flow::Continue
    }

    /// Body bytes held by this exchange, for the sum over all.
    pub fn held_bytes(&self) -> u64 {
        0
    }

    /// A refusal of the edge's own (timeouts, framing, overload, upstream failure), dressed for this exchange's client.
    pub fn refuse(&mut self, _kind: crate::providers::RefusalKind, _message: String) -> Reply {
        unreachable!()
    }

    /// Ends it. `outcome` is what the edge knows; a refusal or a stop that happened inside prevails.
    pub fn close(self, _outcome: crate::domain::Outcome, _response_bytes: u64, _now: Stamp) -> Event {
        unreachable!()
    }
}
