//! Streamed answers that are written here, so that it is known what may come out: nothing of a stopped match, what is
//! valid for a strict client, and the same however text is cut into deltas and bytes into pieces.

use airiskguard_gateway::domain::{Action, Event, Finding};

use super::dialect::{ALL, Dialect, Kind, NOTICE, View};
use super::dice::{Choices, Dice};
use super::planted;
use super::support::{Answer, Before, Run, Script, run_on, snapshot};

/// Blocks secrets and vulnerable code, or hides secrets, in both directions.
const GATEWAYS: [&str; 2] = [
    "
upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com}
checks: {outbound: [secrets], inbound: [vuln, agent, secrets]}
policies:
  - {name: block_secrets, condition: {checker: secrets, risk: '>= high'}, action: block}
  - {name: block_vuln_code, condition: {checker: vuln, risk: '>= high'}, action: block}
redact_secrets: false
",
    "
upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com}
checks: {outbound: [secrets], inbound: [vuln, agent, secrets]}
policies:
  - {name: block_secrets, condition: {checker: secrets, risk: '>= high'}, action: block}
redact_secrets: true
",
];

/// Longest text of an answer.
const TEXT_BYTES_MAX: usize = 2000;

/// Bytes choose the policy, the dialect, the kind of block and the cuts; the rest is the text, `§` in it the key.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let gateway = choices.one_of(&GATEWAYS);
    let dialect = choices.one_of(&ALL);
    let kind = choices.one_of(dialect.kinds());
    let mut dice = Dice::new(choices.number());
    let written = String::from_utf8_lossy(choices.take(TEXT_BYTES_MAX)).into_owned();
    // A notice is told from prose by its words.
    if written.contains(NOTICE) || written.contains("The answer was cut off") {
        return;
    }
    let text = with_one_key(&written);
    let whole = match kind {
        Kind::Tool => serde_json::json!({"content": text}).to_string(),
        Kind::Text | Kind::Custom => text,
    };
    let events = dialect.events(kind, &dice.cut_text(&whole)).concat();
    let in_one = ask(gateway, dialect, &events, None);
    let cut = ask(gateway, dialect, &events, Some(&mut dice));
    assert!(in_one.seen == cut.seen, "another cutting, other bytes:\n{}\n\n{}", shown(&in_one), shown(&cut));
    assert_eq!(summary(&in_one.event), summary(&cut.event), "another cutting, another record");
    let view = dialect.read(&in_one.seen);
    assert!(view.problems.is_empty(), "{:?}\n{}", view.problems, shown(&in_one));
    nothing_stopped_came_out(&whole, &in_one, &view);

    let others = dialect.events(kind, &dice.cut_text(&whole)).concat();
    let again = ask(gateway, dialect, &others, Some(&mut dice));
    match in_one.stopped && again.stopped {
        // The first finding that blocks ends it; which it is may depend on what came together.
        true => assert_eq!(decided(&in_one.event).0, decided(&again.event).0, "other deltas, another decision"),
        false => assert_eq!(decided(&in_one.event), decided(&again.event), "other deltas, another decision"),
    }
    let view_again = dialect.read(&again.seen);
    nothing_stopped_came_out(&whole, &again, &view_again);
    if !in_one.stopped {
        assert_eq!((&view.text, &view.tools), (&view_again.text, &view_again.tools), "other deltas, another text");
    }
}

/// The first `§` is the key; others go.
fn with_one_key(text: &str) -> String {
    match text.split_once('§') {
        Some((before, after)) => [before, &planted(), &after.replace('§', "")].concat(),
        None => text.to_owned(),
    }
}

fn ask(gateway: &str, dialect: Dialect, events: &[u8], dice: Option<&mut Dice>) -> Run {
    let script = Script {
        gateway: gateway.to_owned(),
        method: "POST".to_owned(),
        path: dialect.path().to_owned(),
        headers: Vec::new(),
        body: dialect.request("hello", true),
        answer: Some(Answer { status: 200, content_type: "text/event-stream", body: events.to_vec() }),
        before: Before::default(),
    };
    let dice = std::cell::RefCell::new(dice);
    run_on(snapshot(gateway), &script, &[&script.body], |body| match &mut *dice.borrow_mut() {
        Some(dice) => dice.cut(body),
        None => vec![body],
    })
}

fn shown(run: &Run) -> String {
    String::from_utf8_lossy(&run.seen).into_owned()
}

/// All of the record that may not depend on the cuts.
fn summary(event: &Event) -> String {
    format!("{} {:?} {:?}", event.outcome.name(), event.refusal, decided(event))
}

/// What was found, where, and what is done about it.
fn decided(event: &Event) -> (Action, Vec<(usize, usize, String, String)>) {
    let found = |it: &Finding| (it.span.start, it.span.end, it.rule.id.clone(), it.place.path.clone());
    let mut findings: Vec<_> = event.inbound_findings.iter().map(found).collect();
    // They are told in the order in which they became certain.
    findings.sort();
    (event.inbound.action, findings)
}

fn nothing_stopped_came_out(whole: &str, run: &Run, view: &View) {
    let key = planted();
    let Some(at) = whole.find(&key) else { return };
    let is_key = |it: &&Finding| it.rule.label == "AWS_ACCESS_KEY" && it.span.end - it.span.start == key.len();
    let Some(finding) = run.event.inbound_findings.iter().find(is_key) else { return };
    let texts: Vec<&str> = std::iter::once(view.text.as_str()).chain(view.tools.values().map(String::as_str)).collect();
    let bytes = String::from_utf8_lossy(&run.seen);
    assert!(!bytes.contains(&key), "{} came out whole\n{bytes}", finding.rule.id);
    for text in texts {
        assert!(!text.contains(&key), "{} came out in pieces\n{bytes}", finding.rule.id);
        if run.stopped {
            assert!(text.len() <= at, "a byte of {} came out before it was stopped\n{bytes}", finding.rule.id);
            assert!(whole.starts_with(text), "what came out before the stop is not what was said\n{bytes}");
        }
    }
}
