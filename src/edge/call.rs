//! One exchange as the edge keeps it: the pipeline's state, what it holds, how it ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::Shared;
use super::held::Lease;
use crate::config::Limits;
use crate::domain::{Clock, Outcome, RequestId, Team};
use crate::pipeline::RefusalKind;
use crate::pipeline::{
    Admission, Answering, Exchange, Flow, Head, Heard, Load, Opening, Place, Reply, Sending, Snapshot, SocketMemory,
    Turned,
};
use crate::sinks::{Gauge, Ledger, Ticket, Unavailable};

/// A connection that the provider had closed before is found out within so long: a round trip or a few. What is lost later
/// was read, and perhaps paid for.
const STALE_TIME: Duration = Duration::from_secs(1);

/// A call shared by the two sides of one task: the phases of the proxy and the replaying session.
/// They never run at once, so the lock is never waited for.
pub(super) struct Call(Mutex<State>);

struct State {
    shared: Arc<Shared>,
    /// `None` once the call is closed.
    exchange: Option<Exchange>,
    request: RequestId,
    team: Team,
    /// The place for its record; `None` where nothing is recorded, and once it is.
    ticket: Option<Ticket>,
    limits: Limits,
    deadline: Instant,
    lease: Lease,
    /// In its team's count of exchanges in flight, once it was admitted.
    place: Option<Place>,
    /// When the whole request had been handed to the connection; `None` before that.
    sent: Option<Instant>,
    /// The provider's head has arrived.
    begun: bool,
    outcome: Outcome,
    response_bytes: u64,
    _active: Level,
    stream: Option<Level>,
}

/// One more on a gauge for as long as it lives.
pub(super) struct Level(Gauge);

