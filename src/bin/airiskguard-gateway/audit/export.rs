//! `audit export`: records as JSON lines or CSV, with a signed manifest beside them that needs no store to be checked.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use airiskguard_gateway::store::{Entry, Head, Key, Link, Mark, Marker, Record, Subject};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Opened;
use crate::arguments::{Export, ExportFormat};

/// Extension of the manifest.
pub(super) const MANIFEST: &str = "manifest.json";
const ROWS_MAX: usize = 2_000;

/// What an export holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// SHA-256 of the file, hex.
    pub(super) sha256: String,
    /// The chains in it, one behind the other.
    pub(super) gateways: Vec<Part>,
    /// The Ed25519 key that signed it, hex; empty without a key at hand.
    pub(super) key: String,
    /// The signature over the digest.
    pub(super) signature: Option<Mark>,
}

/// One gateway's stretch.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) gateway: String,
    pub(super) records: u64,
    /// `number:hash` of the entry before the first.
    behind: String,
    /// `number:hash` of the last.
    last: String,
}

impl Part {
    /// The entry before the first.
    pub(super) fn first(&self) -> Result<Head, String> {
        parse_head(&self.behind)
    }

    /// The last entry.
    pub(super) fn last(&self) -> Result<Head, String> {
        parse_head(&self.last)
    }
}

/// `number:hash`.
pub(crate) fn parse_head(text: &str) -> Result<Head, String> {
    let parsed = text
        .split_once(':')
        .and_then(|(number, hash)| Some(Head { sequence: number.parse().ok()?, hash: hash.parse::<Link>().ok()? }));
    parsed.ok_or_else(|| format!("`{text}` is no `number:hash` of a record"))
}

impl Manifest {
    /// Whether it is signed as it says. Without a signature there is nothing to break.
    pub(super) fn holds(&self) -> bool {
        let Some(mark) = &self.signature else { return self.key.is_empty() };
        mark.key == self.key && mark.hash == self.digest() && mark.holds(EXPORT)
    }

    /// Over everything that it says.
    fn digest(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.sha256.as_bytes());
        for it in &self.gateways {
            digest.update(format!("\n{} {} {} {}", it.gateway, it.records, it.behind, it.last));
        }
        hex(&digest.finalize())
    }
}

/// What is signed in an export in place of a gateway's name.
const EXPORT: &str = "airiskguard audit export";

/// Writes the records of one time range.
pub(super) async fn run(opened: &Opened, options: &Export) -> Result<u8, String> {
    let path = &options.output;
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    let mut file = Hashing { file: BufWriter::new(create(path).map_err(failed)?), digest: Sha256::new() };
    let mut manifest = Manifest { sha256: String::new(), gateways: Vec::new(), key: String::new(), signature: None };
    if options.format == ExportFormat::Csv {
        file.line(&CSV.join(",")).map_err(failed)?;
    }
    let mut total = 0;
    for gateway in opened.store.gateways().await.map_err(|error| error.to_string())? {
        let mark = opened.store.mark(&gateway).await.map_err(|error| error.to_string())?;
        let hash = mark.as_ref().and_then(|it| it.hash.parse().ok()).unwrap_or(Link::FIRST);
        let mut behind = Head { sequence: mark.map_or(0, |it| it.sequence), hash };
        let (mut from, mut records, mut last) = (1, 0, behind);
        loop {
            let rows = opened.store.read(&gateway, from, ROWS_MAX).await.map_err(|error| error.to_string())?;
            let Some(end) = rows.last() else { break };
            from = end.entry.sequence + 1;
            for row in &rows {
                if options.from.is_some_and(|it| row.entry.written_ms < it.0) {
                    behind = row.entry.head();
                } else if options.until.is_none_or(|it| row.entry.written_ms < it.0) {
                    file.line(&line(&row.entry, options.format)?).map_err(failed)?;
                    (records, last) = (records + 1, row.entry.head());
                }
            }
        }
        total += records;
        let [behind, last] = [behind, if records == 0 { behind } else { last }].map(|it| shown(&it));
        manifest.gateways.push(Part { gateway, records, behind, last });
    }
    file.file.flush().map_err(failed)?;
    manifest.sha256 = hex(&file.digest.finalize());
    sign(&mut manifest, opened)?;
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| error.to_string())?;
    create(&path.with_extension(MANIFEST)).and_then(|mut it| it.write_all(&text)).map_err(failed)?;
    // The files are the answer; standard output stays free for programs.
    let _ = writeln!(std::io::stderr(), "{total} records in {}", path.display());
    Ok(0)
}

