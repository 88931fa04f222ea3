//! A client's WebSocket with the provider's behind it, for the Responses API: one answer at a time, an exchange each.
//!
//! The two sides are never tied together: every message is taken whole, goes through the pipeline, and only what that
//! lets pass is written on. One task runs both, so that a side that does not read stops the other by itself.

mod code;
mod handshake;
mod link;
mod seats;
mod upgrade;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pingora_core::server::ShutdownWatch;
use pingora_http::RequestHeader;
use tokio::time::Instant;

use self::handshake::connect;
use self::link::{Broken, Link, Received};
use self::seats::Seat;
use super::call::Call;
use super::proxy::head_of;
use super::{Shared, gate, respond};
use crate::domain::Outcome;
use crate::pipeline::RefusalKind;
use crate::pipeline::{Forward, Heard, MessageKind, Opening, Reply, Sending, SocketMemory, Upstream, kind_of};
use crate::sinks::request_id;

pub(super) use self::seats::Seats;
pub(super) use self::upgrade::upgrade;

/// Bytes of a message that are scanned before other tasks get their turn.
const PIECE_BYTES: usize = 64 << 10;
/// How often a silent side hears something, so that nothing between forgets the connection.
const PING_EVERY: Duration = Duration::from_secs(20);

/// An open socket.
pub(super) struct Socket {
    shared: Arc<Shared>,
    /// The head of the upgrade, which speaks for every message.
    head: RequestHeader,
    address: IpAddr,
    client: Link,
    /// `None` after an answer was cut off; opened again when the next one is asked for.
    provider: Option<Provider>,
    memory: SocketMemory,
    turn: Option<Turn>,
    /// Asked for while another answer is under way; until it is taken nothing more is read from the client.
    waiting: Option<Bytes>,
    opened: Instant,
    /// When something was last asked or answered.
    active: Instant,
    pinged: Instant,
    /// No answer is begun any more.
    leaving: bool,
    _seat: Seat,
}

struct Provider {
    link: Link,
    upstream: Arc<Upstream>,
}

/// The answer under way.
struct Turn {
    call: Call,
    /// When the provider must have said something.
    until: Instant,
}

/// What happens next on a socket.
enum Event {
    Client(Result<Received, Broken>),
    Provider(Result<Received, Broken>),
    Time,
    Stop,
}

/// Whether the socket stays open, or the code it is closed with.
enum Step {
    Stay,
    Leave(u16),
}

impl Socket {
    /// Serves the socket to its end.
    pub(super) async fn run(mut self: Box<Self>, stop: &ShutdownWatch) {
        let mut stop = stop.clone();
        loop {
            let step = match self.waiting.take_if(|_| self.turn.is_none() && !self.leaving) {
                Some(text) => {
                    self.client.restart_clock();
                    self.ask(text, MessageKind::Create).await
                }
                None if self.turn.is_none() && self.leaving => Step::Leave(code::GOING_AWAY),
                None => {
                    let event = self.event(&mut stop).await;
                    self.handle(event).await
                }
            };
            if let Step::Leave(code) = step {
                return self.leave(code).await;
            }
        }
    }

