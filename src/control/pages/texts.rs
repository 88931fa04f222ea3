//! Policies and rules of the company's own: written, checked, compared, tried on what was recorded, approved, published,
//! taken back. Both are texts that go through the same steps.

use std::marker::PhantomData;

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
    self, Difference, DryRun, DryRunRequest, Subject, TextSummary, TextView, Validation, VersionText, VersionView,
};
use crate::control::roles::Permission;
use crate::control::rules::{self, Trial, TrialResult};
use crate::control::server::Control;
use crate::control::teams::Team;

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
struct Typed {
    #[serde(default)]
    text: String,
    #[serde(default)]
    revision: u64,
    #[serde(default)]
    days: String,
    /// Which of the buttons: `dry_run`, `trial`, or only the checks.
    #[serde(default)]
    with: String,
    #[serde(default)]
    sample: String,
    #[serde(default)]
    direction: String,
}

#[derive(Deserialize)]
struct TypedStep {
    #[serde(default)]
    revision: u64,
    #[serde(default)]
    note: String,
}

/// Policies or rules: what their paths begin with and what the rest of them means.
trait Kind: Send + 'static {
    const BASE: &'static str;
    const TITLE: &'static str;
    const RULES: bool;

    fn subject(name: &str) -> Result<Subject, Problem>;

    fn path(name: &str) -> String {
        format!("{}/{name}", Self::BASE)
    }
}

struct Policies(PhantomData<()>);
struct Rules(PhantomData<()>);

impl Kind for Policies {
    const BASE: &'static str = "/policies";
    const TITLE: &'static str = "Policies";
    const RULES: bool = false;

    fn subject(name: &str) -> Result<Subject, Problem> {
        Subject::group(name)
    }
}

impl Kind for Rules {
    const BASE: &'static str = "/rules";
    const TITLE: &'static str = "Custom rules";
    const RULES: bool = true;

    fn subject(name: &str) -> Result<Subject, Problem> {
        Subject::rules(name)
    }
}

macro_rules! pages_of {
    ($kind:ty, $ids:literal, $base:literal) => {{
        use Permission as P;
        const ONE: &str = concat!($base, "/{name}");
        vec![
            page(concat!("pages.", $ids), $base, P::ReadPolicies, list::<$kind>).says("All of them, in short"),
            page(concat!("pages.", $ids, "_one"), ONE, P::ReadPolicies, read::<$kind>).says("The text and its draft"),
            submit(concat!("pages.", $ids, "_save"), ONE, P::WritePolicies, save::<$kind>).says("Writes the draft"),
            submit(concat!("pages.", $ids, "_check"), concat!($base, "/{name}/check"), P::ReadPolicies, check::<$kind>)
                .says("What is wrong with a text, what is different, what it would have done"),
            submit(
                concat!("pages.", $ids, "_discard"),
                concat!($base, "/{name}/discard"),
                P::WritePolicies,
                discard::<$kind>,
            )
            .says("Forgets the draft"),
            submit(
                concat!("pages.", $ids, "_submit"),
                concat!($base, "/{name}/submit"),
                P::WritePolicies,
                hand_in::<$kind>,
            )
            .says("Gives the draft to a second person"),
            submit(
                concat!("pages.", $ids, "_approve"),
                concat!($base, "/{name}/approve"),
                P::ApprovePolicies,
                approve::<$kind>,
            )
            .says("Agrees with a draft"),
            submit(
                concat!("pages.", $ids, "_reject"),
                concat!($base, "/{name}/reject"),
                P::ApprovePolicies,
                reject::<$kind>,
            )
            .says("Gives a draft back"),
            submit(
                concat!("pages.", $ids, "_publish"),
                concat!($base, "/{name}/publish"),
                P::PublishPolicies,
                publish::<$kind>,
            )
            .says("Puts the draft in force"),
            page(
                concat!("pages.", $ids, "_version"),
                concat!($base, "/{name}/versions/{number}"),
                P::ReadPolicies,
                version::<$kind>,
            )
            .says("What was published once"),
            submit(
                concat!("pages.", $ids, "_roll_back"),
                concat!($base, "/{name}/versions/{number}/roll-back"),
                P::PublishPolicies,
                roll_back::<$kind>,
            )
            .says("Puts an earlier version in force again"),
        ]
    }};
}

