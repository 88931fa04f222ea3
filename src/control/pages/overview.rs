//! The overview: what was asked, found, stopped and paid over time.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::chart::{Chart, Series, Unit};
use super::forms::given;
use super::layout::{Said, Shell, shown};
use super::show;
use crate::control::Problem;
use crate::control::findings::{Count, NamedCount, Overview, OverviewQuery, Period, Step, over};
use crate::control::http::{Granted, Query, Route, page};
use crate::control::roles::Permission;
use crate::control::server::Control;

/// Thousand millionths of a dollar.
const NANOS: f64 = 1e9;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    shell: Shell,
    month: bool,
    team: String,
    /// `&team=…`, for links.
    of_team: String,
    total: Count,
    requests: Chart,
    tokens: Chart,
    cost: Chart,
    rules: Vec<Line>,
    teams: Vec<Line>,
    models: Vec<Line>,
}

/// One line of a list of the most: with a bar for its share.
struct Line {
    name: String,
    requests: u64,
    blocked: u64,
    cost_nanos: u64,
    /// Of the largest, 0 to 100.
    share: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    period: String,
    team: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![page("pages.overview", "/", Permission::ReadOverview, read).says("Counts over time")]
}

async fn read(
    State(control): State<Control>,
    granted: Granted,
    Query(asked): Query<Asked>,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    let month = asked.period == "month";
    let period = if month { Period::Month } else { Period::Day };
    let over = over(&control, &granted, OverviewQuery { period, team: given(&asked.team) }).await?;
    let of_team = given(&asked.team).map(|it| serde_html_form::to_string([("team", it)]).unwrap_or_default());
    shown(&OverviewPage {
        shell: Shell::of(&control, &granted, "Overview", "/").after(&said),
        month,
        of_team: of_team.map(|it| format!("&{it}")).unwrap_or_default(),
        team: asked.team,
        requests: requests(&over),
        tokens: tokens(&over),
        cost: cost(&over),
        rules: lines(over.rules.iter().map(|it| (it.name.clone(), it.requests, 0, 0))),
        teams: lines(over.teams.iter().map(counted)),
        models: lines(over.models.iter().map(counted)),
        total: over.total,
    })
}

fn counted(it: &NamedCount) -> (String, u64, u64, u64) {
    (it.name.clone(), it.count.requests, it.count.blocked, it.count.cost_nanos)
}

fn lines(all: impl Iterator<Item = (String, u64, u64, u64)>) -> Vec<Line> {
    let all: Vec<_> = all.collect();
    let most = all.iter().map(|it| it.1).max().unwrap_or_default().max(1);
    let line = |(name, requests, blocked, cost_nanos): (String, u64, u64, u64)| Line {
        name,
        requests,
        blocked,
        cost_nanos,
        share: requests.saturating_mul(100) / most,
    };
    all.into_iter().map(line).collect()
}

fn labels(over: &Overview) -> Vec<String> {
    let form = if over.period == Period::Day { "%H:%M" } else { "%-d %b" };
    let label = |it: &Step| {
        let at = i64::try_from(it.begin_ms).ok().and_then(|it| Timestamp::from_millisecond(it).ok());
        at.map(|it| it.to_zoned(TimeZone::UTC).strftime(form).to_string()).unwrap_or_default()
    };
    over.steps.iter().map(label).collect()
}

fn series(over: &Overview, name: &'static str, class: &'static str, of: impl Fn(&Count) -> f64) -> Series {
    Series { name, class, values: over.steps.iter().map(|it| of(&it.count)).collect() }
}

fn requests(over: &Overview) -> Chart {
    let passed = |it: &Count| it.requests.saturating_sub(it.blocked + it.redacted) as f64;
    let all = vec![
        series(over, "Passed", "s1", passed),
        series(over, "Redacted", "s2", |it| it.redacted as f64),
        series(over, "Blocked", "s3", |it| it.blocked as f64),
    ];
    Chart::new("requests", "Requests over time, by what was done with them", Unit::Count, labels(over), all)
}

fn tokens(over: &Overview) -> Chart {
    let all = vec![
        series(over, "In", "s1", |it| it.input_tokens as f64),
        series(over, "Out", "s4", |it| it.output_tokens as f64),
    ];
    Chart::new("tokens", "Tokens over time", Unit::Count, labels(over), all)
}

fn cost(over: &Overview) -> Chart {
    let all = vec![series(over, "Dollars", "s4", |it| it.cost_nanos as f64 / NANOS)];
    Chart::new("cost", "Cost over time, in dollars", Unit::Money, labels(over), all)
}

/// `$12.34`, of thousand millionths of a dollar.
fn money(nanos: &u64) -> String {
    let dollars = *nanos as f64 / NANOS;
    if dollars < 100.0 { format!("${dollars:.2}") } else { format!("${}", show::number(&(dollars.round() as u64))) }
}

impl OverviewPage {
    fn tokens_of(&self, count: &Count) -> String {
        show::short(&(count.input_tokens + count.output_tokens))
    }
}