impl Level {
    pub(super) fn up(gauge: &Gauge) -> Self {
        gauge.inc();
        Level(gauge.clone())
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Call {
    /// Opens an exchange on the snapshot in force.
    pub(super) fn open(
        shared: &Arc<Shared>,
        snapshot: Arc<Snapshot>,
        request: RequestId,
        head: &Head<'_>,
    ) -> (Self, Opening) {
        let limits = snapshot.limits;
        let (exchange, opening) = Exchange::open(snapshot, request.clone(), head, shared.clock.now());
        Self::begin(shared, request, limits, exchange, opening)
    }

    /// Opens the exchange of an upgrade to a socket.
    pub(super) fn open_socket(
        shared: &Arc<Shared>,
        snapshot: Arc<Snapshot>,
        request: RequestId,
        head: &Head<'_>,
    ) -> (Self, Sending) {
        let limits = snapshot.limits;
        let (exchange, sending) = Exchange::open_socket(snapshot, request.clone(), head, shared.clock.now());
        // Nothing is read; the opening only carries a refusal for want of a place for the record.
        let (call, opening) = Self::begin(shared, request, limits, exchange, Opening::ReadBody { bytes_max: 0 });
        match (opening, sending) {
            (Opening::Answer(reply), Sending::Forward(_)) => (call, Sending::Answer(reply)),
            (_, sending) => (call, sending),
        }
    }

    /// Opens the exchange of one message on a socket.
    pub(super) fn open_message(
        shared: &Arc<Shared>,
        request: RequestId,
        head: &Head<'_>,
        memory: SocketMemory,
    ) -> (Self, Opening) {
        let (snapshot, now) = (shared.live.load(), shared.clock.now());
        let limits = snapshot.limits;
        let (exchange, opening) = Exchange::open_message(snapshot, request.clone(), head, memory, now);
        Self::begin(shared, request, limits, exchange, opening)
    }

    fn begin(
        shared: &Arc<Shared>,
        request: RequestId,
        limits: Limits,
        mut exchange: Exchange,
        opening: Opening,
    ) -> (Self, Opening) {
        let ticket = shared.ledger.as_ref().map(Ledger::admit).transpose();
        let opening = match (&ticket, opening) {
            (Err(Unavailable), Opening::ReadBody { .. }) => Opening::Answer(unrecorded(&mut exchange)),
            (_, opening) => opening,
        };
        let state = State {
            shared: shared.clone(),
            team: exchange.team().clone(),
            exchange: Some(exchange),
            request,
            ticket: ticket.unwrap_or_default(),
            limits,
            deadline: Instant::now() + limits.total_timeout,
            lease: Lease::new(shared.metrics.clone()),
            place: None,
            sent: None,
            begun: false,
            // What it is if nothing else happens before the end.
            outcome: Outcome::Cancelled,
            response_bytes: 0,
            _active: Level::up(&shared.metrics.active_requests),
            stream: None,
        };
        (Call(Mutex::new(state)), opening)
    }

    /// Id of the exchange.
    pub(super) fn request(&self) -> RequestId {
        self.state().request.clone()
    }

    /// The team that asks.
    pub(super) fn team(&self) -> Team {
        self.state().team.clone()
    }

    /// Whether it may go on, under this load. `None` only after the call was closed.
    pub(super) fn admit(&self, load: &Load) -> Option<Admission> {
        let mut state = self.state();
        let now = state.shared.clock.now();
        Some(state.exchange()?.admit(load, now))
    }

    /// It has waited for its turn as long as it may. `None` only after the call was closed.
    pub(super) fn waited_too_long(&self) -> Option<(Reply, Turned)> {
        Some(self.state().exchange()?.waited_too_long())
    }

    /// It goes on, and counts for its team until it is closed.
    pub(super) fn take(&self, place: Place) {
        self.state().place = Some(place);
    }

    /// The limits it started with.
    pub(super) fn limits(&self) -> Limits {
        self.state().limits
    }

    /// When it must be over.
    pub(super) fn deadline(&self) -> Instant {
        self.state().deadline
    }

    /// Feeds a piece of the request's body.
    pub(super) fn request_body(&self, chunk: &[u8], last: bool) -> Option<Sending> {
        let mut state = self.state();
        let now = state.shared.clock.now();
        state.exchange()?.request_body(chunk, last, now)
    }

    /// Writes the decision over the prompt down before the provider is contacted, where that is asked for. An answer
    /// instead: it could not be.
    pub(super) async fn decided(&self) -> Option<Reply> {
        let (shared, event) = {
            let mut state = self.state();
            let shared = state.shared.clone();
            shared.ledger.as_ref().filter(|it| it.is_strict())?;
            let now = shared.clock.now();
            (shared, state.exchange()?.so_far(now))
        };
        match shared.ledger.as_ref()?.decided(event).await {
            Ok(()) => None,
            Err(Unavailable) => {
                let mut state = self.state();
                state.outcome = Outcome::Refused;
                Some(unrecorded(state.exchange()?))
            }
        }
    }

    /// The provider is about to be contacted.
    pub(super) fn forwarded(&self) {
        let mut state = self.state();
        let now = state.shared.clock.now();
        if let Some(exchange) = state.exchange() {
            exchange.forwarded(now);
        }
    }

    /// A try begins: nothing of the request was sent on its connection.
    pub(super) fn unsent(&self) {
        self.state().sent = None;
    }

    /// The last piece of the request is handed to the connection.
    pub(super) fn sent(&self) {
        self.state().sent = Some(Instant::now());
    }

    /// Whether a provider whose connection is lost now may have begun to work on the request.
    pub(super) fn may_be_worked_on(&self) -> bool {
        self.state().sent.is_some_and(|it| it.elapsed() > STALE_TIME)
    }

    /// Tells of the provider's head.
    pub(super) fn response_head(&self, status: u16, headers: &[(&str, &[u8])]) -> (Answering, Option<Reply>) {
        let mut state = self.state();
        let now = state.shared.clock.now();
        state.begun = true;
        let Some(exchange) = state.exchange() else { return (Answering::Refuse, None) };
        let (answering, reply) = exchange.response_head(status, headers, now);
        if answering == Answering::Stream {
            state.stream = Some(Level::up(&state.shared.metrics.active_streams));
        }
        (answering, reply)
    }

    /// Bytes of the provider's without the gateway's keys, if there are any in them.
    pub(super) fn without_keys(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.state().exchange()?.without_keys(bytes)
    }

    /// Whether the provider has begun to answer; from then on no retry is allowed.
    pub(super) fn has_begun(&self) -> bool {
        self.state().begun
    }

    /// Feeds a piece of the answer's body; bytes for the client are appended to `out`.
    pub(super) fn response_chunk(&self, chunk: &[u8], last: bool, out: &mut Vec<u8>) -> Flow {
        let mut state = self.state();
        let now = state.shared.clock.now();
        match state.exchange() {
            Some(exchange) => exchange.response_chunk(chunk, last, now, out),
            None => Flow::Stop,
        }
    }

    /// Feeds a message of the provider's socket; messages for the client are appended to `out`.
    pub(super) fn response_message(&self, message: Bytes, out: &mut Vec<Vec<u8>>) -> Heard {
        let mut state = self.state();
        let now = state.shared.clock.now();
        if !state.begun {
            state.begun = true;
            state.stream = Some(Level::up(&state.shared.metrics.active_streams));
        }
        match state.exchange() {
            Some(exchange) => exchange.response_message(message, now, out),
            None => Heard::Stopped,
        }
    }

    /// What the next exchange on the same socket is to know.
    pub(super) fn take_memory(&self) -> SocketMemory {
        self.state().exchange().map(Exchange::take_memory).unwrap_or_default()
    }

    /// Books what the edge keeps for this call, the pipeline's share included.
    /// `false`: all exchanges together hold too much, and this one has to let go.
    pub(super) fn keep(&self, bytes: u64) -> bool {
        let mut state = self.state();
        let held = state.exchange().map_or(0, |it| it.held_bytes());
        let bytes_max = state.limits.held_bytes_max;
        state.lease.hold(bytes.saturating_add(held), bytes_max)
    }

    /// As [`Call::keep`], for an answer that is held: it was paid for, so there is a quarter more room for it than for
    /// new requests.
    pub(super) fn keep_answer(&self, bytes: u64) -> bool {
        let mut state = self.state();
        let held = state.exchange().map_or(0, |it| it.held_bytes());
        let bytes_max = state.limits.held_bytes_max;
        state.lease.hold(bytes.saturating_add(held), bytes_max.saturating_add(bytes_max / 4))
    }

    /// As [`Call::keep`], for a stream under way, which is never cut.
    pub(super) fn keep_stream(&self) {
        let mut state = self.state();
        let held = state.exchange().map_or(0, |it| it.held_bytes());
        state.lease.hold_anyway(held);
    }

    /// Every address of the provider is left alone for so long. `None` only after the call was closed.
    pub(super) fn unavailable(&self, wait: Duration) -> Option<Reply> {
        let mut state = self.state();
        state.outcome = Outcome::UpstreamFailed;
        let message = "the provider has failed repeatedly and is left alone for a moment; try again shortly";
        Some(state.exchange()?.refuse_for(RefusalKind::UpstreamUnavailable, message.to_owned(), wait))
    }

    /// The refusal, dressed for this client. `None` only after the call was closed.
    pub(super) fn refuse(&self, kind: RefusalKind, message: impl Into<String>) -> Option<Reply> {
        let mut state = self.state();
        state.outcome = match kind {
            RefusalKind::UpstreamFailed => Outcome::UpstreamFailed,
            _ => Outcome::Refused,
        };
        Some(state.exchange()?.refuse(kind, message.into()))
    }

    /// What the edge knows of how it ends.
    pub(super) fn ends(&self, outcome: Outcome) {
        self.state().outcome = outcome;
    }

    /// The client took what it was sent too slowly.
    pub(super) fn slow_client(&self) {
        self.state().shared.metrics.slow_client("reading");
    }

    /// Counts body bytes that go to the client.
    pub(super) fn wrote(&self, bytes: u64) {
        self.state().response_bytes += bytes;
    }

    /// Ends the exchange and emits its event. Later calls do nothing.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.stream = None;
        state.lease.hold(0, u64::MAX);
        let now = state.shared.clock.now();
        if let Some(exchange) = state.exchange.take() {
            let event = Arc::new(exchange.close(state.outcome, state.response_bytes, now));
            if let Some((ledger, ticket)) = state.shared.clone().ledger.as_ref().zip(state.ticket.take()) {
                ledger.record(ticket, event.clone());
            }
            state.shared.queue.emit(event);
        }
        state.leave();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing passes without a record.
fn unrecorded(exchange: &mut Exchange) -> Reply {
    let message = "the gateway cannot record this exchange at the moment, and nothing passes without a record";
    exchange.refuse(RefusalKind::AuditUnavailable, message.to_owned())
}

impl State {
    /// Makes room for the next of its team.
    fn leave(&mut self) {
        let Some(place) = self.place.take() else { return };
        let account = place.into_account();
        if account.is_waited_for() {
            self.shared.gate.wake(&self.team);
        }
    }

    fn exchange(&mut self) -> Option<&mut Exchange> {
        self.exchange.as_mut()
    }
}

impl Drop for Call {
    /// A call that was cut off (a connection lost between two phases, a runtime that stops) leaves its event, too.
    /// Not while unwinding: the pipeline may be what panicked.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.close();
        }
    }
}
