//! `scan`: the gateway's rules over files, standard input or JSON lines.

use std::io::{BufRead, Read, Write};
use std::path::Path;
use std::sync::Arc;

use airiskguard_gateway::config::Overrides;
use airiskguard_gateway::domain::{Action, Direction, Source};
use airiskguard_gateway::pipeline::{Inspection, Snapshot};
use airiskguard_gateway::scan::Language;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::arguments::Scan;
use crate::configuration;

/// Larger inputs are refused rather than read.
const INPUT_BYTES_MAX: u64 = 256 << 20;

/// One input line of `--jsonl`.
#[derive(Deserialize)]
struct Line {
    id: Value,
    text: String,
    direction: Option<String>,
    source: Option<String>,
    language: Option<String>,
}

/// Runs the command. Exit code 0: nothing that would be stopped; 1: something; an error is a mistake in the input.
pub(crate) fn run(scan: &Scan, out: &mut dyn Write) -> Result<u8, String> {
    let direction = parse_direction(&scan.direction)?;
    let snapshot = snapshot(scan)?;
    if scan.jsonl {
        return lines(scan, &snapshot, direction, out);
    }
    let mut stopped = false;
    for path in paths(scan) {
        let bytes = read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        let language = Language::of_path(&path.to_string_lossy());
        let inspection = snapshot.inspect_file(&text, direction, source_of(direction), language, configuration::now());
        stopped |= inspection.verdict.action >= Action::Redact;
        let written = match scan.json {
            true => writeln!(out, "{}", object(json!(path.display().to_string()), &inspection)),
            false => report(&path, &inspection, out),
        };
        written.map_err(|error| error.to_string())?;
    }
    Ok(u8::from(stopped))
}

fn lines(scan: &Scan, snapshot: &Arc<Snapshot>, direction: Direction, out: &mut dyn Write) -> Result<u8, String> {
    let mut stopped = false;
    for path in paths(scan) {
        let reader: Box<dyn BufRead> = match path.as_os_str() == "-" {
            true => Box::new(std::io::stdin().lock()),
            false => {
                let file =
                    std::fs::File::open(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                Box::new(std::io::BufReader::new(file))
            }
        };
        for (index, line) in reader.lines().enumerate() {
            let at = |error: String| format!("{} line {}: {error}", path.display(), index + 1);
            let line = line.map_err(|error| at(error.to_string()))?;
            if line.trim().is_empty() {
                continue;
            }
            let inspection = inspect_line(snapshot, direction, &line).map_err(at)?;
            stopped |= inspection.1.verdict.action >= Action::Redact;
            writeln!(out, "{}", object(inspection.0, &inspection.1)).map_err(|error| error.to_string())?;
        }
    }
    Ok(u8::from(stopped))
}

fn inspect_line(snapshot: &Arc<Snapshot>, direction: Direction, line: &str) -> Result<(Value, Inspection), String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let direction = line.direction.as_deref().map_or(Ok(direction), parse_direction)?;
    let source = match line.source.as_deref() {
        None => source_of(direction),
        Some(name) => name.parse::<Source>().map_err(|()| {
            let names: Vec<&str> = Source::ALL.iter().map(|it| it.name()).collect();
            format!("unknown source `{name}`; expected one of {}", names.join(", "))
        })?,
    };
    let language = line.language.as_deref().and_then(Language::of_tag);
    Ok((line.id, snapshot.inspect_file(&line.text, direction, source, language, configuration::now())))
}

fn object(id: Value, inspection: &Inspection) -> Value {
    let findings: Vec<Value> = inspection
        .findings
        .iter()
        .map(|it| {
            json!({
                "rule": it.rule.id, "checker": it.rule.checker.name(), "type": it.rule.label,
                "risk": it.rule.risk.name(), "score": it.rule.score.value(),
                "start": it.span.start, "end": it.span.end,
            })
        })
        .collect();
    json!({"id": id, "findings": findings, "action": inspection.verdict.action.name()})
}

fn report(path: &Path, inspection: &Inspection, out: &mut dyn Write) -> std::io::Result<()> {
    for (finding, action) in inspection.findings.iter().zip(&inspection.verdict.dispositions) {
        writeln!(
            out,
            "{}:{}: {} {} [{}] {}",
            path.display(),
            finding.place.line,
            action,
            finding.rule.risk,
            finding.rule.id,
            finding.rule.title
        )?;
    }
    writeln!(out, "{}: {} findings, action {}", path.display(), inspection.findings.len(), inspection.verdict.action)
}

fn snapshot(scan: &Scan) -> Result<Arc<Snapshot>, String> {
    let overrides =
        Overrides { outbound_checks: scan.checks.clone(), inbound_checks: scan.checks.clone(), ..Overrides::default() };
    let (file, _) = configuration::load(scan.config.as_deref(), &overrides)?;
    configuration::compile(&file)
}

fn paths(scan: &Scan) -> Vec<std::path::PathBuf> {
    if scan.paths.is_empty() { vec!["-".into()] } else { scan.paths.clone() }
}

pub(crate) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let source: Box<dyn Read> =
        if path.as_os_str() == "-" { Box::new(std::io::stdin()) } else { Box::new(std::fs::File::open(path)?) };
    #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
    source.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > INPUT_BYTES_MAX {
        true => Err(std::io::Error::other(format!("larger than {INPUT_BYTES_MAX} bytes"))),
        false => Ok(bytes),
    }
}

fn parse_direction(text: &str) -> Result<Direction, String> {
    text.parse().map_err(|()| format!("unknown direction `{text}`; expected outbound or inbound"))
}

/// Who is taken to have written a text when nobody says.
fn source_of(direction: Direction) -> Source {
    match direction {
        Direction::Outbound => Source::User,
        Direction::Inbound => Source::Assistant,
    }
}