fn sign(manifest: &mut Manifest, opened: &Opened) -> Result<(), String> {
    let Some(directory) = &opened.directory else { return Ok(()) };
    let marker = Marker::new(EXPORT, &*directory.key(Key::Signing)?);
    manifest.key = marker.public_key();
    let digest = manifest.digest().parse().map_err(|()| "a digest is no digest".to_owned())?;
    let now_ms = crate::configuration::now().unix.as_millis() as u64;
    manifest.signature = Some(marker.mark(Head { sequence: 0, hash: digest }, now_ms));
    Ok(())
}

fn shown(head: &Head) -> String {
    format!("{}:{}", head.sequence, head.hash)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)
}

struct Hashing {
    file: BufWriter<File>,
    digest: Sha256,
}

impl Hashing {
    fn line(&mut self, line: &str) -> std::io::Result<()> {
        self.digest.update(line.as_bytes());
        self.digest.update(b"\n");
        writeln!(self.file, "{line}")
    }
}

fn line(entry: &Entry, format: ExportFormat) -> Result<String, String> {
    match format {
        ExportFormat::Jsonl => Ok(format!("{{\"hash\":\"{}\",\"record\":{}}}", entry.hash, entry.body)),
        ExportFormat::Csv => {
            let record = entry.record().map_err(|error| format!("record {}: {error}", entry.sequence))?;
            Ok(csv(entry, &record).iter().map(|it| quoted(it)).collect::<Vec<_>>().join(","))
        }
    }
}

const CSV: [&str; 18] = [
    "gateway",
    "sequence",
    "written",
    "id",
    "kind",
    "team",
    "key",
    "session",
    "client",
    "model",
    "outcome",
    "action",
    "risk",
    "score",
    "rules",
    "input_tokens",
    "output_tokens",
    "hash",
];

fn csv(entry: &Entry, record: &Record) -> [String; 18] {
    let exchange = match &record.subject {
        Subject::Exchange(it) | Subject::Decision(it) => Some(it),
        Subject::Act(_) | Subject::Checkpoint(_) => None,
    };
    let text = |it: Option<&String>| it.cloned().unwrap_or_default();
    let of =
        |part: fn(&airiskguard_gateway::store::Exchange) -> String| exchange.map(|it| part(it)).unwrap_or_default();
    let rules = airiskguard_gateway::store::Columns::of(record).rules.join(" ");
    let act = match &record.subject {
        Subject::Act(act) => act.act.clone(),
        _ => of(|it| it.outcome.clone()),
    };
    [
        record.gateway.clone(),
        record.sequence.to_string(),
        super::search::moment(record.written_ms),
        record.id.clone(),
        record.subject.kind().to_owned(),
        of(|it| it.team.clone()),
        text(exchange.and_then(|it| it.key.as_ref())),
        text(exchange.and_then(|it| it.session.as_ref())),
        text(exchange.and_then(|it| it.client.as_ref())),
        text(exchange.and_then(|it| it.model.as_ref())),
        act,
        of(|it| it.action.clone()),
        of(|it| it.risk().map(|risk| risk.name().to_owned()).unwrap_or_default()),
        of(|it| it.score().to_string()),
        rules,
        of(|it| it.tokens.map(|it| it.input.to_string()).unwrap_or_default()),
        of(|it| it.tokens.map(|it| it.output.to_string()).unwrap_or_default()),
        entry.hash.to_string(),
    ]
}

/// A field that no spreadsheet takes for a formula, and no reader for two.
fn quoted(text: &str) -> String {
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let lead = if risky { "'" } else { "" };
    format!("\"{lead}{}\"", text.replace('"', "\"\""))
}
