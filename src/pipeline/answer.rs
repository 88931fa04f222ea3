//! The provider's answer: passed on, streamed through the scan, or held, scanned and edited as a whole.

use super::completion::{CompletionScan, Stop};
use super::document::{Complete, DocumentLimits, Unreadable};
use super::exchange::{Exchange, Phase};
use super::held::{Finished, Held, Shape};
use super::inbound::Desk;
use super::label::{Labels, Originals};
use super::locate::Located;
use super::own_keys::Relay;
use super::route::Destination;
use super::{Reply, logprobs, models, notice, redact};
use crate::domain::{Action, Direction, Source, Stamp, Verdict};
use crate::providers::{Endpoint, Refusal, RefusalKind};
use crate::wire::encoding::{self, Coding, Decoder};

/// How the answer is to be handled. Bytes that are put out are never content-encoded: the header goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answering {
    /// As it comes, encoded or not: nothing to scan (errors, empty answers).
    Pass,
    /// Hold header and body, at most so many encoded bytes, feeding `response_chunk`; the last one decides.
    Hold {
        /// Bound.
        bytes_max: u64,
    },
    /// Feed `response_chunk`, write what it gives, length unknown.
    Stream,
    /// The same for an answer that is no stream of events.
    Relay,
    /// Answer with the reply that comes along; drop the upstream.
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

impl Exchange {
    /// The provider's status and headers (lower-case names). For `Refuse` the reply comes along.
    pub fn response_head(&mut self, status: u16, headers: &[(&str, &[u8])], now: Stamp) -> (Answering, Option<Reply>) {
        self.record.upstream_status = Some(status);
        match status {
            // Whoever follows a redirect takes the prompt as it was written past the gateway.
            300..=303 | 305..=399 | 600.. => {
                let message = format!("the provider answered with status {status}, which is not passed on");
                return (Answering::Refuse, Some(self.refuse(RefusalKind::UpstreamFailed, message)));
            }
            _ => {}
        }
        let is_read = (200..300).contains(&status) && status != 204;
        if !is_read && self.own_keys().is_none() {
            self.phase = Phase::Passing;
            return (Answering::Pass, None);
        }
        let values: Vec<&[u8]> = headers.iter().filter(|it| it.0 == "content-encoding").map(|it| it.1).collect();
        let Some(codings) = String::from_utf8(values.join(&b","[..])).ok().and_then(|it| encoding::codings(&it).ok())
        else {
            let message = "the provider answered in a content encoding that this gateway cannot read";
            let refusal = self.plain(RefusalKind::UpstreamFailed, message.into());
            return (Answering::Refuse, Some(self.dress(refusal)));
        };
        if !is_read {
            return match self.decoder(&codings) {
                Ok(decoder) => {
                    self.phase = Phase::Relaying(Relay::new(decoder));
                    (Answering::Relay, None)
                }
                Err(error) => self.refuse_answer(&Unreadable::Encoding(error)),
            };
        }
        // A policy may stop an answer for its team or model alone, whatever it says.
        let verdict = self.judge.decide(Direction::Inbound, &[], &[]);
        if verdict.action == Action::Block {
            let refusal = notice::blocked(Direction::Inbound, &verdict, &[], &self.record.request);
            self.record.inbound.verdict = verdict;
            self.record.stopped(refusal.kind);
            return (Answering::Refuse, Some(self.dress(refusal)));
        }
        match Shape::of(headers).and_then(|shape| self.begin(shape, &codings, now)) {
            Ok(answering) => (answering, None),
            Err(error) => self.refuse_answer(&error),
        }
    }

    /// Prepares to read an answer of this shape.
    fn begin(&mut self, shape: Shape, codings: &[Coding], now: Stamp) -> Result<Answering, Unreadable> {
        let Some(destination) = &self.destination else { return Ok(Answering::Refuse) };
        let bytes_max = self.snapshot.limits.response_bytes_max;
        if shape == Shape::Events {
            let decoder = self.decoder(codings).map_err(Unreadable::Encoding)?;
            let scan = self.scan(destination, decoder, now);
            self.record.streamed = true;
            self.phase = Phase::Streaming(scan);
            return Ok(Answering::Stream);
        }
        let (limits, leaves) = (self.document_limits(bytes_max), !self.originals.is_empty());
        let reading = self.reading(destination, Direction::Inbound);
        let held = Held::new(shape, codings, limits, reading, self.snapshot.memory.hasher(), leaves)?;
        self.phase = Phase::Holding(held);
        Ok(Answering::Hold { bytes_max })
    }

