//! `audit search` and `audit tail`: records as people read them, or as JSON lines.

use std::io::Write;
use std::time::Duration;

use airiskguard_gateway::store::{Entry, Exchange, Key, Query, Record, Side, Subject, unseal};

use super::{Opened, written};
use crate::arguments::{Search, Tail};

/// Records that one search returns at most.
const ROWS_MAX: usize = 100_000;
/// Between two looks for new records.
const TAIL_INTERVAL: Duration = Duration::from_millis(500);

/// Prints what matches, newest first.
pub(super) async fn run(opened: &Opened, options: &Search, out: &mut dyn Write) -> Result<u8, String> {
    let query = Query {
        before: None,
        gateway: options.gateway.clone(),
        team: options.team.clone(),
        session: options.session.clone(),
        rule: options.rule.clone(),
        model: options.model.clone(),
        action: options.action.clone(),
        risk: options.risk.clone(),
        kind: options.kind.clone(),
        id: options.id.clone(),
        from_ms: options.from.map(|it| it.0),
        until_ms: options.until.map(|it| it.0),
        rows_max: options.limit.min(ROWS_MAX),
    };
    let entries = opened.store.search(&query).await.map_err(|error| error.to_string())?;
    for entry in &entries {
        print(entry, options.json, out)?;
        if options.text {
            text(opened, entry, out)?;
        }
    }
    Ok(if entries.is_empty() { 1 } else { 0 })
}

/// Prints the newest records, and then those that come, until interrupted.
pub(super) async fn tail(opened: &Opened, options: &Tail, out: &mut dyn Write) -> Result<u8, String> {
    let query = Query { rows_max: options.lines, ..Query::default() };
    let mut entries = opened.store.search(&query).await.map_err(|error| error.to_string())?;
    entries.reverse();
    let mut heads = std::collections::BTreeMap::new();
    for entry in &entries {
        print(entry, options.json, out)?;
        heads.insert(entry.gateway.to_string(), entry.sequence);
    }
    if !options.follow {
        return Ok(0);
    }
    loop {
        tokio::time::sleep(TAIL_INTERVAL).await;
        for gateway in opened.store.gateways().await.map_err(|error| error.to_string())? {
            let seen = heads.entry(gateway.clone()).or_default();
            let rows = opened.store.read(&gateway, *seen + 1, 500).await.map_err(|error| error.to_string())?;
            for row in rows {
                print(&row.entry, options.json, out)?;
                *seen = row.entry.sequence;
            }
        }
        written(out.flush())?;
    }
}

fn print(entry: &Entry, json: bool, out: &mut dyn Write) -> Result<(), String> {
    if json {
        return written(writeln!(out, "{}", entry.body));
    }
    let line = entry.record().map_or_else(|_| format!("{} is no record", entry.sequence), |it| line(&it));
    written(writeln!(out, "{line}"))
}

/// The text that was kept with a record, for who holds the key.
fn text(opened: &Opened, entry: &Entry, out: &mut dyn Write) -> Result<(), String> {
    let Some(sealed) = &entry.sealed else { return Ok(()) };
    let directory =
        opened.directory.as_ref().ok_or("the key of the texts is in the gateway's own folder, which is not here")?;
    let key = directory.key(Key::Text)?;
    let id = entry.record().map_err(|error| error.to_string())?.id;
    match unseal(&key, &id, sealed) {
        Some(text) => written(writeln!(out, "{text:#}")),
        None => Err(format!("the text of {id} cannot be opened: it was changed, or kept with another key")),
    }
}

/// One line: when, who, what, which rules.
fn line(record: &Record) -> String {
    let head = format!("{} {} {}", moment(record.written_ms), record.gateway, record.sequence);
    match &record.subject {
        Subject::Exchange(it) => format!("{head} {}", exchange(it, &it.outcome, &record.id)),
        Subject::Decision(it) => format!("{head} {}", exchange(it, "decided", &record.id)),
        Subject::Act(it) => {
            let details: String = it.details.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            format!("{head} {} by {}{details}", it.act, it.actor)
        }
        Subject::Checkpoint(it) => format!("{head} checkpoint over {}", it.sequence),
    }
}

fn exchange(it: &Exchange, outcome: &str, id: &str) -> String {
    let model = it.model.as_deref().unwrap_or("-");
    let refusal = it.refusal.as_deref().map(|it| format!(" ({it})")).unwrap_or_default();
    let mut line = format!("{outcome}{refusal} {} team={} model={model} id={id}", it.action, it.team);
    if let Some(session) = &it.session {
        line.push_str(&format!(" session={session}"));
    }
    for (name, side) in [("prompt", &it.outbound), ("completion", &it.inbound)] {
        line.push_str(&findings(name, side));
    }
    // What a client named is printed on a terminal.
    line.chars().map(|it| if it.is_control() { '?' } else { it }).collect()
}

fn findings(name: &str, side: &Side) -> String {
    if side.findings.is_empty() {
        return String::new();
    }
    let times = |count: u64| if count > 1 { format!(" x{count}") } else { String::new() };
    let all = side.findings.iter().map(|it| format!("{}{} at {} ({})", it.rule, times(it.count), it.place, it.action));
    format!(" {name}: {}", all.collect::<Vec<_>>().join("; "))
}

/// A moment as RFC 3339 in UTC.
pub(super) fn moment(unix_ms: u64) -> String {
    let moment = i64::try_from(unix_ms).ok().and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
    moment.map_or_else(|| unix_ms.to_string(), |it| format!("{it:.3}"))
}

/// RFC 3339, a date in UTC, or a span before now such as `90m`, `24h`, `7d`.
pub(crate) fn parse_moment(text: &str) -> Result<u64, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    if let Ok(moment) = whole.parse::<jiff::Timestamp>() {
        return Ok(u64::try_from(moment.as_millisecond()).unwrap_or(0));
    }
    let (count, unit) = text.split_at(text.len().saturating_sub(text.chars().next_back().map_or(0, char::len_utf8)));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => 0,
    };
    let span_ms = count.parse::<u64>().ok().and_then(|it| it.checked_mul(seconds * 1000)).filter(|_| seconds > 0);
    let now_ms = crate::configuration::now().unix.as_millis() as u64;
    span_ms.map(|it| now_ms.saturating_sub(it)).ok_or_else(|| {
        format!("`{text}` is no moment: write 2026-11-22, 2026-11-22T10:00:00Z, or a span before now such as 24h")
    })
}
