//! Slack: Block Kit, with every word that a client chose inside of a code span, where it can mean nothing.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::config;
use crate::domain::Secret;
use crate::sinks::http::Poster;

use super::alert::{Alert, Occasion, Reported};
use super::carrier::{Carrier, Refused, judge};
use super::text::{clean, minute, timestamp};

/// Limits of the interface: characters of a header and of a section, fields of a section, blocks.
const HEADER_CHARS_MAX: usize = 150;
const SECTION_CHARS_MAX: usize = 3000;
const FIELDS_MAX: usize = 10;
const BLOCKS_MAX: usize = 50;
/// Findings with a section of their own; how many there are is told.
const FINDINGS_MAX: usize = 10;
/// Particulars of an act that are shown.
const DETAILS_MAX: usize = 10;
/// Characters of one value; escaped, it is five times as long at most, and stays within a field.
const VALUE_CHARS_MAX: usize = 200;

/// An incoming webhook.
pub(super) struct Slack {
    poster: Poster,
}

impl Slack {
    pub(super) fn new(it: &config::Slack, proxy: Option<&Secret>) -> Result<Self, String> {
        Ok(Slack { poster: Poster::new(&it.url, proxy)? })
    }
}

#[async_trait]
impl Carrier for Slack {
    async fn send(&self, alert: &Alert, now_ms: u64) -> Result<(), Refused> {
        let body = encode(alert).to_string().into_bytes();
        // Slack answers with one word, such as `no_service`.
        let word = |body: &[u8]| std::str::from_utf8(body).ok().map(|it| it.trim().to_owned());
        judge(self.poster.post("application/json", &[], body).await, now_ms, word)
    }
}

fn encode(alert: &Alert) -> Value {
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": clean(&alert.headline(), HEADER_CHARS_MAX), "emoji": false },
    })];
    let fields = fields(alert);
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    blocks.extend(alert.findings.iter().take(FINDINGS_MAX).map(|it| section(&finding(it))));
    for (name, value) in alert.details.iter().take(DETAILS_MAX) {
        blocks.push(section(&format!("*{}* {}", plain(name), code(value))));
    }
    let hidden = alert.findings.len().saturating_sub(FINDINGS_MAX);
    let hidden = if hidden > 0 { format!(" · {hidden} more findings in the audit log") } else { String::new() };
    let footer = format!("gateway {} · event {}{hidden}", code(&alert.gateway), code(&alert.event));
    blocks.push(json!({ "type": "context", "elements": [mrkdwn(&footer)] }));
    if let Some(link) = &alert.link {
        blocks.push(section(&format!("<{}|Open in the dashboard>", escape(link))));
    }
    blocks.truncate(BLOCKS_MAX);
    json!({ "text": escape(&clean(&alert.headline(), SECTION_CHARS_MAX)), "blocks": blocks })
}

fn fields(alert: &Alert) -> Vec<Value> {
    let mut fields = Vec::new();
    let mut field = |name: &str, value: String| fields.push(mrkdwn(&format!("*{name}*\n{value}")));
    if let Some(team) = &alert.team {
        field("Team", code(team));
    }
    if let Some(model) = &alert.model {
        field("Model", code(model));
    }
    if alert.occasion != Occasion::More {
        field("Risk", alert.severity());
    }
    field("Time", timestamp(alert.time_ms));
    if let Some(action) = &alert.action {
        let direction = alert.direction.map(|it| format!(", {it}")).unwrap_or_default();
        field("Action", format!("{}{direction}", plain(action)));
    }
    if let Some(session) = &alert.session {
        field("Session", code(session));
    }
    if let Some(request) = &alert.request {
        field("Request", code(request));
    }
    if let Some(key) = &alert.key_id {
        field("Gateway key", code(key));
    }
    if !alert.policies.is_empty() {
        field("Policies", code(&alert.policies.join(", ")));
    }
    if alert.count > 1 {
        let since = alert.since_ms.map(|it| format!(" since {}", minute(it))).unwrap_or_default();
        field("Count", format!("{}{since}", alert.count));
    }
    fields.truncate(FIELDS_MAX);
    fields
}

fn finding(it: &Reported) -> String {
    let count = if it.count > 1 { format!(", {} times", it.count) } else { String::new() };
    let place = if it.place.is_empty() { String::new() } else { format!(" in {}", code(&it.place)) };
    let (rule, label, checker) = (plain(&it.rule), plain(&it.label), plain(&it.checker));
    format!("*{rule}* · {label} · {} risk, score {}{count}\n{checker}{place}", it.risk, it.score)
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn(text) })
}

/// `verbatim` keeps names of channels, people and sites in it from becoming links.
fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

/// What Slack asks for in every text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Inside of a code span only its end has a meaning.
fn code(text: &str) -> String {
    let text = clean(text, VALUE_CHARS_MAX).replace('`', "'");
    format!("`{}`", escape(if text.trim().is_empty() { "-" } else { &text }))
}

/// Words that are ours or the operator's, and yet not to be trusted with formatting.
fn plain(text: &str) -> String {
    let kept = |it: &char| !matches!(it, '*' | '~' | '`');
    escape(&clean(text, VALUE_CHARS_MAX).chars().filter(kept).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    const FIELD_CHARS_MAX: usize = 2000;

    #[test]
    fn messages_are_as_written_down() {
        samples::check("slack", encode, include_str!("../../../tests/alerts/golden/slack.json"));
    }

    #[test]
    fn hostile_names_stay_names_and_within_the_limits() {
        let message = encode(&samples::hostile());
        let blocks = message["blocks"].as_array().unwrap();
        assert!(blocks.len() <= BLOCKS_MAX);
        let chars = |value: &Value| value.as_str().unwrap().chars().count();
        assert!(chars(&blocks[0]["text"]["text"]) <= HEADER_CHARS_MAX);
        for block in &blocks[1..] {
            let fields = block["fields"].as_array().map_or(&[][..], Vec::as_slice);
            assert!(fields.len() <= FIELDS_MAX && fields.iter().all(|it| chars(&it["text"]) <= FIELD_CHARS_MAX));
            if block["type"] == "section" && fields.is_empty() {
                assert!(chars(&block["text"]["text"]) <= SECTION_CHARS_MAX);
            }
        }
        let text = message.to_string();
        assert!(
            !text.contains("<!channel>")
                && !text.replace("<https://dash.example/", "").contains("<http")
                && !text.contains("\\n*boss*"),
            "{text}"
        );
        assert!(text.contains("&lt;!channel&gt;"), "{text}");
    }
}
