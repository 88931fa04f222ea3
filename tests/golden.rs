//! Golden exchanges: what goes in, what the provider receives, what the client sees, what the record says.
//!
//! Each folder below `tests/golden/<dialect>/` is one exchange; `exchange.yaml` says what it shows. In all files the
//! character `¦` is removed before use, so that made-up keys never stand whole in a file. `GOLDEN_UPDATE=1` writes the
//! expectations anew: read the difference before you keep it.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::type_complexity)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use airiskguard_gateway::domain::Event;
use serde::Deserialize;
use serde_json::{Value, json};
use support::{Answer, Before, Run, Script, run};

/// Cuttings that every exchange is run with; 0 is in one piece.
const CUTS: [usize; 6] = [0, 1, 2, 3, 7, 64];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// What a newcomer learns here.
    about: String,
    /// `gateway.yaml` of this exchange.
    gateway: String,
    /// `MESSAGE` is a message on a WebSocket, answered by a message on each line of `response.jsonl`.
    #[serde(default = "post")]
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Status of the provider's answer.
    #[serde(default = "ok")]
    status: u16,
    /// What has been before.
    #[serde(default)]
    before: Before,
}

fn post() -> String {
    "POST".into()
}

fn ok() -> u16 {
    200
}

#[test]
fn every_exchange_goes_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut folders: Vec<PathBuf> = subfolders(&root).iter().flat_map(|it| subfolders(it)).collect();
    folders.sort();
    assert!(folders.len() >= 30, "the golden exchanges are gone: {}", folders.len());
    let mut wrong = Vec::new();
    for folder in &folders {
        wrong.extend(check(folder));
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), folders.len(), wrong.join("\n"));
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).filter(|it| it.is_dir()).collect()
}

fn check(folder: &Path) -> Vec<String> {
    let exchange: Exchange = serde_yaml::from_str(&read(&folder.join("exchange.yaml")).unwrap()).unwrap();
    assert!(exchange.about.len() > 20, "{}: say what it shows", folder.display());
    let response = ["response.json", "response.sse", "response.jsonl"].into_iter().find_map(|name| {
        let text = read(&folder.join(name))?;
        let content_type = match name.rsplit_once('.') {
            Some((_, "sse")) => "text/event-stream; charset=utf-8",
            Some((_, "jsonl")) => support::socket::MESSAGES,
            _ => "application/json",
        };
        Some(Answer { status: exchange.status, content_type, body: text.into_bytes() })
    });
    let script = Script {
        gateway: exchange.gateway,
        method: exchange.method,
        path: exchange.path,
        headers: exchange.headers.into_iter().collect(),
        body: read(&folder.join("request.json")).unwrap_or_default().into_bytes(),
        answer: response,
        before: exchange.before,
    };
    let run: fn(&Script, usize) -> Run = if script.method == "MESSAGE" { support::socket::run } else { run };
    let whole = run(&script, 0);
    let mut wrong = Vec::new();
    for cut in CUTS {
        let other = run(&script, cut);
        if summary(&other) != summary(&whole) {
            wrong.push(format!("{}: pieces of {cut} bytes give another result", folder.display()));
        }
    }
    wrong.extend(compare(folder, &script, &whole));
    wrong
}

/// All that may not depend on how bytes arrive.
fn summary(run: &Run) -> (Option<&[u8]>, Option<&[u8]>, &[u8], String) {
    (
        run.forwarded.as_ref().map(|it| it.body.as_slice()),
        run.refused.as_ref().map(|it| it.body.as_slice()),
        &run.seen,
        event(&run.event).to_string(),
    )
}

fn compare(folder: &Path, script: &Script, run: &Run) -> Vec<String> {
    let seen_name = match script.answer.as_ref().map(|it| it.content_type) {
        Some(support::socket::MESSAGES) => "seen.jsonl",
        Some(it) if it.starts_with("text/event") => "seen.sse",
        _ => "seen.json",
    };
    let changed = run.forwarded.as_ref().filter(|it| it.body != script.body);
    let seen = script.answer.as_ref().filter(|it| it.body != run.seen && run.refused.is_none());
    let expectations = [
        ("forwarded.json", changed.map(|it| it.body.clone())),
        ("refused.json", run.refused.as_ref().map(|it| it.body.clone())),
        (seen_name, seen.map(|_| run.seen.clone())),
        ("event.json", Some(format!("{:#}\n", event(&run.event)).into_bytes())),
    ];
    expectations.into_iter().filter_map(|(name, actual)| expect(folder, name, actual)).collect()
}

/// A missing `forwarded.json` or `seen.*` says: byte for byte what came in.
fn expect(folder: &Path, name: &str, actual: Option<Vec<u8>>) -> Option<String> {
    let path = folder.join(name);
    let expected = read(&path);
    let actual = actual.map(|it| String::from_utf8_lossy(&it).into_owned());
    if expected.as_deref().map(str::trim_end) == actual.as_deref().map(str::trim_end) {
        return None;
    }
    if std::env::var_os("GOLDEN_UPDATE").is_some() {
        match &actual {
            Some(text) => fs::write(&path, broken_up(folder, text)).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        return None;
    }
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".into());
    Some(format!("{}:\n  expected {}\n  got      {}", path.display(), shown(&expected), shown(&actual)))
}

/// Puts the `¦` of the request's and the answer's keys back.
fn broken_up(folder: &Path, text: &str) -> String {
    let mut text = text.to_owned();
    for name in ["request.json", "response.json", "response.sse", "response.jsonl", "exchange.yaml"] {
        let Ok(source) = fs::read_to_string(folder.join(name)) else { continue };
        let is_edge = |c: char| c.is_whitespace() || matches!(c, '"' | '\\' | '\'' | ',');
        for token in source.split(is_edge).filter(|it| it.contains('¦')) {
            text = text.replace(&token.replace('¦', ""), token);
        }
    }
    text
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.replace('¦', ""))
}

/// The part of the record that says what was decided.
fn event(event: &Event) -> Value {
    let side = |findings: &[airiskguard_gateway::domain::Finding], verdict: &airiskguard_gateway::domain::Verdict| {
        let findings: Vec<Value> = findings
            .iter()
            .enumerate()
            .zip(verdict.dispositions.iter().map(|it| it.name()).chain(std::iter::repeat("log")))
            .map(|((index, it), action)| {
                let mut shown = json!({"rule": it.rule.id, "risk": it.rule.risk.name(), "source": it.source.name(),
                       "place": it.place.to_string(), "action": action});
                if let Some(excepted) = verdict.excepted.iter().find(|it| it.finding == index) {
                    shown["excepted"] = json!(*excepted.exception);
                }
                shown
            })
            .collect();
        json!({"action": verdict.action.name(), "policies": verdict.policies, "findings": findings})
    };
    json!({
        "team": event.team.as_str(),
        "endpoint": event.endpoint,
        "upstream": event.upstream,
        "model": event.model.as_ref().map(|it| it.as_str()),
        "session": event.session.as_ref().map(|it| it.as_str()),
        "streamed": event.streamed,
        "outcome": event.outcome.name(),
        "refusal": event.refusal,
        "outbound": side(&event.outbound_findings, &event.outbound),
        "inbound": side(&event.inbound_findings, &event.inbound),
        "restored": event.restored,
    })
}
