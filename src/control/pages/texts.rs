//! Policies and rules of the company's own: written, checked, compared, tried on what was recorded, approved, published,
//! taken back. Both are texts that go through the same steps.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::forms::{Mistakes, number};
use super::layout::{Said, Shell, again, on_to, shown};
use super::show;
use super::trial::{Piece, pieces};
use crate::control::Problem;
use crate::control::http::{Form, Granted, Path, Query, Route, page, submit};
use crate::control::policies::{
    self, Difference, DryRun, DryRunRequest, Numbered, Subject, TextSummary, TextView, Validation, VersionText,
    VersionView,
};
use crate::control::roles::Permission;
use crate::control::rules::{self, Trial, TrialResult};
use crate::control::server::Control;
use crate::control::teams::Team;

/// Days of a dry run where nothing else is typed.
const DAYS: u32 = 7;

#[derive(Template)]
#[template(path = "texts.html")]
struct Texts {
    shell: Shell,
    rules: bool,
    texts: Vec<TextSummary>,
    /// Where there is nothing yet, but could be.
    others: Vec<String>,
}

#[derive(Template)]
#[template(path = "text.html")]
struct TextPage {
    shell: Shell,
    rules: bool,
    path: String,
    view: TextView,
    /// What the editor shows.
    text: String,
    revision: u64,
    versions: Vec<VersionView>,
    checked: Option<Checked>,
    sample: String,
    inbound: bool,
    days: u32,
    writes: bool,
    approves: bool,
    publishes: bool,
    mistakes: Mistakes,
}

/// What was found out about a text that is being written.
struct Checked {
    validation: Validation,
    difference: Difference,
    dry_run: Option<DryRun>,
    trial: Option<(TrialResult, Vec<Piece>)>,
}

