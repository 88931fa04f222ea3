//! One record as the API shows it: what was found, where, by which rule and why, and what was done. Never what was found.

use std::collections::HashMap;
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::paging::Seen;
use crate::checkers;
use crate::control::server::Control;
use crate::control::{Problem, policies};
use crate::domain::RuleInfo;
use crate::store::{Exchange, Found, Side, Subject};

/// A record in a list.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Record")]
pub(crate) struct RecordView {
    /// Its id; of exchanges the one that the client saw.
    pub(crate) id: String,
    /// The gateway that wrote it.
    pub(crate) gateway: String,
    /// Its number in that gateway's chain.
    pub(crate) sequence: u64,
    /// When it was written, Unix milliseconds.
    pub(crate) written_ms: u64,
    /// `exchange`, `decision`, `act` or `checkpoint`.
    pub(crate) kind: String,
    /// The team.
    pub(crate) team: Option<String>,
    /// The gateway key, as records name it.
    pub(crate) key: Option<String>,
    /// The client's session.
    pub(crate) session: Option<String>,
    /// The model asked for.
    pub(crate) model: Option<String>,
    /// How it ended.
    pub(crate) outcome: Option<String>,
    /// Why the gateway refused, if it did.
    pub(crate) refusal: Option<String>,
    /// The most severe action of both directions.
    pub(crate) action: Option<String>,
    /// The highest risk of both directions.
    pub(crate) risk: Option<String>,
    /// The rules that found something, each once.
    pub(crate) rules: Vec<String>,
    /// How many findings there were.
    pub(crate) findings: u64,
    /// Of an act: its name.
    pub(crate) act: Option<String>,
    /// Of an act: who did it.
    pub(crate) actor: Option<String>,
}

/// Everything about one record but its sealed text.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct RecordDetail {
    /// As in lists.
    #[serde(flatten)]
    pub(crate) view: RecordView,
    /// What was found, the prompt's first.
    pub(crate) found: Vec<FindingView>,
    /// Findings that the record only counts.
    pub(crate) found_omitted: u64,
    /// The record's hash in the chain, hex.
    pub(crate) hash: String,
    /// The record itself, as the gateway wrote it.
    pub(crate) record: Value,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Finding")]
pub(crate) struct FindingView {
    /// `outbound`: in the prompt. `inbound`: in the answer.
    pub(crate) direction: String,
    /// The rule's id.
    pub(crate) rule: String,
    /// The rule in a few words, where it is known still.
    pub(crate) title: Option<String>,
    /// Why this matters, where the rule says so.
    pub(crate) why: Option<String>,
    /// What to do instead, where the rule says so.
    pub(crate) advice: Option<String>,
    /// The checker.
    pub(crate) checker: String,
    /// The type of thing found.
    #[serde(rename = "type")]
    pub(crate) label: String,
    /// How bad it is.
    pub(crate) risk: String,
    /// How bad and how sure, 0 to 1.
    pub(crate) score: f64,
    /// Who wrote the text.
    pub(crate) source: String,
    /// Where the first of them stands.
    pub(crate) place: String,
    /// What was done with it.
    pub(crate) action: String,
    /// The exception that let it pass.
    pub(crate) exception: Option<String>,
    /// Keyed digest of the value: the same value, the same digest.
    pub(crate) value: Option<String>,
    /// How many there were.
    pub(crate) count: u64,
}

impl RecordView {
    /// Whether the gateway refused it for another reason than what was found: no key, a limit, a quarantine.
    pub(crate) fn is_turned_away(&self) -> bool {
        self.refusal.is_some() && self.outcome.as_deref() == Some("refused") && self.action.as_deref() == Some("allow")
    }

    /// Of a record that may be seen.
    pub(super) fn of(seen: &Seen) -> RecordView {
        let record = &seen.record;
        let exchange = seen.exchange();
        let text = |of: fn(&Exchange) -> &String| exchange.map(of).cloned();
        let act = match &record.subject {
            Subject::Act(it) => Some(it),
            _ => None,
        };
        RecordView {
            id: record.id.clone(),
            gateway: record.gateway.clone(),
            sequence: record.sequence,
            written_ms: record.written_ms,
            kind: record.subject.kind().to_owned(),
            team: text(|it| &it.team),
            key: exchange.and_then(|it| it.key.clone()),
            session: exchange.and_then(|it| it.session.clone()),
            model: exchange.and_then(|it| it.model.clone()),
            outcome: text(|it| &it.outcome),
            refusal: exchange.and_then(|it| it.refusal.clone()),
            action: text(|it| &it.action),
            risk: exchange.and_then(Exchange::risk).map(|it| it.name().to_owned()),
            rules: exchange.map(rules).unwrap_or_default(),
            findings: exchange.map(findings).unwrap_or_default(),
            act: act.map(|it| it.act.clone()),
            actor: act.map(|it| it.actor.clone()),
        }
    }
}

