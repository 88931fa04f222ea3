//! What a policy would have done: the findings that were recorded, judged once more by another text. Records hold no text,
//! so only what was found then can be judged now.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kept::Subject;
use super::recorded::{Bench, Judged};
use super::routes::text_or_draft;
use crate::control::Problem;
use crate::control::bundle::{Change, Inputs, sentences, standing_in};
use crate::control::http::Granted;
use crate::control::roles::{Permission, Reach};
use crate::control::server::Control;
use crate::control::time::DAY_MS;
use crate::domain::{Action, Stamp};
use crate::store::{Entry, Exchange, Query, Subject as Recorded};

/// Most days back.
const DAYS_MAX: u32 = 90;
/// Most exchanges that are judged, the newest first.
const EXCHANGES_MAX: usize = 20_000;
/// Records that are read at once.
const PAGE_ROWS: usize = 1000;
/// Examples of each kind.
const EXAMPLES_MAX: usize = 10;
/// Rules that an example names.
const RULES_MAX: usize = 5;
/// Policies and teams that are listed.
const LISTED_MAX: usize = 500;

/// What is to be tried on what was recorded.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct DryRunRequest {
    /// The text; the draft where it is absent.
    #[serde(default)]
    pub(in crate::control) text: Option<String>,
    /// The last days, 1 to 90.
    pub(in crate::control) days: u32,
}

/// How many exchanges came to which action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(in crate::control) struct Actions {
    /// Passed.
    pub(in crate::control) allow: u64,
    /// Passed and were recorded.
    pub(in crate::control) log: u64,
    /// Passed with a flag.
    pub(in crate::control) flag: u64,
    /// Passed and waited for review.
    pub(in crate::control) review: u64,
    /// Passed with something cut out.
    pub(in crate::control) redact: u64,
    /// Were stopped.
    pub(in crate::control) block: u64,
}

/// What a policy would have done.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(in crate::control) struct DryRun {
    /// Exchanges that were judged.
    pub(in crate::control) exchanges: u64,
    /// The oldest of them, Unix milliseconds.
    pub(in crate::control) from_ms: Option<u64>,
    /// Whether that is all of the time asked for.
    pub(in crate::control) complete: bool,
    /// What it would have done.
    pub(in crate::control) would: Actions,
    /// What was done.
    pub(in crate::control) was: Actions,
    /// Exchanges that would have been treated more severely, the newest as examples.
    pub(in crate::control) stricter: Examples,
    /// Exchanges that would have been treated more mildly.
    pub(in crate::control) milder: Examples,
    /// By policy, those that matched.
    pub(in crate::control) policies: Vec<OfPolicy>,
    /// By exception, those that let something pass.
    pub(in crate::control) exceptions: Vec<OfPolicy>,
    /// By team.
    pub(in crate::control) teams: Vec<OfTeam>,
    /// What could not be judged, a sentence each.
    pub(in crate::control) notes: Vec<String>,
}

/// Some exchanges of a kind.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(in crate::control) struct Examples {
    /// How many there are.
    pub(in crate::control) exchanges: u64,
    /// The newest.
    pub(in crate::control) examples: Vec<Example>,
}

/// One exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DryRunExample")]
pub(in crate::control) struct Example {
    /// Its record.
    pub(in crate::control) id: String,
    /// Its team.
    pub(in crate::control) team: String,
    /// What was done.
    pub(in crate::control) was: String,
    /// What would have been done.
    pub(in crate::control) would: String,
    /// Rules with findings, the first five.
    pub(in crate::control) rules: Vec<String>,
}

/// What one policy would have done.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "DryRunOfPolicy")]
pub(in crate::control) struct OfPolicy {
    /// Its name.
    pub(in crate::control) name: String,
    /// Exchanges that it matched, by what would have been done to them.
    pub(in crate::control) would: Actions,
    /// Some of their records.
    pub(in crate::control) examples: Vec<String>,
}

/// What would have been done to one team.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "DryRunOfTeam")]
pub(in crate::control) struct OfTeam {
    /// Its name.
    pub(in crate::control) name: String,
    /// What would have been done.
    pub(in crate::control) would: Actions,
    /// What was done.
    pub(in crate::control) was: Actions,
}