pub(super) fn routes() -> Vec<Route> {
    let mut routes = pages_of!(Policies, "policies", "/policies");
    routes.extend(pages_of!(Rules, "rules", "/rules"));
    routes
}

async fn list<K: Kind>(
    State(control): State<Control>,
    granted: Granted,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    let texts = policies::summaries(&control, K::RULES).await?;
    let others: Vec<String> = match K::RULES {
        true => control.shelf.all::<Team>().await?.iter().map(|it| format!("team:{}", it.name)).collect(),
        false => Vec::new(),
    };
    shown(&Texts {
        shell: Shell::of(&control, &granted, K::TITLE, K::BASE).after(&said),
        rules: K::RULES,
        others: others.into_iter().filter(|it| !texts.iter().any(|text| text.name == *it)).collect(),
        texts,
    })
}

async fn draw<K: Kind>(control: &Control, granted: &Granted, name: &str) -> Result<TextPage, Problem> {
    let subject = K::subject(name)?;
    let view = policies::view(control, &subject).await?;
    let may = |permission| granted.reach_of(permission).is_some();
    Ok(TextPage {
        shell: Shell::of(control, granted, format!("{}: {name}", K::TITLE), K::BASE),
        rules: K::RULES,
        path: K::path(name),
        text: view.draft.as_ref().map_or_else(|| view.text.clone(), |it| it.text.clone()),
        revision: view.draft.as_ref().map_or(0, |it| it.revision),
        versions: policies::versions(control, &subject).await?,
        view,
        checked: None,
        sample: String::new(),
        inbound: false,
        days: 7,
        writes: may(Permission::WritePolicies),
        approves: may(Permission::ApprovePolicies),
        publishes: may(Permission::PublishPolicies),
        mistakes: Mistakes::default(),
    })
}

async fn read<K: Kind>(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    let mut template = draw::<K>(&control, &granted, &name).await?;
    template.shell = template.shell.after(&said);
    shown(&template)
}

async fn save<K: Kind>(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    let text = plain(&typed.text);
    let saved = policies::drafted(&control, &granted, &K::subject(&name)?, &text, Some(typed.revision)).await;
    match saved {
        Ok(_) => on_to(&K::path(&name), "draft-saved"),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[])?;
            let page = draw::<K>(&control, &granted, &name).await?;
            again(&problem, &TextPage { text, revision: typed.revision, mistakes, ..page })
        }
    }
}

async fn check<K: Kind>(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    let text = plain(&typed.text);
    let days = number("days", &typed.days)?.unwrap_or(7);
    let checked = checked::<K>(&control, &granted, &name, &text, days, &typed).await;
    let mut page = draw::<K>(&control, &granted, &name).await?;
    (page.text, page.revision, page.days) = (text, typed.revision, days);
    (page.inbound, page.sample) = (typed.direction == "inbound", plain(&typed.sample));
    match checked {
        Ok(checked) => shown(&TextPage { checked: Some(checked), ..page }),
        Err(problem) => again(&problem, &TextPage { mistakes: Mistakes::of(&problem, &[])?, ..page }),
    }
}