#[derive(Template)]
#[template(path = "version.html")]
struct VersionPage {
    shell: Shell,
    rules: bool,
    path: String,
    name: String,
    it: VersionText,
    in_force: bool,
    publishes: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Typed {
    text: String,
    revision: u64,
    days: String,
    /// Which of the buttons: `dry_run`, `trial`, or only the checks.
    with: String,
    sample: String,
    direction: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TypedStep {
    revision: u64,
    note: String,
}

/// The steps that policies and rules go through alike; `$one` is the path of one of them.
macro_rules! pages_of {
    ($id:literal, $list:literal, $one:literal, $listed:expr) => {{
        use Permission as P;
        vec![
            page($id, $list, P::ReadPolicies, $listed).says("All of them, in short"),
            page(concat!($id, "_one"), $one, P::ReadPolicies, read).says("The text and its draft"),
            submit(concat!($id, "_save"), $one, P::WritePolicies, save).says("Writes the draft"),
            submit(concat!($id, "_check"), concat!($one, "/check"), P::ReadPolicies, check)
                .says("What is wrong with a text, what is different, what it would have done"),
            submit(concat!($id, "_discard"), concat!($one, "/discard"), P::WritePolicies, discard)
                .says("Forgets the draft"),
            submit(concat!($id, "_submit"), concat!($one, "/submit"), P::WritePolicies, hand_in)
                .says("Gives the draft to a second person"),
            submit(concat!($id, "_approve"), concat!($one, "/approve"), P::ApprovePolicies, approve)
                .says("Agrees with a draft"),
            submit(concat!($id, "_reject"), concat!($one, "/reject"), P::ApprovePolicies, reject)
                .says("Gives a draft back"),
            submit(concat!($id, "_publish"), concat!($one, "/publish"), P::PublishPolicies, publish)
                .says("Puts the draft in force"),
            page(concat!($id, "_version"), concat!($one, "/versions/{number}"), P::ReadPolicies, version)
                .says("What was published once"),
            submit(
                concat!($id, "_roll_back"),
                concat!($one, "/versions/{number}/roll-back"),
                P::PublishPolicies,
                roll_back,
            )
            .says("Puts an earlier version in force again"),
        ]
    }};
}

pub(super) fn routes() -> Vec<Route> {
    let mut routes = pages_of!("pages.policies", "/policies", "/policies/{group}", list_policies);
    routes.extend(pages_of!("pages.rules", "/rules", "/rules/{scope}", list_rules));
    routes
}

/// Where they are in the navigation, and what they are called there.
fn place(rules: bool) -> (&'static str, &'static str) {
    if rules { ("/rules", "Custom rules") } else { ("/policies", "Policies") }
}

fn path(subject: &Subject) -> String {
    format!("{}/{}", place(subject.is_rules()).0, subject.name())
}

async fn list_policies(
    State(control): State<Control>,
    granted: Granted,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    list(&control, &granted, &said, false).await
}

async fn list_rules(
    State(control): State<Control>,
    granted: Granted,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    list(&control, &granted, &said, true).await
}

async fn list(control: &Control, granted: &Granted, said: &Said, rules: bool) -> Result<Response, Problem> {
    let texts = policies::summaries(control, rules).await?;
    let mut others: Vec<String> = match rules {
        true => control.shelf.all::<Team>().await?.iter().map(|it| format!("team:{}", it.name)).collect(),
        false => Vec::new(),
    };
    others.retain(|it| !texts.iter().any(|text| text.name == *it));
    let (path, title) = place(rules);
    shown(&Texts { shell: Shell::of(control, granted, title, path).after(said), rules, texts, others })
}

async fn draw(control: &Control, granted: &Granted, subject: &Subject) -> Result<TextPage, Problem> {
    let view = policies::view(control, subject).await?;
    let may = |permission| granted.reach_of(permission).is_some();
    let (base, title) = place(subject.is_rules());
    Ok(TextPage {
        shell: Shell::of(control, granted, format!("{title}: {}", subject.name()), base),
        rules: subject.is_rules(),
        path: path(subject),
        text: view.draft.as_ref().map_or_else(|| view.text.clone(), |it| it.text.clone()),
        revision: view.revision,
        versions: policies::versions(control, subject).await?,
        view,
        checked: None,
        sample: String::new(),
        inbound: false,
        days: DAYS,
        writes: may(Permission::WritePolicies),
        approves: may(Permission::ApprovePolicies),
        publishes: may(Permission::PublishPolicies),
        mistakes: Mistakes::default(),
    })
}

async fn read(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    let mut template = draw(&control, &granted, &subject).await?;
    template.shell = template.shell.after(&said);
    shown(&template)
}

async fn save(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    let (text, revision) = (plain(&typed.text), typed.revision);
    match policies::drafted(&control, &granted, &subject, &text, Some(revision)).await {
        Ok(()) => on_to(&path(&subject), "draft-saved"),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[])?;
            again(&problem, &TextPage { text, revision, mistakes, ..draw(&control, &granted, &subject).await? })
        }
    }
}

async fn check(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    let text = plain(&typed.text);
    let days = number("days", &typed.days)?.unwrap_or(DAYS);
    let checked = checked(&control, &granted, &subject, &text, days, &typed).await;
    let mut page = draw(&control, &granted, &subject).await?;
    (page.text, page.revision, page.days) = (text, typed.revision, days);
    (page.inbound, page.sample) = (typed.direction == "inbound", plain(&typed.sample));
    match checked {
        Ok(checked) => shown(&TextPage { checked: Some(checked), ..page }),
        Err(problem) => again(&problem, &TextPage { mistakes: Mistakes::of(&problem, &[])?, ..page }),
    }
}

