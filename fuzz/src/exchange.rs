//! Whole exchanges, differential: a real request and its answer, mutated, in one piece and in random pieces. What is
//! forwarded, what the client sees and what is recorded may not differ.

use std::cell::RefCell;
use std::io::Write;

use airiskguard_gateway::domain::{Event, Finding, Verdict};

use super::dice::{Choices, Dice};
use super::golden;
use super::mutate::mutate;
use super::support::{Answer, Before, Run, Script, run_on, snapshot};

/// Policies that between them do everything that can be done to a body.
const GATEWAYS: [&str; 5] = [
    "
upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com}
checks: {outbound: [secrets, compliance, agent], inbound: [vuln, agent]}
policies:
  - {name: block_secrets, condition: {checker: secrets, risk: '>= high'}, action: block}
  - {name: block_vuln_code, condition: {checker: vuln, risk: '>= high'}, action: block}
redact_secrets: true
",
    "
upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com}
checks: {outbound: [secrets], inbound: [vuln, agent, secrets]}
policies:
  - {name: block_secrets, condition: {checker: secrets, risk: '>= high'}, action: block}
redact_secrets: false
",
    "
upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com}
checks: {outbound: [secrets], inbound: [vuln, agent, secrets]}
redact_secrets: true
",
    "
upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com}
checks: {outbound: [secrets], inbound: [vuln, agent]}
redact_secrets: true
redaction: {restore: true, key: exchanges-are-fuzzed-with-it}
",
    "
upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com}
checks: {outbound: [secrets, compliance, agent, security, vuln, pii], inbound: [secrets, vuln, agent, pii]}
on_unscannable: block
redact_secrets: true
limits: {findings_max: 5, json_depth_max: 8}
",
];

/// `findings_max` of the last of them.
const FINDINGS_MAX: usize = 5;

/// Content types of answers beside the stream's.
const TYPES: [&str; 5] =
    ["application/json", "application/json; charset=utf-8", "text/plain", "application/x-jsonl", ""];

/// Bytes choose policy, exchange, types and cuts; the rest are mutations, of the request first and then of the answer.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let gateway = choices.one_of(&GATEWAYS);
    let golden = &golden::ALL[choices.below(golden::ALL.len())];
    let flags = choices.byte();
    let content_type = choices.one_of(&TYPES);
    let mut dice = Dice::new(choices.number());
    let request_bytes = choices.number().min(choices.0.len());
    let (mut body, mut headers) = (golden.request.clone(), golden.headers.clone());
    mutate(&mut body, &mut Choices(choices.take(request_bytes)));
    if flags & 7 == 1 {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&body).unwrap();
        body = encoder.finish().unwrap();
        headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
    }
    let answer = golden.answer.as_ref().map(|(answer, is_stream)| {
        let mut answer = answer.clone();
        mutate(&mut answer, &mut choices);
        let is_stream = *is_stream != (flags & 0x70 == 0x10);
        let content_type = if is_stream { "text/event-stream" } else { content_type };
        Answer { status: golden.status, content_type, body: answer }
    });
    let (method, path) = (golden.method.clone(), golden.path.clone());
    let before = Before::default();
    let script = Script { gateway: gateway.to_owned(), method, path, headers, body, answer, before };
    let whole = ask(&script, None);
    let cut = ask(&script, Some(&mut dice));
    same(&whole, &cut);
    nothing_stopped_came_out(script, &whole);
}

fn ask(script: &Script, dice: Option<&mut Dice>) -> Run {
    let dice = RefCell::new(dice);
    let cut = |body| match &mut *dice.borrow_mut() {
        Some(dice) => dice.cut(body),
        None => vec![body],
    };
    let pieces: Vec<&[u8]> = cut(&script.body);
    run_on(snapshot(&script.gateway), script, &pieces, cut)
}