async fn checked<K: Kind>(
    control: &Control,
    granted: &Granted,
    name: &str,
    text: &str,
    days: u32,
    typed: &Typed,
) -> Result<Checked, Problem> {
    let subject = K::subject(name)?;
    let some = || Some(text.to_owned());
    let validation = policies::validation(control, &subject, some()).await?;
    let difference = policies::compared(control, &subject, some()).await?;
    let dry_run = match validation.valid && typed.with == "dry_run" && !K::RULES {
        true => Some(policies::dry_run(control, granted, &subject, DryRunRequest { text: some(), days }).await?),
        false => None,
    };
    // The text that rules are tried on is what somebody who may write rules pasted.
    let tries = K::RULES && typed.with == "trial" && granted.reach_of(Permission::WritePolicies).is_some();
    let trial = match validation.valid && tries {
        true => {
            let sample = plain(&typed.sample);
            let direction = (typed.direction == "inbound").then(|| "inbound".to_owned());
            let trial = Trial { text: some(), sample: sample.clone(), direction, source: None };
            let result = rules::tried(control, &subject, trial).await?;
            let places = result.hits.iter().map(|it| (it.start, it.end));
            let pieces = pieces(&sample, places);
            Some((result, pieces))
        }
        false => None,
    };
    Ok(Checked { validation, difference, dry_run, trial })
}

async fn discard<K: Kind>(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let step = policies::discarded(&control, &granted, &K::subject(&name)?).await;
    after::<K, _>(&control, &granted, &name, step, "draft-discarded").await
}

async fn hand_in<K: Kind>(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Form(typed): Form<TypedStep>,
) -> Result<Response, Problem> {
    let step = policies::submitted(&control, &granted, &K::subject(&name)?, &plain(&typed.note)).await;
    after::<K, _>(&control, &granted, &name, step, "submitted").await
}

async fn approve<K: Kind>(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Form(typed): Form<TypedStep>,
) -> Result<Response, Problem> {
    let (subject, note) = (K::subject(&name)?, plain(&typed.note));
    let step = policies::judged(&control, &granted, &subject, typed.revision, true, &note).await;
    after::<K, _>(&control, &granted, &name, step, "approved").await
}

async fn reject<K: Kind>(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Form(typed): Form<TypedStep>,
) -> Result<Response, Problem> {
    let (subject, note) = (K::subject(&name)?, plain(&typed.note));
    let step = policies::judged(&control, &granted, &subject, typed.revision, false, &note).await;
    after::<K, _>(&control, &granted, &name, step, "rejected").await
}

async fn publish<K: Kind>(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Form(typed): Form<TypedStep>,
) -> Result<Response, Problem> {
    let (subject, note) = (K::subject(&name)?, plain(&typed.note));
    let step = policies::published(&control, &granted, &subject, typed.revision, &note).await;
    after::<K, _>(&control, &granted, &name, step, "published").await
}

/// On to the text, or the text with why the step was not taken.
async fn after<K: Kind, T>(
    control: &Control,
    granted: &Granted,
    name: &str,
    step: Result<T, Problem>,
    said: &str,
) -> Result<Response, Problem> {
    match step {
        Ok(_) => on_to(&K::path(name), said),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[])?;
            again(&problem, &TextPage { mistakes, ..draw::<K>(control, granted, name).await? })
        }
    }
}

async fn version<K: Kind>(
    State(control): State<Control>,
    granted: Granted,
    Path((name, number)): Path<(String, u32)>,
) -> Result<Response, Problem> {
    let subject = K::subject(&name)?;
    let it = policies::version_text(&control, &subject, number).await?;
    let in_force = policies::view(&control, &subject).await?.published.is_some_and(|it| it.number == number);
    shown(&VersionPage {
        shell: Shell::of(&control, &granted, format!("{name}, version {number}"), K::BASE),
        rules: K::RULES,
        path: K::path(&name),
        name,
        it,
        in_force,
        publishes: granted.reach_of(Permission::PublishPolicies).is_some(),
    })
}

async fn roll_back<K: Kind>(
    State(control): State<Control>,
    granted: Granted,
    Path((name, number)): Path<(String, u32)>,
    Form(typed): Form<TypedStep>,
) -> Result<Response, Problem> {
    let (subject, note) = (K::subject(&name)?, plain(&typed.note));
    let step = policies::rolled_back(&control, &granted, &subject, number, &note).await;
    after::<K, _>(&control, &granted, &name, step, "rolled-back").await
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
