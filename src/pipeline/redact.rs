//! Splices that hide what was found, and splices that put originals back into a held answer.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use super::broken::begins_document;
use super::gathered::LeafRef;
use super::label::{Labels, OPEN, Originals, next_placeholder};
use super::locate::{Located, line_at};
use super::markup::Markup;
use super::restore;
use crate::domain::{Action, Checker, Finding, Place, Risk, RuleInfo, Score, Source, Sources};
use crate::wire::json;
use crate::wire::splice::Splices;

/// A placeholder where turning it back would send the original away.
static CARRIED_AWAY: LazyLock<Arc<RuleInfo>> = LazyLock::new(|| {
    Arc::new(RuleInfo {
        id: "agent.exfiltration.placeholder".into(),
        checker: Checker::new("agent"),
        title: "Redacted secret in a link or a command that sends".into(),
        label: "PLACEHOLDER_EXFILTRATION".into(),
        risk: Risk::High,
        score: Score::new(0.8).unwrap_or_default(),
        why: "The model put the placeholder of a secret where restoring it would send the secret out.".into(),
        advice: None,
        cwe: Some(200),
        sources: Sources::ALL,
        directions: Vec::new(),
        redactable: false,
        flag_only: true,
    })
});

/// The finding for a placeholder that was left as it is.
pub(super) fn carried_away(source: Source, place: Place, span: Range<usize>) -> Finding {
    Finding { rule: CARRIED_AWAY.clone(), source, place, span, value: None }
}

/// A placeholder that stays.
pub(super) struct Kept {
    pub(super) finding: Finding,
    pub(super) placeholder: String,
}

/// A stretch of raw bytes to hide.
struct Cut<'a> {
    range: Range<usize>,
    by: &'a Located,
    /// Later pieces of a split secret vanish; the first one carries the label.
    is_first: bool,
}

/// Splices that hide every finding whose disposition is `Redact`.
pub(super) fn hide(
    located: &[Located],
    dispositions: &[Action],
    labels: &Labels,
    originals: &mut Originals,
) -> Splices {
    let redacted = located.iter().zip(dispositions).filter(|(_, action)| **action == Action::Redact);
    let mut cuts: Vec<Cut<'_>> = redacted
        .flat_map(|(by, _)| {
            by.pieces.iter().enumerate().map(move |(at, range)| Cut { range: range.clone(), by, is_first: at == 0 })
        })
        .collect();
    cuts.sort_by_key(|cut| (cut.range.start, cut.range.end));
    let mut splices = Splices::new();
    let mut rest = cuts.as_slice();
    while let Some(first) = rest.first() {
        let mut range = first.range.clone();
        let overlapping = rest.iter().take_while(|cut| {
            let overlaps = cut.range.start < range.end || cut.range == range;
            range.end = if overlaps { range.end.max(cut.range.end) } else { range.end };
            overlaps
        });
        let (group, others) = rest.split_at(overlapping.count());
        splices.replace(range.clone(), replacement(group, &range, labels, originals));
        rest = others;
    }
    splices
}

/// One label for a group of overlapping cuts: that of the worst finding.
fn replacement(group: &[Cut<'_>], range: &Range<usize>, labels: &Labels, originals: &mut Originals) -> String {
    let weight = |cut: &Cut<'_>| (cut.by.finding.rule.risk, cut.by.finding.rule.score, cut.range.len());
    let Some(worst) = group.iter().filter(|cut| cut.is_first).max_by_key(|cut| weight(cut)) else {
        return String::new();
    };
    let label = &worst.by.finding.rule.label;
    let whole = group.iter().find(|cut| cut.range == *range && cut.by.pieces.len() == 1);
    match whole.or((worst.by.pieces.len() > 1 && group.len() == 1).then_some(worst)) {
        Some(cut) => labels.hide(label, cut.by.text.expose(), originals),
        // No single finding covers the stretch, so there is no original to put back.
        None => format!("{OPEN}{label}]"),
    }
}

/// What putting back gave.
#[derive(Default)]
pub(super) struct Restored {
    /// Stretches of the raw bytes and what they become.
    pub(super) edits: Vec<(Range<usize>, Vec<u8>)>,
    /// Placeholders that stay, because the original would be carried away.
    pub(super) kept: Vec<Kept>,
}

/// Puts originals back into the text leaves of a complete document.
pub(super) fn put_back(raw: &[u8], leaves: &[LeafRef], originals: &Originals) -> Result<Restored, json::Error> {
    let mut restored = Restored::default();
    let sending = sending(raw, leaves, originals)?;
    for leaf in leaves.iter().filter(|leaf| !leaf.has_inner) {
        let text = json::decode(raw, leaf.place)?;
        if !text.contains(OPEN) {
            continue;
        }
        let found = placeholders(&text, originals);
        let ranges = json::locate(raw, leaf.place, &found)?;
        let levels = 1 + usize::from(leaf.place.inner.is_some());
        let is_sent = leaf.is_command && restore::sends(&text);
        let (mut markup, mut read) = (Markup::default(), 0);
        for (span, range) in found.into_iter().zip(ranges) {
            markup.read(&text[read..span.start]);
            read = span.start;
            let allowed = match leaf.source {
                // Arguments that are no document: nobody knows what the original would stand beside.
                Source::ToolInput if is_broken(leaf, &text) => false,
                Source::ToolInput if sending.iter().any(|call| leaf.path.starts_with(call)) => false,
                Source::ToolInput => !is_sent && restore::allowed_in_tool(&text, span.start),
                _ => restore::allowed_in_text(&text[..span.start], &markup),
            };
            match originals.original(&text[span.clone()]) {
                Some(original) if allowed => {
                    let mut escaped = Vec::new();
                    json::escape(original.expose(), levels, &mut escaped);
                    restored.edits.push((range, escaped));
                }
                _ => {
                    let line = line_at(&text, span.start);
                    let place = Place { message: leaf.message, path: leaf.path.clone(), line };
                    let placeholder = text[span.clone()].to_owned();
                    restored.kept.push(Kept { finding: carried_away(leaf.source, place, span), placeholder });
                }
            }
        }
    }
    Ok(restored)
}

fn is_broken(leaf: &LeafRef, text: &str) -> bool {
    leaf.place.inner.is_none() && leaf.path.ends_with("arguments") && begins_document(text)
}

/// Paths of tool inputs of which one part says that the rest of it is sent: a command's words, an address.
pub(super) fn sending<'a>(
    raw: &[u8],
    leaves: &'a [LeafRef],
    originals: &Originals,
) -> Result<Vec<&'a str>, json::Error> {
    let mut found: Vec<&str> = Vec::new();
    if originals.is_empty() {
        return Ok(found);
    }
    for leaf in leaves.iter().filter(|leaf| leaf.source == Source::ToolInput && !leaf.has_inner) {
        let (call, key) = restore::call_and_key(&leaf.path);
        let sends = match key {
            _ if found.last() == Some(&call) => false,
            key if restore::is_address(key) => true,
            _ => leaf.is_command && restore::sends(&json::decode(raw, leaf.place)?),
        };
        if sends {
            found.push(call);
        }
    }
    found.dedup();
    Ok(found)
}

/// The placeholders of this exchange in `text`.
pub(super) fn placeholders(text: &str, originals: &Originals) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(range) = next_placeholder(text.as_bytes(), from) {
        from = range.end;
        if originals.original(&text[range.clone()]).is_some() {
            found.push(range);
        }
    }
    found
}
