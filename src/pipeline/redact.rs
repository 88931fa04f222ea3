//! Splices that hide what was found, and splices that put originals back into a held answer.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use super::broken::begins_document;
use super::gathered::LeafRef;
use super::label::{Labels, OPEN, Originals, next_placeholder};
use super::locate::{Lines, Located};
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
    /// Placeholders that stay, because the original would be carried away: each where it stands first.
    pub(super) kept: Vec<Kept>,
}

/// Puts originals back into the text leaves of a complete document, `room` bytes of them at most.
pub(super) fn put_back(
    raw: &[u8],
    leaves: &[LeafRef],
    originals: &Originals,
    room: &mut u64,
) -> Result<Restored, json::Error> {
    let (mut restored, mut told) = (Restored::default(), HashSet::new());
    let calls = sending(raw, leaves, originals)?;
    for leaf in leaves.iter().filter(|leaf| !leaf.has_inner) {
        let text = json::decode(raw, leaf.place)?;
        if !text.contains(OPEN) {
            continue;
        }
        let found = placeholders(&text, originals);
        let ranges = json::locate(raw, leaf.place, &found)?;
        let levels = 1 + usize::from(leaf.place.inner.is_some());
        // Of arguments that are no document nobody knows what the original would stand beside.
        let stays = is_broken(leaf, &text) || is_sent(&calls, &leaf.path) || leaf.is_command && restore::sends(&text);
        let (mut markup, mut read, mut lines) = (Markup::default(), 0, Lines::of(&text));
        for (span, range) in found.into_iter().zip(ranges) {
            markup.read(&text[read..span.start]);
            read = span.start;
            let is_allowed = match leaf.source {
                Source::ToolInput => !stays && restore::allowed_in_tool(&text, span.start),
                _ => restore::allowed_in_text(&text[..span.start], &markup),
            };
            let placeholder = &text[span.clone()];
            if !is_allowed {
                if told.insert(placeholder.to_owned()) {
                    let place = Place { message: leaf.message, path: leaf.path.clone(), line: lines.at(span.start) };
                    let placeholder = placeholder.to_owned();
                    restored.kept.push(Kept { finding: carried_away(leaf.source, place, span), placeholder });
                }
            } else if let Some(original) = originals.spend(placeholder, room) {
                let mut escaped = Vec::new();
                json::escape(original.expose(), levels, &mut escaped);
                restored.edits.push((range, escaped));
            }
        }
    }
    Ok(restored)
}

fn is_broken(leaf: &LeafRef, text: &str) -> bool {
    leaf.place.inner.is_none() && leaf.path.ends_with("arguments") && begins_document(text)
}

/// Paths of tool inputs of which one part says that the rest of it is sent: a command's words, an address. Sorted, none
/// within another.
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
    found.sort_unstable();
    found.dedup_by(|call, before| call.starts_with(*before));
    Ok(found)
}

/// Whether a path lies in one of those that [`sending`] gave.
pub(super) fn is_sent(calls: &[&str], path: &str) -> bool {
    let before = calls.partition_point(|call| *call <= path);
    calls[..before].last().is_some_and(|call| path.starts_with(call))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(path: String) -> LeafRef {
        let place = json::Place::outer(0);
        LeafRef { place, source: Source::ToolInput, path, message: None, is_command: false, has_inner: false }
    }

    /// A cost that grew with the square of the calls would run into the test runner's limit.
    #[test]
    fn what_is_sent_is_found_among_many_calls() {
        let mut originals = Originals::default();
        Labels::new(Some([7; 32])).hide("X", "made up", &mut originals);
        let many = (0..200_000).flat_map(|at| [format!("input[{at}].url"), format!("input[{at}].body")]);
        let few = ["a.b.url", "a.b.c", "a.url", "a.c", "ab.c", "a"].map(String::from);
        let leaves: Vec<LeafRef> = many.chain(few).map(leaf).collect();
        let calls = sending(b"", &leaves, &originals).unwrap();
        let sent: Vec<&str> =
            leaves.iter().map(|leaf| leaf.path.as_str()).filter(|path| is_sent(&calls, path)).collect();
        assert_eq!((calls.len(), sent.len()), (200_001, 400_004));
        assert_eq!(sent[400_000..], ["a.b.url", "a.b.c", "a.url", "a.c"]);
    }
}
