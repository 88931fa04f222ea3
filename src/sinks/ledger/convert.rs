//! From the event of an exchange to its record, and its text to sealed bytes.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use sha2::{Digest, Sha256};

use super::millis;
use crate::domain::{Coverage, Event, Finding, Texts, Verdict};
use crate::store::{Exchange, Found, SEALED_VERSION, Side, Tokens, hex};

/// The record of an exchange with this sealed text.
pub(super) fn exchange(event: &Event, sealed: Option<&[u8]>) -> Exchange {
    let text = |it: &str| it.to_owned();
    Exchange {
        start_ms: millis(event.start.unix),
        end_ms: millis(event.end.unix),
        team: text(event.team.as_str()),
        key: event.key.as_ref().map(|it| text(it.as_str())),
        session: event.session.as_ref().map(|it| text(it.as_str())),
        client: event.client.map(|it| it.to_string()),
        agent: event.agent.clone(),
        upstream: event.upstream.clone(),
        dialect: event.dialect.map(text),
        endpoint: text(event.endpoint),
        model: event.model.as_ref().map(|it| text(it.as_str())),
        model_answered: event.model_answered.as_ref().map(|it| text(it.as_str())),
        streamed: event.streamed,
        outcome: text(event.outcome.name()),
        refusal: event.refusal.map(text),
        action: text(event.action().name()),
        generation: text(&event.generation),
        outbound: side(&event.outbound, &event.outbound_findings, &event.outbound_coverage, event.outbound_digest),
        inbound: side(&event.inbound, &event.inbound_findings, &event.inbound_coverage, event.inbound_digest),
        restored: event.restored,
        request_bytes: event.request_bytes,
        response_bytes: event.response_bytes,
        tokens: event.tokens.map(|it| Tokens {
            input: it.input,
            output: it.output,
            cache_read: it.cache_read,
            cache_write: it.cache_write,
        }),
        upstream_status: event.upstream_status,
        gateway_us: u64::try_from(event.gateway_time.as_micros()).unwrap_or(u64::MAX),
        upstream_ms: event.upstream_time.map(millis),
        first_byte_ms: event.first_byte_time.map(millis),
        sealed: sealed.map(|it| hex(&Sha256::digest(it))),
    }
}

fn side(verdict: &Verdict, findings: &[Finding], coverage: &Coverage, digest: Option<[u8; 32]>) -> Side {
    let (found, findings_omitted) = together(verdict, findings);
    let skipped = coverage.skipped_bytes.iter().map(|(reason, bytes)| (reason.name().to_owned(), *bytes));
    Side {
        action: verdict.action.name().to_owned(),
        risk: verdict.risk.map(|it| it.name().to_owned()),
        score: verdict.score.value(),
        policies: verdict.policies.clone(),
        findings: found,
        findings_omitted,
        digest: digest.map(|it| hex(&it)),
        scanned_bytes: coverage.scanned_bytes,
        skipped_bytes: skipped.collect(),
    }
}

/// Equal findings as one with a count, in the order of the first of each; how many were left out.
fn together(verdict: &Verdict, findings: &[Finding]) -> (Vec<Found>, u64) {
    let (mut found, mut omitted): (Vec<Found>, u64) = (Vec::new(), 0);
    let mut known = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        let action = verdict.dispositions.get(index).copied().unwrap_or_default();
        let exception = verdict.excepted.iter().find(|it| it.finding == index).map(|it| &it.exception);
        let same = (&finding.rule.id, finding.source, action, finding.value, exception);
        if let Some(&at) = known.get(&same) {
            let it: &mut Found = &mut found[at];
            it.count += 1;
        } else if found.len() == Side::FINDINGS_MAX {
            omitted += 1;
        } else {
            known.insert(same, found.len());
            found.push(Found {
                rule: finding.rule.id.clone(),
                checker: finding.rule.checker.name().to_owned(),
                label: finding.rule.label.clone(),
                risk: finding.rule.risk.name().to_owned(),
                score: finding.rule.score.value(),
                source: finding.source.name().to_owned(),
                place: finding.place.to_string(),
                action: action.name().to_owned(),
                exception: exception.map(|it| it.to_string()),
                value: finding.value.map(|it| it.to_string()),
                count: 1,
            });
        }
    }
    (found, omitted)
}

/// Compressed and encrypted; `None` where no random number is to be had. [`crate::store::unseal`] is the way back.
pub(super) fn seal(key: &[u8; 32], event: &Event, texts: &Texts) -> Option<Arc<[u8]>> {
    let plain = serde_json::json!({ "prompt": texts.prompt, "completion": texts.completion });
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    serde_json::to_writer(&mut encoder, &plain).ok()?;
    encoder.flush().ok()?;
    let compressed = encoder.finish().ok()?;
    let mut nonce = [0; 24];
    getrandom::fill(&mut nonce).ok()?;
    let cipher = XChaCha20Poly1305::new(Key::from_slice(key));
    let payload = Payload { msg: &compressed, aad: event.request.as_str().as_bytes() };
    let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload).ok()?;
    Some([&[SEALED_VERSION], nonce.as_slice(), &sealed].concat().into())
}
