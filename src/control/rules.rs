//! Rules of the company's own: for everyone, and for single teams. They are drafted and published as policies are; what
//! is special about them is the test on a text that somebody pastes, which is neither kept nor written down.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::bundle::{Change, Inputs};
use super::http::{Body, Granted, Json, Route, post};
use super::policies::{MistakeView, Subject, rule_routes, text_or_draft};
use super::roles::Permission;
use super::server::Control;
use crate::domain::{Direction, Source};

/// Longest text that rules are tried on, bytes.
const SAMPLE_BYTES_MAX: usize = 256 << 10;
/// Hits that are told.
const HITS_MAX: usize = 1000;

/// Rules, and what they are tried on.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Trial {
    /// The rules; the draft where they are absent.
    #[serde(default)]
    pub(super) text: Option<String>,
    /// What they are tried on; neither kept nor written down. At most 256 KiB.
    pub(super) sample: String,
    /// `outbound` for a prompt, which is the default, or `inbound` for a completion.
    #[serde(default)]
    pub(super) direction: Option<String>,
    /// Who wrote the sample: `user`, `system`, `assistant`, `tool_result`, …; by default who usually writes in that
    /// direction.
    #[serde(default)]
    pub(super) source: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct TrialResult {
    /// What is wrong with the rules; nothing was tried then.
    pub(super) mistakes: Vec<MistakeView>,
    /// Where rules hit, in the order of the text.
    pub(super) hits: Vec<HitView>,
    /// Whether there are more hits than are told.
    pub(super) cut: bool,
}

/// A hit: where, never what.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "RuleHit")]
pub(super) struct HitView {
    /// The rule's id.
    pub(super) rule: String,
    /// Its checker.
    pub(super) checker: String,
    /// Its title.
    pub(super) title: String,
    /// The type of thing found.
    #[serde(rename = "type")]
    pub(super) label: String,
    /// How bad it is.
    pub(super) risk: String,
    /// How bad and how sure, 0 to 1.
    pub(super) score: f64,
    /// Whether the rule is the company's own.
    pub(super) own: bool,
    /// First byte, from 0.
    pub(super) start: usize,
    /// The byte after the last.
    pub(super) end: usize,
    /// Line of the first character, from 1.
    pub(super) line: usize,
    /// Its column, from 1, in characters.
    pub(super) column: usize,
}

pub(super) fn routes() -> Vec<Route> {
    let mut routes = rule_routes();
    routes.push(
        post("rules.try", "/api/v1/rules/{scope}/try", Permission::WritePolicies, attempt)
            .says(
                "Which rules hit where in a text, the built-in ones beside; the text is neither kept nor written down",
            )
            .takes::<Trial>()
            .answers::<TrialResult>(),
    );
    routes
}

async fn attempt(
    State(control): State<Control>,
    _: Granted,
    subject: Subject,
    Body(trial): Body<Trial>,
) -> Result<Json<TrialResult>, Problem> {
    Ok(Json(tried(&control, &subject, trial).await?))
}

/// Tries rules on a text.
pub(super) async fn tried(control: &Control, subject: &Subject, trial: Trial) -> Result<TrialResult, Problem> {
    if trial.sample.len() > SAMPLE_BYTES_MAX {
        let bytes = trial.sample.len();
        return Err(Problem::invalid(format!("the sample has {bytes} bytes; at most {SAMPLE_BYTES_MAX} fit")));
    }
    let direction = match trial.direction.as_deref() {
        None => Direction::Outbound,
        Some(name) => name.parse().map_err(|()| Problem::invalid("`direction` is outbound or inbound"))?,
    };
    let usual = if direction == Direction::Outbound { Source::User } else { Source::Assistant };
    let source = match trial.source.as_deref() {
        None => usual,
        Some(name) => name.parse().map_err(|()| {
            let names: Vec<&str> = Source::ALL.iter().map(|it| it.name()).collect();
            Problem::invalid(format!("`source` is one of {}", names.join(", ")))
        })?,
    };
    let text = text_or_draft(control, subject, trial.text).await?;
    let change = Change::Text(subject.clone(), text);
    let rules = Inputs::read(control, super::gateways::DEFAULT_GROUP).await?.after(&change, "").rules;
    let sample = trial.sample;
    let found = control.bundles.loader.try_rules(rules, move |snapshot, own| {
        let inspection = snapshot.inspect(&sample, direction, source);
        let cut = inspection.findings.len() > HITS_MAX;
        let mut places = Places::new(&sample);
        let hits = inspection.findings.iter().take(HITS_MAX).map(|it| {
            let (line, column) = places.of(it.span.start);
            HitView {
                rule: it.rule.id.clone(),
                checker: it.rule.checker.name().to_owned(),
                title: it.rule.title.clone(),
                label: it.rule.label.clone(),
                risk: it.rule.risk.name().to_owned(),
                score: it.rule.score.value(),
                own: own.contains(&it.rule.id),
                start: it.span.start,
                end: it.span.end,
                line,
                column,
            }
        });
        (hits.collect(), cut)
    });
    Ok(match found.await? {
        Ok((hits, cut)) => TrialResult { mistakes: Vec::new(), hits, cut },
        Err(faults) => {
            TrialResult { mistakes: faults.iter().map(MistakeView::from).collect(), hits: Vec::new(), cut: false }
        }
    })
}

/// Lines and columns of offsets that come in order.
struct Places<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    column: usize,
}

impl Places<'_> {
    fn new(text: &str) -> Places<'_> {
        Places { text, at: 0, line: 1, column: 1 }
    }

    /// Line and column, from 1, of a byte at or behind the last one that was asked for.
    fn of(&mut self, offset: usize) -> (usize, usize) {
        let end = self.text.floor_char_boundary(offset.max(self.at));
        for character in self.text.get(self.at..end).unwrap_or_default().chars() {
            match character {
                '\n' => (self.line, self.column) = (self.line + 1, 1),
                _ => self.column += 1,
            }
        }
        self.at = end;
        (self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters() {
        let mut places = Places::new("é a\n\nb é c");
        assert_eq!([places.of(0), places.of(3), places.of(6), places.of(11)], [(1, 1), (1, 3), (3, 1), (3, 5)]);
    }
}