impl RecordDetail {
    /// Of a record that may be seen.
    pub(super) fn of(seen: &Seen, own: &Catalogue) -> RecordDetail {
        let sides = seen.exchange().map(sides).into_iter().flatten();
        let found =
            sides.clone().flat_map(|(direction, side)| side.findings.iter().map(move |it| finding(direction, it, own)));
        RecordDetail {
            view: RecordView::of(seen),
            found: found.collect(),
            found_omitted: sides.map(|(_, side)| side.findings_omitted).sum(),
            hash: seen.entry.hash.to_string(),
            record: serde_json::from_str(&seen.entry.body).unwrap_or_default(),
        }
    }
}

/// Both directions, by name.
fn sides(it: &Exchange) -> [(&'static str, &Side); 2] {
    [("outbound", &it.outbound), ("inbound", &it.inbound)]
}

/// The rules of an exchange's findings, each once, sorted; without those that an exception let pass.
pub(super) fn rules(it: &Exchange) -> Vec<String> {
    let found = it.outbound.findings.iter().chain(&it.inbound.findings).filter(|it| it.exception.is_none());
    let mut rules: Vec<String> = found.map(|it| it.rule.clone()).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

/// How many findings an exchange has.
pub(super) fn findings(it: &Exchange) -> u64 {
    let sides = [&it.outbound, &it.inbound];
    sides.iter().map(|it| it.findings.iter().map(|it| it.count).sum::<u64>() + it.findings_omitted).sum()
}

fn finding(direction: &str, it: &Found, own: &Catalogue) -> FindingView {
    let known = Catalogue::built_in().0.get(&it.rule).or_else(|| own.0.get(&it.rule));
    FindingView {
        direction: direction.to_owned(),
        rule: it.rule.clone(),
        title: known.map(|it| it.title.clone()),
        why: known.map(|it| it.why.clone()),
        advice: known.and_then(|it| it.advice.clone()),
        checker: it.checker.clone(),
        label: it.label.clone(),
        risk: it.risk.clone(),
        score: it.score,
        source: it.source.clone(),
        place: it.place.clone(),
        action: it.action.clone(),
        exception: it.exception.clone(),
        value: it.value.clone(),
        count: it.count,
    }
}

/// What is said of a rule.
struct Said {
    title: String,
    why: String,
    advice: Option<String>,
}

/// What is said of rules, by id.
#[derive(Default)]
pub(super) struct Catalogue(HashMap<String, Said>);

impl Catalogue {
    /// The built-in rules, read once.
    fn built_in() -> &'static Catalogue {
        static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
        let rules = || checkers::rules().unwrap_or_default().into_iter().map(|it| it.info);
        CATALOGUE.get_or_init(|| Catalogue::of(rules()))
    }

    /// The company's own rules that have found something here, as far as they are published now.
    pub(super) async fn own(control: &Control, seen: &Seen) -> Result<Catalogue, Problem> {
        let built_in = Catalogue::built_in();
        let Some(exchange) = seen.exchange() else { return Ok(Catalogue::default()) };
        let mut found = exchange.outbound.findings.iter().chain(&exchange.inbound.findings);
        if found.all(|it| built_in.0.contains_key(&it.rule)) {
            return Ok(Catalogue::default());
        }
        let texts = policies::published_rules(control).await?;
        let read = move || {
            let entries = texts.iter().flat_map(|it| checkers::parse(it, "").unwrap_or_default());
            Catalogue::of(entries.map(|it| it.rule.info))
        };
        control.bundles.loader.run(read).await
    }

    fn of(rules: impl Iterator<Item = RuleInfo>) -> Catalogue {
        let said = |it: RuleInfo| (it.id, Said { title: it.title, why: it.why, advice: it.advice });
        Catalogue(rules.map(said).collect())
    }
}
