//! The overview: how much was asked, stopped and paid over time, and by which rules, teams and models.

use std::collections::BTreeMap;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::count::{Cell, Cells, Count};
use super::counts::{self, Day, Hour};
use super::paging::searchable;
use super::scope::Scope;
use crate::control::Problem;
use crate::control::http::{Granted, Json, Query, Route, get};
use crate::control::roles::Permission;
use crate::control::server::Control;
use crate::control::time::{DAY_MS, HOUR_MS};

/// Rules, teams and models that are named.
const NAMED_MAX: usize = 10;
/// Steps of counting that a call does before it answers.
const STEPS_MAX: usize = 2;

/// What is asked for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverviewQuery {
    /// 24 hours or 30 days.
    #[serde(default)]
    pub(crate) period: Period,
    /// Of this team alone.
    #[serde(default)]
    pub(crate) team: Option<String>,
}

/// How far back, and in which steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Period {
    /// 24 hours by the hour.
    #[default]
    Day,
    /// 30 days by the day, UTC.
    Month,
}

impl Period {
    fn step_ms(self) -> u64 {
        if self == Period::Day { HOUR_MS } else { DAY_MS }
    }

    fn steps(self) -> u64 {
        if self == Period::Day { 24 } else { 30 }
    }
}

/// Counts over a period.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Overview {
    /// How far back.
    pub(crate) period: Period,
    /// Length of a step, milliseconds.
    pub(crate) step_ms: u64,
    /// The steps in their order, those without anything, too; the last one is under way.
    pub(crate) steps: Vec<Step>,
    /// All of them together.
    pub(crate) total: Count,
    /// The rules with most exchanges, those with most first.
    pub(crate) rules: Vec<Named>,
    /// The teams with most exchanges.
    pub(crate) teams: Vec<NamedCount>,
    /// The models with most exchanges.
    pub(crate) models: Vec<NamedCount>,
}

/// Counts of one step.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Step {
    /// When it begins, Unix milliseconds.
    pub(crate) begin_ms: u64,
    /// How many.
    pub(crate) count: Count,
}

/// A name and how many exchanges.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "NamedRequests")]
pub(crate) struct Named {
    /// Its name.
    pub(crate) name: String,
    /// Exchanges.
    pub(crate) requests: u64,
}

/// A name and its counts.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct NamedCount {
    /// Its name; empty where exchanges had none.
    pub(crate) name: String,
    /// How many.
    pub(crate) count: Count,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("overview.read", "/api/v1/overview", Permission::ReadOverview, read)
            .says("Requests, blocks, redactions, tokens and cost over time, within reach")
            .asks::<OverviewQuery>()
            .answers::<Overview>(),
    ]
}

async fn read(
    State(control): State<Control>,
    granted: Granted,
    Query(query): Query<OverviewQuery>,
) -> Result<Json<Overview>, Problem> {
    Ok(Json(over(&control, &granted, query).await?))
}

/// Counts within reach.
pub(crate) async fn over(control: &Control, granted: &Granted, query: OverviewQuery) -> Result<Overview, Problem> {
    let team = searchable("team", query.team)?;
    let scope = Scope::of(control, granted).await?;
    counts::catch_up(control, STEPS_MAX).await?;
    let (step_ms, steps) = (query.period.step_ms(), query.period.steps());
    let now_ms = control.shelf.now_ms();
    let last_ms = now_ms - now_ms % step_ms;
    let first_ms = last_ms.saturating_sub((steps - 1) * step_ms);
    // Gateways whose clocks go ahead have counted into the future: some more are read than are shown.
    let rows_max = 2 * steps as usize;
    let stretches = match query.period {
        Period::Day => counts::newest::<Hour>(control, rows_max).await?,
        Period::Month => counts::newest::<Day>(control, rows_max).await?,
    };
    let mut sums = Sums::default();
    for (begin_ms, Cells(cells)) in stretches.iter().filter(|(begin_ms, _)| (first_ms..=last_ms).contains(begin_ms)) {
        let key = |it: &Cell| Some(it.key.clone()).filter(|it| !it.is_empty());
        for cell in cells.iter().filter(|it| scope.holds(&it.team, key(it).as_deref())) {
            if team.as_ref().is_none_or(|it| *it == cell.team) {
                sums.add(*begin_ms, cell);
            }
        }
    }
    let begins = (0..steps).map(|at| first_ms + at * step_ms);
    let steps = begins.map(|it| Step { begin_ms: it, count: sums.steps.get(&it).copied().unwrap_or_default() });
    Ok(Overview {
        period: query.period,
        step_ms,
        steps: steps.collect(),
        total: sums.total,
        rules: sums.rules(),
        teams: most(sums.teams),
        models: most(sums.models),
    })
}

#[derive(Default)]
struct Sums {
    steps: BTreeMap<u64, Count>,
    total: Count,
    rules: BTreeMap<String, u64>,
    teams: BTreeMap<String, Count>,
    models: BTreeMap<String, Count>,
}

impl Sums {
    fn add(&mut self, begin_ms: u64, cell: &Cell) {
        self.steps.entry(begin_ms).or_default().add(&cell.count);
        self.total.add(&cell.count);
        self.teams.entry(cell.team.clone()).or_default().add(&cell.count);
        self.models.entry(cell.model.clone()).or_default().add(&cell.count);
        for (rule, count) in &cell.rules {
            *self.rules.entry(rule.clone()).or_default() += count;
        }
    }

    fn rules(&self) -> Vec<Named> {
        let named = |(name, requests): (&String, &u64)| Named { name: name.clone(), requests: *requests };
        let mut rules: Vec<Named> = self.rules.iter().map(named).collect();
        rules.sort_by_key(|it| std::cmp::Reverse(it.requests));
        rules.truncate(NAMED_MAX);
        rules
    }
}

fn most(all: BTreeMap<String, Count>) -> Vec<NamedCount> {
    let mut all: Vec<NamedCount> = all.into_iter().map(|(name, count)| NamedCount { name, count }).collect();
    all.sort_by_key(|it| std::cmp::Reverse(it.count.requests));
    all.truncate(NAMED_MAX);
    all
}