async fn checked(
    control: &Control,
    granted: &Granted,
    subject: &Subject,
    text: &str,
    days: u32,
    typed: &Typed,
) -> Result<Checked, Problem> {
    let (some, rules) = (|| Some(text.to_owned()), subject.is_rules());
    let validation = policies::validation(control, subject, some()).await?;
    let difference = policies::compared(control, subject, some()).await?;
    let dry_run = match validation.valid && typed.with == "dry_run" && !rules {
        true => Some(policies::dry_run(control, granted, subject, DryRunRequest { text: some(), days }).await?),
        false => None,
    };
    // The text that rules are tried on is what somebody who may write rules pasted.
    let tries = rules && typed.with == "trial" && granted.reach_of(Permission::WritePolicies).is_some();
    let trial = match validation.valid && tries {
        true => {
            let sample = plain(&typed.sample);
            let direction = (typed.direction == "inbound").then(|| "inbound".to_owned());
            let trial = Trial { text: some(), sample: sample.clone(), direction, source: None };
            let result = rules::tried(control, subject, trial).await?;
            let places = result.hits.iter().map(|it| (it.start, it.end));
            let pieces = pieces(&sample, places);
            Some((result, pieces))
        }
        false => None,
    };
    Ok(Checked { validation, difference, dry_run, trial })
}

async fn discard(State(control): State<Control>, granted: Granted, subject: Subject) -> Result<Response, Problem> {
    let step = policies::discarded(&control, &granted, &subject).await;
    after(&control, &granted, &subject, step, "draft-discarded").await
}

async fn hand_in(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Form(typed): Form<TypedStep>,
) -> Result<Response, Problem> {
    let step = policies::submitted(&control, &granted, &subject, &plain(&typed.note)).await;
    after(&control, &granted, &subject, step, "submitted").await
}

async fn approve(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Form(typed): Form<TypedStep>,
) -> Result<Response, Problem> {
    let step = policies::judged(&control, &granted, &subject, typed.revision, true, &plain(&typed.note)).await;
    after(&control, &granted, &subject, step, "approved").await
}

async fn reject(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Form(typed): Form<TypedStep>,
) -> Result<Response, Problem> {
    let step = policies::judged(&control, &granted, &subject, typed.revision, false, &plain(&typed.note)).await;
    after(&control, &granted, &subject, step, "rejected").await
}

async fn publish(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Form(typed): Form<TypedStep>,
) -> Result<Response, Problem> {
    let step = policies::published(&control, &granted, &subject, typed.revision, &plain(&typed.note)).await;
    after(&control, &granted, &subject, step, "published").await
}

/// On to the text, or the text with why the step was not taken.
async fn after(
    control: &Control,
    granted: &Granted,
    subject: &Subject,
    step: Result<(), Problem>,
    said: &str,
) -> Result<Response, Problem> {
    match step {
        Ok(()) => on_to(&path(subject), said),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[])?;
            again(&problem, &TextPage { mistakes, ..draw(control, granted, subject).await? })
        }
    }
}

async fn version(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Path(Numbered { number }): Path<Numbered>,
) -> Result<Response, Problem> {
    let it = policies::version_text(&control, &subject, number).await?;
    let in_force = policies::view(&control, &subject).await?.published.is_some_and(|it| it.number == number);
    let (rules, name) = (subject.is_rules(), subject.name());
    shown(&VersionPage {
        shell: Shell::of(&control, &granted, format!("{name}, version {number}"), place(rules).0),
        rules,
        path: path(&subject),
        name,
        it,
        in_force,
        publishes: granted.reach_of(Permission::PublishPolicies).is_some(),
    })
}

async fn roll_back(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Path(Numbered { number }): Path<Numbered>,
    Form(typed): Form<TypedStep>,
) -> Result<Response, Problem> {
    let step = policies::rolled_back(&control, &granted, &subject, number, &plain(&typed.note)).await;
    after(&control, &granted, &subject, step, "rolled-back").await
}

/// Browsers send ends of lines in their own way.
fn plain(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// How a line of a difference looks.
fn side(line: &str) -> &'static str {
    if line.starts_with("--- ") || line.starts_with("+++ ") {
        return "soft";
    }
    match line.as_bytes().first() {
        Some(b'+') => "added",
        Some(b'-') => "removed",
        Some(b'@') => "soft",
        _ => "same",
    }
}

impl TextPage {
    fn is_days(&self, days: &u32) -> bool {
        self.days == *days
    }
}
