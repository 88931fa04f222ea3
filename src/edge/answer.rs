//! A provider's answer on its way to the client: passed, streamed through the pipeline, or held until it is decided.
//! No socket here: tasks in, tasks out.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use pingora_core::protocols::http::HttpTask;
use pingora_core::{Error, ErrorType, Result};
use pingora_http::ResponseHeader;

use super::call::Call;
use super::respond;
use crate::domain::Outcome;
use crate::pipeline::RefusalKind;
use crate::pipeline::{Answering, Flow, Reply};

/// Error type of an answer that the pipeline broke a promise about.
const BROKEN: ErrorType = ErrorType::Custom("AnswerBroken");

/// Whether the provider's answer is wanted further.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Go on.
    Continue,
    /// The client's answer is complete, the provider's is not: drop the provider.
    Cut,
}

/// The state of one answer.
pub(super) struct Answer {
    state: State,
    /// The client understands chunks: HTTP/1.1. Before it, a length that is unknown ends with the connection; after
    /// it, frames end bodies.
    chunks: bool,
    /// The request was a `HEAD`.
    without_body: bool,
}

enum State {
    Head,
    Pass,
    Stream,
    Hold(Held),
    Done,
}

struct Held {
    head: Box<ResponseHeader>,
    bytes_max: u64,
    received_bytes: u64,
    out: Vec<u8>,
}

impl Answer {
    /// Nothing has arrived yet.
    pub(super) fn new(chunks: bool, without_body: bool) -> Self {
        Answer { state: State::Head, chunks, without_body }
    }