impl Actions {
    fn count(&mut self, action: Action) {
        let count = match action {
            Action::Allow => &mut self.allow,
            Action::Log => &mut self.log,
            Action::Flag => &mut self.flag,
            Action::Review => &mut self.review,
            Action::Redact => &mut self.redact,
            Action::Block => &mut self.block,
        };
        *count += 1;
    }
}

/// Judges what was recorded in the last days by a text, or by the draft.
pub(in crate::control) async fn dry_run(
    control: &Control,
    granted: &Granted,
    subject: &Subject,
    asked: DryRunRequest,
) -> Result<DryRun, Problem> {
    if granted.reach_of(Permission::ReadFindings) != Some(Reach::All) {
        return Err(Problem::forbidden("this shows what was found, which you may not read"));
    }
    if !(1..=DAYS_MAX).contains(&asked.days) {
        return Err(Problem::invalid(format!("`days` has to be 1 to {DAYS_MAX}")));
    }
    let text = text_or_draft(control, subject, asked.text).await?;
    let group = subject.name();
    let inputs = Inputs::read(control, &group).await?.after(&Change::Text(subject.clone(), text), &group);
    let loaded = control.bundles.loader.load(standing_in(inputs, false)).await?;
    let loaded =
        loaded.map_err(|faults| Problem::invalid("gateways would not take this text").with(sentences(&faults)))?;
    let now = control.shelf.now_ms();
    let stamp = Stamp { unix: std::time::Duration::from_millis(now), ..Stamp::default() };
    let mut tally = Tally { bench: Arc::new(Bench::new(loaded.file, loaded.snapshot, stamp)), ..Tally::default() };
    let mut pages = Pages { from_ms: now.saturating_sub(u64::from(asked.days) * DAY_MS), ..Pages::default() };
    while let Some(page) = pages.next(control).await? {
        tally = control.bundles.loader.run(move || tally.with(&page)).await?;
        if tally.run.exchanges >= EXCHANGES_MAX as u64 {
            break;
        }
    }
    let complete = pages.is_over && !pages.is_cut;
    Ok(tally.into_run(complete))
}

/// Reads exchanges back, the newest first.
#[derive(Default)]
struct Pages {
    from_ms: u64,
    until_ms: Option<u64>,
    /// Records of the last moment that was read: others of the same moment may still come.
    seen: BTreeSet<(Arc<str>, u64)>,
    is_over: bool,
    /// Whether something was left out.
    is_cut: bool,
}

impl Pages {
    async fn next(&mut self, control: &Control) -> Result<Option<Vec<Entry>>, Problem> {
        while !self.is_over {
            let query = Query {
                kind: Some("exchange".to_owned()),
                from_ms: Some(self.from_ms),
                until_ms: self.until_ms,
                rows_max: PAGE_ROWS,
                ..Query::default()
            };
            let mut page = control.records.search(&query).await?;
            self.is_over = page.len() < PAGE_ROWS;
            let key = |it: &Entry| (it.gateway.clone(), it.sequence);
            page.retain(|it| !self.seen.contains(&key(it)));
            let Some(last) = page.last().map(|it| it.written_ms) else {
                // A whole page of one moment: what else is of it stays unread.
                self.is_cut |= !self.is_over;
                self.until_ms = self.until_ms.map(|it| it.saturating_sub(1));
                continue;
            };
            if self.until_ms != Some(last + 1) {
                self.seen.clear();
            }
            self.seen.extend(page.iter().filter(|it| it.written_ms == last).map(key));
            self.until_ms = Some(last + 1);
            return Ok(Some(page));
        }
        Ok(None)
    }
}

#[derive(Default)]
struct Tally {
    bench: Arc<Bench>,
    run: DryRun,
    policies: BTreeMap<String, OfPolicy>,
    exceptions: BTreeMap<String, OfPolicy>,
    teams: BTreeMap<String, OfTeam>,
    unread: u64,
    omitted: u64,
    unseen_answers: u64,
    barred_models: u64,
    gone: BTreeSet<String>,
}