fn same(whole: &Run, cut: &Run) {
    let forwarded = |run: &Run| run.forwarded.as_ref().map(|it| (it.body.clone(), it.path_and_query.clone()));
    assert!(forwarded(whole) == forwarded(cut), "another cutting, another request:\n{}\n{}", sent(whole), sent(cut));
    let refused = |run: &Run| run.refused.as_ref().map(|it| (format!("{:?}", it.kind), it.body.clone()));
    let (one, other) = (refused(whole), refused(cut));
    assert!(one == other, "another cutting, another refusal: {:?} and {:?}", text(&one), text(&other));
    assert!(whole.seen == cut.seen, "another cutting, another answer:\n{}\n\n{}", seen(whole), seen(cut));
    assert_eq!(whole.stopped, cut.stopped);
    assert_eq!(summary(whole), summary(cut), "another cutting, another record");
}

fn text(refused: &Option<(String, Vec<u8>)>) -> Option<(&str, String)> {
    refused.as_ref().map(|(kind, body)| (kind.as_str(), String::from_utf8_lossy(body).into_owned()))
}

fn sent(run: &Run) -> String {
    run.forwarded.as_ref().map(|it| String::from_utf8_lossy(&it.body).into_owned()).unwrap_or_default()
}

fn seen(run: &Run) -> String {
    String::from_utf8_lossy(&run.seen).into_owned()
}

/// All of the record that may not depend on the cuts. What stood behind a stop was read or not, as the pieces fell.
fn summary(run: &Run) -> String {
    let event: &Event = &run.event;
    let found = |it: &Finding| format!("{} {:?} {} {:?} {:?}", it.rule.id, it.source, it.place, it.span, it.value);
    let mut findings: Vec<String> = event.outbound_findings.iter().chain(&event.inbound_findings).map(found).collect();
    let (mut outbound, mut inbound) = (event.outbound.clone(), event.inbound.clone());
    // Beyond the limit a body is refused whatever is found, and which ones were counted by then, and what they ask for
    // together, may differ; that it is stopped may not.
    if run.refused.is_some() && findings.len() >= FINDINGS_MAX {
        findings.clear();
        for verdict in [&mut outbound, &mut inbound] {
            *verdict = Verdict { action: verdict.action, ..Verdict::default() };
        }
    }
    let ended = run.stopped || run.refused.is_some();
    let told = (!ended).then_some((&event.tokens, &event.model_answered, &event.inbound_digest));
    let coverage = (&event.outbound_coverage, (!ended).then_some(&event.inbound_coverage));
    format!(
        "{} {:?} {:?} {:?} {outbound:?} {inbound:?} {findings:#?} {told:?} {coverage:?} {} {:?}",
        event.endpoint,
        event.model,
        event.outcome,
        event.refusal,
        event.restored,
        (event.session.as_ref(), event.streamed, event.upstream_status),
    )
}

/// What was refused shows nothing of the answer. What went out of a stream before it was stopped is sent again, with the
/// notice behind it: nothing of what it was stopped for is found in it. Something else may be, for a text that ends early
/// may end where a key would.
fn nothing_stopped_came_out(script: Script, run: &Run) {
    if run.refused.is_some() {
        assert!(run.seen.is_empty(), "refused, and seen all the same");
    }
    let Some(answer) = script.answer.filter(|_| run.stopped) else { return };
    if run.event.refusal == Some("policy_blocked") {
        let answer = Some(Answer { body: run.seen.clone(), ..answer });
        let again = ask(&Script { answer, ..script }, None);
        let is_same = |one: &Finding, other: &Finding| {
            (&one.rule.id, &one.span, one.place.line) == (&other.rule.id, &other.span, other.place.line)
        };
        let findings = &run.event.inbound_findings;
        let came_out = again.event.inbound_findings.iter().any(|it| findings.iter().any(|known| is_same(it, known)));
        let is_blocked = again.stopped && again.event.refusal == Some("policy_blocked");
        assert!(
            !(is_blocked && came_out),
            "what the stream was stopped for came out:\n{}\n\n{}",
            seen(run),
            seen(&again)
        );
    }
}
