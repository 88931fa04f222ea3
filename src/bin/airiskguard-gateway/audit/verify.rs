//! `audit verify`: over a store, or over an export alone.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use airiskguard_gateway::store::{
    Columns, Directory, Entry, Head, Journal, Key, Marker, Row, Verdict, Verifier, verify_stored,
};
use serde_json::Value;

use super::export::{MANIFEST, Manifest};
use super::{Opened, written};
use crate::arguments::Verify;

/// Longest line of an export.
const LINE_BYTES_MAX: usize = 32 << 20;

/// Verifies every gateway's chain in the store.
pub(super) async fn stored(opened: &Opened, options: &Verify, out: &mut dyn Write) -> Result<u8, String> {
    let own = opened.directory.as_ref().and_then(|it| Some((it.gateway().ok()?, it)));
    let mut gateways = opened.store.gateways().await.map_err(|error| error.to_string())?;
    // A gateway whose records are all gone is not in the store.
    let absent = own.as_ref().map(|(name, _)| name.to_string()).filter(|name| !gateways.contains(name));
    gateways.extend(absent);
    let mut clean = true;
    for gateway in &gateways {
        let directory = own.as_ref().filter(|(name, _)| **name == **gateway).map(|(_, it)| *it);
        let key = options.key.clone().or_else(|| public_key(directory?, gateway));
        let pinned = key.is_some();
        // What the gateway itself knows is read first: it may write on while this runs.
        let known = directory.and_then(|it| Journal::last(&it.journal(), gateway.as_str().into()).ok()?);
        let mut verifier = verify_stored(&*opened.store, gateway, key).await.map_err(|error| error.to_string())?;
        let stored = opened.store.head(gateway).await.ok().flatten();
        if let Some(known) = known {
            verifier.end(arrived(known, directory, stored), "the gateway's own folder");
        }
        if let Some(head) = &options.head {
            verifier.end(head.0, "--head");
        }
        clean &= tell(gateway, &verifier.verdict(), pinned, out)?;
    }
    if gateways.is_empty() {
        written(writeln!(out, "no records"))?;
    }
    Ok(if clean { 0 } else { 1 })
}

/// What must be in the store: all that its cursor says was delivered. What is still on its way is not missing.
fn arrived(known: Head, directory: Option<&Directory>, stored: Option<Head>) -> Head {
    let cursor = directory.map(|it| it.cursor(airiskguard_gateway::sinks::Archive::NAME));
    let delivered = cursor.and_then(|it| airiskguard_gateway::sinks::known_head(&it));
    match (delivered, stored) {
        (_, Some(stored)) if stored.sequence >= known.sequence => known,
        (Some(delivered), _) if delivered.sequence < known.sequence => delivered,
        _ => known,
    }
}

fn public_key(directory: &Directory, gateway: &str) -> Option<String> {
    let key = directory.key(Key::Signing).ok()?;
    Some(Marker::new(gateway, &key).public_key())
}

/// Verifies an export against its manifest, without a store.
pub(super) fn exported(path: &Path, options: &Verify, out: &mut dyn Write) -> Result<u8, String> {
    let shown = path.display();
    let manifest = path.with_extension(MANIFEST);
    let text = crate::configuration::read(&manifest).map_err(|error| format!("{}: {error}", manifest.display()))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", manifest.display()))?;
    let file = std::fs::File::open(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let mut lines = BufReader::new(file);
    let mut clean = manifest.holds();
    if !clean {
        written(writeln!(out, "the manifest's signature does not hold"))?;
    }
    for part in &manifest.gateways {
        let key = options.key.clone();
        let (pinned, first) = (key.is_some(), part.first()?);
        let mut verifier = Verifier::new(&part.gateway, key.or(Some(manifest.key.clone())), None);
        verifier.begin_behind(first);
        verifier.without_texts();
        for _ in 0..part.records {
            let Some(line) = line(&mut lines)? else { break };
            match row(&line) {
                Some(row) => verifier.row(&row),
                None => verifier.unreadable(0, "the line is no exported record"),
            }
        }
        verifier.end(part.last()?, "the manifest");
        clean &= tell(&part.gateway, &verifier.verdict(), pinned, out)?;
    }
    if line(&mut lines)?.is_some() {
        clean = false;
        written(writeln!(out, "the file goes on behind what the manifest names"))?;
    }
    Ok(if clean { 0 } else { 1 })
}

fn line(lines: &mut impl BufRead) -> Result<Option<String>, String> {
    use std::io::Read;
    let mut line = Vec::new();
    let mut limited = lines.take(LINE_BYTES_MAX as u64);
    let count = limited.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
    if count == 0 {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
}

/// `{"hash": …, "record": …}`, where the record's text is exactly what was hashed.
fn row(line: &str) -> Option<Row> {
    let rest = line.strip_prefix("{\"hash\":\"")?;
    let (hash, rest) = rest.split_once("\",\"record\":")?;
    let body = rest.strip_suffix('}')?;
    let record: airiskguard_gateway::store::Record = serde_json::from_str(body).ok()?;
    let _: Value = serde_json::from_str(line).ok()?;
    let entry = Entry {
        gateway: record.gateway.as_str().into(),
        sequence: record.sequence,
        written_ms: record.written_ms,
        hash: hash.parse().ok()?,
        body: body.into(),
        sealed: None,
    };
    Some(Row { columns: Columns::of(&record), entry })
}

/// Says what came of a gateway's chain, and whether nothing is wrong with it.
fn tell(gateway: &str, verdict: &Verdict, pinned: bool, out: &mut dyn Write) -> Result<bool, String> {
    for fault in &verdict.faults {
        written(writeln!(out, "{fault}"))?;
    }
    if verdict.faults_omitted > 0 {
        written(writeln!(out, "{gateway}: and {} more", verdict.faults_omitted))?;
    }
    let clean = verdict.faults.is_empty();
    let (last, hash) = verdict.head.map_or((0, String::new()), |it| (it.sequence, it.hash.to_string()));
    let key = match (&verdict.key, pinned) {
        (Some(key), true) => format!("signed with {key}"),
        (Some(key), false) => {
            format!("signed with {key}, a key that was taken from the records: compare it, or give --key")
        }
        (None, _) => "without a signature".to_owned(),
    };
    let state = if clean { "holds" } else { "DOES NOT HOLD" };
    let line = format!(
        "{gateway}: the chain {state}: {} records, {} checkpoints, {key}; head {last}:{hash}",
        verdict.rows, verdict.checkpoints
    );
    written(writeln!(out, "{line}"))?;
    Ok(clean)
}