    /// Whether the provider has begun to answer; from then on no retry is allowed.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.state, State::Head)
    }

    /// Takes what came from the provider and appends what goes to the client.
    pub(super) fn take(&mut self, task: HttpTask, call: &Call, ready: &mut Vec<HttpTask>) -> Result<Next> {
        match task {
            HttpTask::Header(head, _) if head.status.is_informational() => Ok(Next::Continue),
            HttpTask::Header(head, end) => self.head(head, end, call, ready),
            HttpTask::Body(data, end) => self.body(data.unwrap_or_default(), end, call, ready),
            // Trailers end a body; what stands in them concerns the provider's framing, which is not kept.
            HttpTask::Trailer(_) | HttpTask::Done => self.body(Bytes::new(), true, call, ready),
            HttpTask::UpgradedBody(..) => Error::e_explain(BROKEN, "an upgrade nobody asked for"),
            HttpTask::Failed(error) => match self.state {
                State::Head | State::Hold(_) => Err(error),
                State::Pass | State::Stream | State::Done => {
                    ready.push(HttpTask::Failed(error));
                    Ok(Next::Continue)
                }
            },
        }
    }

    fn head(
        &mut self,
        mut head: Box<ResponseHeader>,
        end: bool,
        call: &Call,
        ready: &mut Vec<HttpTask>,
    ) -> Result<Next> {
        let headers: Vec<(&str, &[u8])> =
            head.headers.iter().map(|(name, it)| (name.as_str(), it.as_bytes())).collect();
        let (answering, reply) = call.response_head(head.status.as_u16(), &headers);
        clean(&mut head, call)?;
        head.insert_header(respond::REQUEST_ID, call.request().as_str())?;
        let empty = self.without_body || respond::never_has_body(&head);
        match answering {
            Answering::Refuse => {
                let message = "the provider's answer cannot be passed on";
                let reply = reply.or_else(|| call.refuse(RefusalKind::UpstreamFailed, message));
                self.replace(reply, end, call, ready)
            }
            _ if empty => self.pass(head, end, call, ready),
            Answering::Pass => self.pass(head, end, call, ready),
            Answering::Stream | Answering::Relay => {
                head.remove_header(&header::CONTENT_LENGTH);
                head.remove_header(&header::CONTENT_ENCODING);
                head.remove_header(&header::TRANSFER_ENCODING);
                if self.chunks {
                    head.insert_header(header::TRANSFER_ENCODING, "chunked")?;
                }
                call.ends(Outcome::Forwarded);
                ready.push(HttpTask::Header(head, false));
                self.state = State::Stream;
                if end { self.body(Bytes::new(), true, call, ready) } else { Ok(Next::Continue) }
            }
            Answering::Hold { bytes_max } => {
                self.state = State::Hold(Held { head, bytes_max, received_bytes: 0, out: Vec::new() });
                if end { self.body(Bytes::new(), true, call, ready) } else { Ok(Next::Continue) }
            }
        }
    }

    fn pass(&mut self, head: Box<ResponseHeader>, end: bool, call: &Call, ready: &mut Vec<HttpTask>) -> Result<Next> {
        call.ends(Outcome::Forwarded);
        self.state = if end { State::Done } else { State::Pass };
        ready.push(HttpTask::Header(head, end));
        Ok(Next::Continue)
    }

    fn body(&mut self, data: Bytes, end: bool, call: &Call, ready: &mut Vec<HttpTask>) -> Result<Next> {
        match &mut self.state {
            State::Head => Error::e_explain(BROKEN, "a body without a head"),
            State::Done => Ok(Next::Continue),
            State::Pass => {
                call.wrote(data.len() as u64);
                if end {
                    self.state = State::Done;
                }
                ready.push(HttpTask::Body(Some(data), end));
                Ok(Next::Continue)
            }
            State::Stream => self.stream(&data, end, call, ready),
            State::Hold(held) => {
                held.received_bytes += data.len() as u64;
                if held.received_bytes > held.bytes_max {
                    let message = format!("the completion has more than {} bytes", held.bytes_max);
                    return self.replace(call.refuse(RefusalKind::TooLarge, message), end, call, ready);
                }
                let flow = call.response_chunk(&data, end, &mut held.out);
                match flow {
                    Flow::Continue if end => self.release(Outcome::Forwarded, end, call, ready),
                    Flow::Continue if call.keep_answer(held.out.len() as u64) => Ok(Next::Continue),
                    Flow::Continue => {
                        let message = "the gateway holds as much as it may; try again shortly";
                        self.replace(call.refuse(RefusalKind::Overloaded, message), end, call, ready)
                    }
                    Flow::Stop => self.release(Outcome::Stopped, end, call, ready),
                    Flow::Replace(reply) => {
                        call.ends(Outcome::Stopped);
                        self.replace(Some(reply), end, call, ready)
                    }
                }
            }
        }
    }

    fn stream(&mut self, data: &[u8], end: bool, call: &Call, ready: &mut Vec<HttpTask>) -> Result<Next> {
        let mut out = Vec::with_capacity(data.len());
        let flow = call.response_chunk(data, end, &mut out);
        call.wrote(out.len() as u64);
        match flow {
            Flow::Continue => {
                call.keep_stream();
                if end {
                    self.state = State::Done;
                }
                if end || !out.is_empty() {
                    ready.push(HttpTask::Body(Some(out.into()), end));
                }
                Ok(Next::Continue)
            }
            Flow::Stop => {
                call.ends(Outcome::Stopped);
                self.state = State::Done;
                ready.push(HttpTask::Body(Some(out.into()), true));
                Ok(after(end))
            }
            Flow::Replace(_) => Error::e_explain(BROKEN, "a stream cannot be replaced"),
        }
    }

    /// Lets a held answer go, with the length it has now.
    fn release(&mut self, outcome: Outcome, end: bool, call: &Call, ready: &mut Vec<HttpTask>) -> Result<Next> {
        let State::Hold(Held { mut head, out, .. }) = std::mem::replace(&mut self.state, State::Done) else {
            return Error::e_explain(BROKEN, "nothing is held");
        };
        head.remove_header(&header::TRANSFER_ENCODING);
        head.remove_header(&header::CONTENT_ENCODING);
        head.insert_header(header::CONTENT_LENGTH, out.len().to_string())?;
        call.ends(outcome);
        call.wrote(out.len() as u64);
        ready.push(HttpTask::Header(head, false));
        ready.push(HttpTask::Body(Some(out.into()), true));
        Ok(after(end))
    }

    /// Answers something else; the provider's head is forgotten.
    fn replace(&mut self, reply: Option<Reply>, end: bool, call: &Call, ready: &mut Vec<HttpTask>) -> Result<Next> {
        self.state = State::Done;
        let Some(reply) = reply else { return Error::e_explain(BROKEN, "the call is closed") };
        if !self.without_body {
            call.wrote(reply.body.len() as u64);
        }
        ready.extend(respond::tasks(&reply, &call.request(), self.without_body)?);
        Ok(after(end))
    }
}

/// Takes out of a provider's head what no client is to see: where to go instead, the gateway's own keys, and words for the
/// status, which say nothing.
pub(super) fn clean(head: &mut ResponseHeader, call: &Call) -> Result<()> {
    head.remove_header(&header::LOCATION);
    head.set_reason_phrase(None)?;
    let hidden = |value: &HeaderValue| call.without_keys(value.as_bytes());
    let names: Vec<HeaderName> =
        head.headers.iter().filter(|(_, value)| hidden(value).is_some()).map(|(name, _)| name.clone()).collect();
    for name in names {
        let values: Vec<HeaderValue> = head.headers.get_all(&name).iter().cloned().collect();
        head.remove_header(&name);
        for value in values {
            match hidden(&value) {
                Some(value) => head.append_header(name.clone(), value)?,
                None => head.append_header(name.clone(), value)?,
            };
        }
    }
    Ok(())
}

fn after(end: bool) -> Next {
    if end { Next::Continue } else { Next::Cut }
}