impl Tally {
    fn with(mut self, page: &[Entry]) -> Tally {
        for entry in page {
            match entry.record() {
                Ok(record) => {
                    if let Recorded::Exchange(it) = &record.subject {
                        self.count(&record.id, record.written_ms, it);
                    }
                }
                Err(_) => self.unread += 1,
            }
        }
        self
    }

    fn count(&mut self, id: &str, written_ms: u64, exchange: &Exchange) {
        let Judged { action, policies, exceptions, is_team_gone, is_answer_unknown, is_model_barred } =
            self.bench.judge(exchange);
        let was: Action = exchange.action.parse().unwrap_or_default();
        self.run.exchanges += 1;
        self.run.from_ms = Some(written_ms);
        self.run.would.count(action);
        self.run.was.count(was);
        self.omitted += u64::from(exchange.outbound.findings_omitted + exchange.inbound.findings_omitted > 0);
        self.unseen_answers += u64::from(is_answer_unknown);
        self.barred_models += u64::from(is_model_barred);
        if is_team_gone && self.gone.len() < LISTED_MAX {
            self.gone.insert(exchange.team.clone());
        }
        let examples = match action.cmp(&was) {
            std::cmp::Ordering::Less => Some(&mut self.run.milder),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(&mut self.run.stricter),
        };
        if let Some(examples) = examples {
            examples.exchanges += 1;
            if examples.examples.len() < EXAMPLES_MAX {
                examples.examples.push(example(id, exchange, was, action));
            }
        }
        for (listed, names) in [(&mut self.policies, policies), (&mut self.exceptions, exceptions)] {
            for name in names {
                if let Some(of) = listed_in(listed, &name) {
                    of.would.count(action);
                    if of.examples.len() < EXAMPLES_MAX {
                        of.examples.push(id.to_owned());
                    }
                }
            }
        }
        if let Some(of) = listed_in(&mut self.teams, &exchange.team) {
            of.would.count(action);
            of.was.count(was);
        }
    }

    fn into_run(self, complete: bool) -> DryRun {
        let mut run = self.run;
        run.complete = complete;
        let mut notes = self.bench.notes();
        if !complete {
            notes.push(format!("only the newest {} exchanges were judged: choose fewer days", run.exchanges));
        }
        let counted = [
            (self.unread, "records could not be read"),
            (self.omitted, "exchanges had more findings than their records name"),
            (
                self.unseen_answers,
                "prompts that were stopped would pass: what the provider would have answered is not known",
            ),
            (
                self.barred_models,
                "exchanges asked for a model that their team may not use now: gateways refuse it, whatever is found",
            ),
        ];
        notes.extend(counted.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
        if !self.gone.is_empty() {
            let names: Vec<&str> = self.gone.iter().take(10).map(String::as_str).collect();
            notes.push(format!("judged by what holds for all, as there are no such teams now: {}", names.join(", ")));
        }
        let named = |(name, it): (String, OfPolicy)| OfPolicy { name, ..it };
        run.policies = self.policies.into_iter().map(named).collect();
        run.exceptions = self.exceptions.into_iter().map(named).collect();
        run.teams = self.teams.into_iter().map(|(name, it)| OfTeam { name, ..it }).collect();
        run.notes = notes;
        run
    }
}

fn listed_in<'l, T: Default>(listed: &'l mut BTreeMap<String, T>, name: &str) -> Option<&'l mut T> {
    match listed.len() >= LISTED_MAX && !listed.contains_key(name) {
        true => None,
        false => Some(listed.entry(name.to_owned()).or_default()),
    }
}

fn example(id: &str, exchange: &Exchange, was: Action, would: Action) -> Example {
    let found = exchange.outbound.findings.iter().chain(&exchange.inbound.findings);
    let mut rules: Vec<String> = Vec::new();
    for it in found {
        if rules.len() < RULES_MAX && !rules.contains(&it.rule) {
            rules.push(it.rule.clone());
        }
    }
    let (was, would) = (was.name().to_owned(), would.name().to_owned());
    Example { id: id.to_owned(), team: exchange.team.clone(), was, would, rules }
}