    async fn event(&mut self, stop: &mut ShutdownWatch) -> Event {
        let wake = self.wake();
        let Socket { client, provider, waiting, leaving, .. } = self;
        let heard = async {
            match provider {
                Some(provider) => provider.link.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // An error means that the gateway is gone, which is a stop as well.
            _ = stop.wait_for(|it| *it), if !*leaving => Event::Stop,
            received = client.next(), if waiting.is_none() => Event::Client(received),
            received = heard => Event::Provider(received),
            () = tokio::time::sleep_until(wake) => Event::Time,
        }
    }

    async fn handle(&mut self, event: Event) -> Step {
        match event {
            Event::Client(Ok(Received::Text(text))) => self.said(text).await,
            Event::Client(Ok(Received::Closed(code))) => Step::Leave(code.unwrap_or(code::NORMAL)),
            Event::Client(Err(Broken::Gone)) => Step::Leave(code::GOING_AWAY),
            Event::Client(Err(Broken::Refused(code, why))) => self.objected(code, why).await,
            Event::Provider(Ok(Received::Text(text))) => self.heard(text).await,
            Event::Provider(Ok(Received::Closed(code))) => self.lost(code),
            Event::Provider(Err(Broken::Gone)) => self.lost(None),
            Event::Provider(Err(Broken::Refused(code, why))) => {
                self.drop_provider(code);
                self.fail(RefusalKind::UpstreamFailed, &format!("the provider's answer cannot be read: {why}")).await
            }
            Event::Time => self.tick().await,
            Event::Stop => {
                self.leaving = true;
                Step::Stay
            }
        }
    }

    /// A message of the client.
    async fn said(&mut self, text: Bytes) -> Step {
        match kind_of(&text) {
            MessageKind::Create if self.turn.is_some() => {
                self.waiting = Some(text);
                Step::Stay
            }
            kind => self.ask(text, kind).await,
        }
    }

    /// Takes a message through the pipeline and to the provider.
    async fn ask(&mut self, text: Bytes, kind: MessageKind) -> Step {
        self.active = Instant::now();
        let memory = std::mem::take(&mut self.memory);
        let head = head_of(&self.head, self.address);
        let (call, opening) = Call::open_message(&self.shared, request_id(), &head, memory);
        let opening = gate::admitted(&self.shared, &call, opening).await;
        match decide(&call, opening, kind, &text).await {
            Ok(forward) => self.deliver(call, forward, kind).await,
            Err(reply) => self.refuse(call, reply).await,
        }
    }

    async fn deliver(&mut self, call: Call, forward: Forward, kind: MessageKind) -> Step {
        call.forwarded();
        if let Err(why) = self.reach(&forward).await {
            let reply = call.refuse(RefusalKind::UpstreamFailed, why);
            return self.refuse(call, reply).await;
        }
        let sent = match &mut self.provider {
            Some(provider) => {
                provider.link.queue(&forward.body);
                provider.link.flush().await
            }
            None => Err(Broken::Gone),
        };
        if sent.is_err() {
            self.drop_provider(code::GOING_AWAY);
            let reply = call.refuse(RefusalKind::UpstreamFailed, "the provider broke off");
            return self.refuse(call, reply).await;
        }
        if kind == MessageKind::Create {
            let until = Instant::now() + forward.upstream.timeouts.read;
            self.turn = Some(Turn { call, until });
        } else {
            self.close_call(&call, Outcome::Forwarded);
        }
        Step::Stay
    }

    /// Sees to it that the provider's side is open, and to the right one.
    async fn reach(&mut self, forward: &Forward) -> Result<(), String> {
        if self.provider.as_ref().is_some_and(|it| it.upstream.is_served_by(&forward.upstream)) {
            return Ok(());
        }
        self.drop_provider(code::GOING_AWAY);
        let connected = connect(&self.shared, forward, &self.head).await.map_err(|it| it.reason())?;
        self.provider = Some(Provider { link: connected.link, upstream: forward.upstream.clone() });
        Ok(())
    }

    /// A message of the provider. What belongs to no answer is not passed on: nobody asked, and nobody scans it.
    async fn heard(&mut self, text: Bytes) -> Step {
        let Some(turn) = &mut self.turn else { return Step::Stay };
        self.active = Instant::now();
        if let Some(provider) = &self.provider {
            turn.until = self.active + provider.upstream.timeouts.read;
        }
        let mut out = Vec::new();
        let heard = turn.call.response_message(text, &mut out);
        for message in &out {
            turn.call.wrote(message.len() as u64);
            self.client.queue(message);
        }
        let fits = turn.call.keep(0);
        if !out.is_empty() && self.client.flush().await.is_err() {
            return Step::Leave(code::GOING_AWAY);
        }
        match heard {
            Heard::More if fits => Step::Stay,
            Heard::More => {
                self.drop_provider(code::TRY_LATER);
                self.fail(RefusalKind::Overloaded, "the gateway holds as much as it may; try again shortly").await
            }
            Heard::Finished => {
                self.end_turn(Outcome::Forwarded);
                Step::Stay
            }
            Heard::Stopped => {
                self.drop_provider(code::NORMAL);
                self.end_turn(Outcome::Stopped);
                Step::Stay
            }
            Heard::Refused(reply) => {
                self.drop_provider(code::NORMAL);
                match self.turn.take() {
                    Some(turn) => self.refuse(turn.call, Some(reply)).await,
                    None => Step::Stay,
                }
            }
        }
    }

    /// The provider's side has ended. What is held of an answer under way never goes out.
    fn lost(&mut self, code: Option<u16>) -> Step {
        let under_way = self.turn.is_some();
        self.end_turn(Outcome::UpstreamFailed);
        self.drop_provider(code::NORMAL);
        Step::Leave(code.unwrap_or(if under_way { code::INTERNAL } else { code::GOING_AWAY }))
    }

    /// What the client sent cannot be read. It is told why, and the record says so, too.
    async fn objected(&mut self, code: u16, why: &str) -> Step {
        let kind = match code {
            code::TOO_BIG => RefusalKind::TooLarge,
            code::TRY_LATER => RefusalKind::Overloaded,
            code::POLICY => RefusalKind::Timeout,
            _ => RefusalKind::BadRequest,
        };
        let head = head_of(&self.head, self.address);
        let (call, opening) = Call::open_message(&self.shared, request_id(), &head, SocketMemory::default());
        let reply = match opening {
            Opening::Answer(reply) => Some(reply),
            Opening::ReadBody { .. } => call.refuse(kind, why),
        };
        // The socket ends in any case.
        self.refuse(call, reply).await;
        Step::Leave(code)
    }

    /// Ends the answer under way with an error of the gateway's own; without one nothing happens.
    async fn fail(&mut self, kind: RefusalKind, message: &str) -> Step {
        let Some(turn) = self.turn.take() else { return Step::Stay };
        let reply = turn.call.refuse(kind, message);
        self.refuse(turn.call, reply).await
    }

    /// Tells the client why there is no answer. The socket stays usable, except for a key that is not.
    async fn refuse(&mut self, call: Call, reply: Option<Reply>) -> Step {
        let event = reply.as_ref().map(respond::event).unwrap_or_default();
        call.wrote(event.len() as u64);
        let outcome = match reply.as_ref().map(|it| it.kind) {
            Some(RefusalKind::UpstreamFailed) => Outcome::UpstreamFailed,
            _ => Outcome::Refused,
        };
        self.close_call(&call, outcome);
        if !event.is_empty() {
            self.client.queue(&event);
        }
        if self.client.flush().await.is_err() {
            return Step::Leave(code::GOING_AWAY);
        }
        match reply {
            Some(reply) if reply.kind == RefusalKind::Unauthorized => Step::Leave(code::POLICY),
            _ => Step::Stay,
        }
    }

    /// Looks which time has run out.
    async fn tick(&mut self) -> Step {
        let now = Instant::now();
        let limits = self.shared.live.load().limits;
        if let Some(turn) = &self.turn {
            let late = turn.call.deadline() <= now;
            if late || turn.until <= now {
                self.drop_provider(code::GOING_AWAY);
                let why = if late { "the exchange took too long" } else { "the provider did not answer in time" };
                return self.fail(RefusalKind::UpstreamFailed, why).await;
            }
        } else if self.active + limits.socket_idle_timeout <= now {
            return Step::Leave(code::NORMAL);
        }
        self.leaving |= self.opened + limits.socket_timeout <= now;
        if self.pinged + PING_EVERY <= now {
            self.pinged = now;
            self.client.ping();
            if let Some(provider) = &mut self.provider {
                provider.link.ping();
            }
        }
        Step::Stay
    }

    /// When to look at the clock again.
    fn wake(&self) -> Instant {
        let limits = self.shared.live.load().limits;
        let of_turn = match &self.turn {
            Some(turn) => turn.until.min(turn.call.deadline()),
            None => self.active + limits.socket_idle_timeout,
        };
        let of_life = (!self.leaving).then_some(self.opened + limits.socket_timeout);
        let all = [Some(of_turn), Some(self.pinged + PING_EVERY), of_life];
        all.into_iter().flatten().min().unwrap_or(of_turn)
    }

    fn end_turn(&mut self, outcome: Outcome) {
        if let Some(turn) = self.turn.take() {
            self.close_call(&turn.call, outcome);
        }
    }

    fn close_call(&mut self, call: &Call, outcome: Outcome) {
        self.memory.join(call.take_memory());
        call.ends(outcome);
        call.close();
    }

    /// Lets go of the provider's side, which says goodbye by itself: what it still generates is not wanted.
    fn drop_provider(&mut self, code: u16) {
        if let Some(provider) = self.provider.take() {
            tokio::spawn(provider.link.close(code));
        }
    }

    async fn leave(mut self: Box<Self>, code: u16) {
        self.end_turn(Outcome::Cancelled);
        self.drop_provider(code);
        self.client.close(code).await;
    }
}

/// Everything that comes before the provider hears of a message. An answer instead: it never does.
async fn decide(call: &Call, opening: Opening, kind: MessageKind, text: &Bytes) -> Result<Forward, Option<Reply>> {
    if let Opening::Answer(reply) = opening {
        return Err(Some(reply));
    }
    if let MessageKind::Unreadable(why) = kind {
        return Err(call.refuse(RefusalKind::BadRequest, format!("this message cannot be scanned: {why}")));
    }
    let mut pieces = text.chunks(PIECE_BYTES).peekable();
    while let Some(piece) = pieces.next() {
        match call.request_body(piece, pieces.peek().is_none()) {
            Some(Sending::Answer(reply)) => return Err(Some(reply)),
            Some(Sending::Forward(forward)) => {
                if !call.keep(forward.body.len() as u64) {
                    break;
                }
                return call.decided().await.map_or(Ok(forward), |reply| Err(Some(reply)));
            }
            None if !call.keep(0) => break,
            None => tokio::task::yield_now().await,
        }
    }
    Err(call.refuse(RefusalKind::Overloaded, "the gateway holds as much as it may; try again shortly"))
}