    fn scan(&self, destination: &Destination, decoder: Option<Decoder>, now: Stamp) -> Box<CompletionScan> {
        let reading = self.reading(destination, Direction::Inbound);
        let reader = destination.upstream.provider.completion(destination.route.endpoint);
        let mut scan = CompletionScan::new(reading, reader, decoder, self.snapshot.limits.response_bytes_max, now);
        if self.snapshot.witness.keeps_text {
            scan.write_down();
        }
        Box::new(scan)
    }

    fn refuse_answer(&mut self, error: &Unreadable) -> (Answering, Option<Reply>) {
        let message = format!("the provider's answer cannot be scanned, so it is not passed on: {error}");
        (Answering::Refuse, Some(self.refuse(RefusalKind::UpstreamFailed, message)))
    }

    /// A piece of the answer's body, and whether it was the last; bytes for the client are appended to `out`.
    pub fn response_chunk(&mut self, chunk: &[u8], last: bool, now: Stamp, out: &mut Vec<u8>) -> Flow {
        self.record.answered(chunk);
        let before = out.len();
        let flow = match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Streaming(scan) => self.stream(scan, chunk, last, now, out),
            Phase::Holding(held) => self.hold(held, chunk, last, now, out),
            Phase::Relaying(mut relay) => {
                let flow = self.own_keys().map_or(Flow::Stop, |keys| relay.push(keys, chunk, last, out));
                self.phase = Phase::Relaying(relay);
                flow
            }
            phase => {
                // Only an answer that is passed on as it comes goes out unread; after an end nothing does.
                if matches!(phase, Phase::Passing) {
                    out.extend_from_slice(chunk);
                }
                self.phase = phase;
                Flow::Continue
            }
        };
        // What is read goes out in whole events, or whole.
        if let Some(keys) = self.own_keys() {
            keys.hide(out, before);
        }
        if out.len() > before && self.record.first_byte.is_none() {
            self.record.first_byte = Some(now);
        }
        flow
    }

    /// Bytes of the provider's that are not read, such as a header's value, without the gateway's keys; `None` if there are
    /// none in them.
    pub fn without_keys(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let keys = self.own_keys()?;
        let mut hidden = bytes.to_vec();
        keys.hide(&mut hidden, 0);
        (hidden != bytes).then_some(hidden)
    }

    fn stream(
        &mut self,
        mut scan: Box<CompletionScan>,
        chunk: &[u8],
        last: bool,
        now: Stamp,
        out: &mut Vec<u8>,
    ) -> Flow {
        let desk = Desk { judge: &self.judge, originals: &self.originals };
        let stop = scan.push(chunk, last, now, &desk, out).err();
        let Some(stop) = stop else {
            self.phase = Phase::Streaming(scan);
            return Flow::Continue;
        };
        let refusal = self.cut_off(stop, &mut scan, now);
        out.extend_from_slice(&scan.ending(&refusal));
        Flow::Stop
    }

    /// The notice of an answer that must not go on.
    pub(super) fn cut_off(&mut self, stop: Stop, scan: &mut CompletionScan, now: Stamp) -> Refusal {
        self.record.completed(scan);
        let refusal = match stop {
            Stop::Blocked(verdict) => self.stopped(&verdict, now),
            Stop::Unreadable(why) => self.plain(RefusalKind::UpstreamFailed, format!("The answer was cut off: {why}")),
        };
        self.record.stopped(refusal.kind);
        refusal
    }

    fn hold(&mut self, mut held: Held, chunk: &[u8], last: bool, now: Stamp, out: &mut Vec<u8>) -> Flow {
        if let Err(error) = held.push(chunk) {
            return self.unreadable_answer(&error);
        }
        if !last {
            self.phase = Phase::Holding(held);
            return Flow::Continue;
        }
        let complete = match held.finish() {
            Err(error) => return self.unreadable_answer(&error),
            Ok(Finished::Empty) => return Flow::Continue,
            Ok(Finished::Whole(complete)) => *complete,
            Ok(Finished::Events(raw)) => {
                let Some(destination) = &self.destination else { return Flow::Stop };
                let scan = self.scan(destination, None, now);
                self.record.streamed = true;
                return self.stream(scan, &raw, true, now, out);
            }
        };
        match self.decide_answer(complete, now) {
            Ok(body) => {
                out.extend_from_slice(&body);
                Flow::Continue
            }
            Err(refusal) => {
                self.record.stopped(refusal.kind);
                Flow::Replace(self.dress(refusal))
            }
        }
    }

    fn decide_answer(&mut self, complete: Complete, now: Stamp) -> Result<Vec<u8>, Refusal> {
        let Complete { raw, mut gathered, mut located, .. } = complete;
        self.record.inbound.coverage = std::mem::take(&mut gathered.coverage);
        // The model's signed reasoning passes as it is, here as in a stream.
        located.retain(|it| !it.sealed);
        if self.repeats_prompt() {
            // What people wrote was read on its way out; secrets were hidden there, and are if one is left.
            let asked = |it: &Located| matches!(it.finding.source, Source::User | Source::System);
            located.retain(|it| !asked(it) || it.finding.rule.checker.name() == "secrets");
        }
        self.judge.settle(Direction::Inbound, &mut located);
        let leaves = gathered.leaves.unwrap_or_default();
        let broken =
            |_| notice::plain(RefusalKind::UpstreamFailed, "the answer cannot be edited".into(), &self.record.request);
        let mut room = self.snapshot.limits.response_bytes_max;
        let restored = redact::put_back(&raw, &leaves, &self.originals, &mut room).map_err(broken)?;
        let mut verdict = self.judge.decide_located(Direction::Inbound, &located);
        let mut findings = self.judge.recorded(&located);
        match self.endpoint() {
            Some(Endpoint::Batches) => self.record.told.read_results(&raw),
            _ => self.record.told.read(&raw),
        }
        if self.snapshot.witness.keeps_text {
            self.record.texts.completion = self.without_findings(&raw, &located);
        }
        if !restored.kept.is_empty() {
            findings.extend(restored.kept.into_iter().map(|it| it.finding));
            verdict = self.judge.decide(Direction::Inbound, &findings, &self.judge.fingerprints(&located));
        }
        let has_too_many = gathered.overflow || findings.len() > self.snapshot.limits.findings_max as usize;
        self.record.inbound.verdict = verdict.clone();
        self.record.inbound.findings = findings;
        if gathered.too_deep {
            let message = "the answer holds JSON inside a string that is nested too deep to be scanned";
            return Err(self.plain(RefusalKind::UpstreamFailed, message.into()));
        }
        if has_too_many {
            self.record.inbound.verdict.action = Action::Block;
            let message = format!("this answer has more than {} findings", self.snapshot.limits.findings_max);
            return Err(self.plain(RefusalKind::PolicyBlocked, message));
        }
        if verdict.action == Action::Block {
            return Err(self.stopped(&verdict, now));
        }
        let plain_labels = Labels::new(None);
        let mut splices = redact::hide(&located, &verdict.dispositions, &plain_labels, &mut Originals::default());
        self.record.restored = restored.edits.len() as u32;
        for (range, with) in restored.edits {
            splices.replace(range, with);
        }
        if !splices.is_empty() {
            logprobs::forget(&raw, &mut splices);
        }
        let body = if splices.is_empty() { raw } else { splices.apply(&raw).map_err(|_| self.unspliceable())? };
        match self.endpoint() {
            Some(Endpoint::Models) if self.judge.team.models.is_some() => {
                Ok(models::filter(&body, &self.judge.team.allowlist))
            }
            _ => Ok(body),
        }
    }

    /// Whether the answer lists what the client asked before.
    fn repeats_prompt(&self) -> bool {
        let route = self.destination.as_ref().map(|it| &it.route);
        route.is_some_and(|it| it.endpoint == Endpoint::Responses && it.path.ends_with("/input_items"))
    }

    fn stopped(&self, verdict: &Verdict, now: Stamp) -> Refusal {
        let findings = &self.record.inbound.findings;
        let refusal = notice::blocked(Direction::Inbound, verdict, findings, &self.record.request);
        // A client that loses a stream asks again without streaming. One that was refused in the open does not.
        if self.record.streamed {
            self.snapshot.memory.remember(self.conversation, refusal.clone(), now);
        }
        refusal
    }

    fn unreadable_answer(&mut self, error: &Unreadable) -> Flow {
        let message = format!("the provider's answer cannot be scanned, so it is not passed on: {error}");
        self.record.stopped(RefusalKind::UpstreamFailed);
        Flow::Replace(self.refuse(RefusalKind::UpstreamFailed, message))
    }

    fn unspliceable(&self) -> Refusal {
        self.plain(RefusalKind::UpstreamFailed, "the answer cannot be edited".into())
    }

    fn decoder(&self, codings: &[Coding]) -> Result<Option<Decoder>, encoding::Error> {
        if codings.is_empty() {
            return Ok(None);
        }
        // A stream has no end that is known: only what waits in it is bounded, by the scan.
        let limits = DocumentLimits { bytes_max: u64::MAX, ..self.document_limits(0) };
        Decoder::new(codings, limits.encoding()).map(Some)
    }
}
