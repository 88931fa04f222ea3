//! The API of policies and of rules: the same steps under two names.

use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::difference::{Difference, difference};
use super::dry_run::{self, DryRun, DryRunRequest};
use super::kept::Subject;
use super::steps;
use super::view::{MistakeView, TextSummary, TextView, VersionText, VersionView, summaries, versions, view};
use crate::control::bundle::{Change, Inputs, faults_of, standing_in};
use crate::control::http::{Body, Done, Granted, Json, Path, Route, delete, get, post, put};
use crate::control::roles::Permission;
use crate::control::server::Control;
use crate::control::{Problem, ProblemKind};

/// A draft's text.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct DraftText {
    /// The text: sections of `gateway.yaml`, or rules.
    pub(in crate::control) text: String,
    /// The `revision` of the text that was read before; without it, what is there is overwritten.
    #[serde(default)]
    pub(in crate::control) revision: Option<u64>,
}

/// A text to be looked at.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct AnyText {
    /// The text; the draft where it is absent.
    #[serde(default)]
    pub(in crate::control) text: Option<String>,
}

/// Some words about a step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct Note {
    /// For those who read it later; at most 1000 characters.
    #[serde(default)]
    pub(in crate::control) note: String,
}

/// A decision about a draft.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct Decision {
    /// The revision that was looked at.
    pub(in crate::control) revision: u64,
    /// For those who read it later; at most 1000 characters.
    #[serde(default)]
    pub(in crate::control) note: String,
}

/// Which version is to be in force again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct RollBack {
    /// Its number.
    pub(in crate::control) version: u32,
    /// For those who read it later; at most 1000 characters.
    #[serde(default)]
    pub(in crate::control) note: String,
}

/// What gateways would say to a text.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(in crate::control) struct Validation {
    /// Whether they would take it.
    pub(in crate::control) valid: bool,
    /// Why not.
    pub(in crate::control) mistakes: Vec<MistakeView>,
    /// What is allowed but doubtful.
    pub(in crate::control) warnings: Vec<MistakeView>,
}

/// The text that a path names: `{group}` of policies, `{scope}` of rules.
impl<S: Send + Sync> FromRequestParts<S> for Subject {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let nothing = || Problem::new(ProblemKind::NotFound, "there is nothing at this path");
        let named = RawPathParams::from_request_parts(parts, state).await.map_err(|_| nothing())?;
        let subject = named.iter().find_map(|(name, value)| match name {
            "group" => Some(Subject::group(value)),
            "scope" => Some(Subject::rules(value)),
            _ => None,
        });
        subject.unwrap_or_else(|| Err(nothing()))
    }
}

/// The version that a path names.
#[derive(Deserialize)]
pub(in crate::control) struct Numbered {
    pub(in crate::control) number: u32,
}

/// The steps that policies and rules go through alike; `$one` is the path of one of them.
macro_rules! steps_of {
    ($ids:literal, $one:literal, $what:literal, $list:expr) => {{
        use Permission as P;
        const ONE: &str = concat!("/api/v1/", $one);
        vec![
            get(concat!($ids, ".list"), concat!("/api/v1/", $ids), P::ReadPolicies, $list)
                .says(concat!("All ", $what, ", in short"))
                .answers::<Vec<TextSummary>>(),
            get(concat!($ids, ".read"), ONE, P::ReadPolicies, read)
                .says(concat!("One of the ", $what, ": what is in force and what is drafted"))
                .answers::<TextView>(),
            put(concat!($ids, ".draft"), concat!("/api/v1/", $one, "/draft"), P::WritePolicies, draft)
                .says("Writes the draft; it may still be wrong")
                .takes::<DraftText>()
                .answers::<TextView>(),
            delete(concat!($ids, ".discard"), concat!("/api/v1/", $one, "/draft"), P::WritePolicies, discard)
                .says("Forgets the draft"),
            post(concat!($ids, ".validate"), concat!("/api/v1/", $one, "/validate"), P::ReadPolicies, validate)
                .says("What gateways would say to a text, with line and column; nothing is kept")
                .takes::<AnyText>()
                .answers::<Validation>(),
            post(concat!($ids, ".diff"), concat!("/api/v1/", $one, "/diff"), P::ReadPolicies, diff)
                .says("What is different from what is in force; nothing is kept")
                .takes::<AnyText>()
                .answers::<Difference>(),
            post(concat!($ids, ".submit"), concat!("/api/v1/", $one, "/submit"), P::WritePolicies, submit)
                .says("Gives the draft to a second person")
                .takes::<Note>()
                .answers::<TextView>(),
            post(concat!($ids, ".approve"), concat!("/api/v1/", $one, "/approve"), P::ApprovePolicies, approve)
                .says("Agrees with a draft that somebody else wrote")
                .takes::<Decision>()
                .answers::<TextView>(),
            post(concat!($ids, ".reject"), concat!("/api/v1/", $one, "/reject"), P::ApprovePolicies, reject)
                .says("Gives a draft back to those who wrote it")
                .takes::<Decision>()
                .answers::<TextView>(),
            post(concat!($ids, ".publish"), concat!("/api/v1/", $one, "/publish"), P::PublishPolicies, publish)
                .says("Puts the draft in force on all gateways that it is for, within one poll")
                .takes::<Decision>()
                .answers::<TextView>(),
            post(concat!($ids, ".roll_back"), concat!("/api/v1/", $one, "/roll-back"), P::PublishPolicies, roll_back)
                .says("Puts the text of an earlier version in force again, as a version of its own")
                .takes::<RollBack>()
                .answers::<TextView>(),
            get(concat!($ids, ".versions"), concat!("/api/v1/", $one, "/versions"), P::ReadPolicies, history)
                .says("What was published, the newest first")
                .answers::<Vec<VersionView>>(),
            get(concat!($ids, ".version"), concat!("/api/v1/", $one, "/versions/{number}"), P::ReadPolicies, numbered)
                .says("One version with its text")
                .answers::<VersionText>(),
        ]
    }};
}

/// The routes of policies.
pub(in crate::control) fn routes() -> Vec<Route> {
    let mut routes = steps_of!("policies", "policies/{group}", "policies", list_policies);
    routes.push(
        post("policies.dry_run", "/api/v1/policies/{group}/dry-run", Permission::ReadPolicies, try_on_records)
            .says("What a text would have done to the exchanges of the last days; nothing is kept")
            .takes::<DryRunRequest>()
            .answers::<DryRun>(),
    );
    routes
}

/// The routes of rules that are the same as those of policies.
pub(in crate::control) fn rule_routes() -> Vec<Route> {
    steps_of!("rules", "rules/{scope}", "rules of the company's own", list_rules)
}

async fn list_policies(State(control): State<Control>, _: Granted) -> Result<Json<Vec<TextSummary>>, Problem> {
    Ok(Json(summaries(&control, false).await?))
}

async fn list_rules(State(control): State<Control>, _: Granted) -> Result<Json<Vec<TextSummary>>, Problem> {
    Ok(Json(summaries(&control, true).await?))
}

async fn read(State(control): State<Control>, _: Granted, subject: Subject) -> Result<Json<TextView>, Problem> {
    Ok(Json(view(&control, &subject).await?))
}

async fn draft(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Body(new): Body<DraftText>,
) -> Result<Json<TextView>, Problem> {
    steps::drafted(&control, &granted, &subject, &new.text, new.revision).await?;
    Ok(Json(view(&control, &subject).await?))
}

async fn discard(State(control): State<Control>, granted: Granted, subject: Subject) -> Result<Done, Problem> {
    steps::discarded(&control, &granted, &subject).await?;
    Ok(Done)
}

async fn validate(
    State(control): State<Control>,
    _: Granted,
    subject: Subject,
    Body(any): Body<AnyText>,
) -> Result<Json<Validation>, Problem> {
    Ok(Json(validation(&control, &subject, any.text).await?))
}

/// What gateways would say to a text, or to the draft.
pub(in crate::control) async fn validation(
    control: &Control,
    subject: &Subject,
    text: Option<String>,
) -> Result<Validation, Problem> {
    let text = text_or_draft(control, subject, text).await?;
    let faults = faults_of(control, subject, &text).await?;
    let mut warnings = Vec::new();
    if let (Subject::Group(group), true) = (subject, faults.is_empty()) {
        let inputs = Inputs::read(control, group).await?.after(&Change::Text(subject.clone(), text), group);
        if let Ok(loaded) = control.bundles.loader.load(standing_in(inputs, false)).await? {
            warnings = loaded.warnings.iter().map(MistakeView::from).collect();
        }
    }
    let mistakes: Vec<MistakeView> = faults.iter().map(MistakeView::from).collect();
    Ok(Validation { valid: mistakes.is_empty(), mistakes, warnings })
}

/// This text where it fits, else the draft's, else what is in force.
pub(in crate::control) async fn text_or_draft(
    control: &Control,
    subject: &Subject,
    text: Option<String>,
) -> Result<String, Problem> {
    if let Some(text) = text {
        steps::text_fits(subject, &text)?;
        return Ok(text);
    }
    let policy = steps::policy(control, subject).await?;
    let draft = policy.draft.as_ref().map(|it| it.text.as_str());
    Ok(draft.or(policy.published_text()).unwrap_or_default().to_owned())
}

async fn diff(
    State(control): State<Control>,
    _: Granted,
    subject: Subject,
    Body(any): Body<AnyText>,
) -> Result<Json<Difference>, Problem> {
    Ok(Json(compared(&control, &subject, any.text).await?))
}

/// What is different from what is in force.
pub(in crate::control) async fn compared(
    control: &Control,
    subject: &Subject,
    text: Option<String>,
) -> Result<Difference, Problem> {
    let text = text_or_draft(control, subject, text).await?;
    let before = view(control, subject).await?.text;
    control.bundles.loader.run(move || difference(&before, &text)).await
}

async fn submit(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Body(it): Body<Note>,
) -> Result<Json<TextView>, Problem> {
    steps::submitted(&control, &granted, &subject, &it.note).await?;
    Ok(Json(view(&control, &subject).await?))
}

async fn approve(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Body(it): Body<Decision>,
) -> Result<Json<TextView>, Problem> {
    steps::judged(&control, &granted, &subject, it.revision, true, &it.note).await?;
    Ok(Json(view(&control, &subject).await?))
}

async fn reject(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Body(it): Body<Decision>,
) -> Result<Json<TextView>, Problem> {
    steps::judged(&control, &granted, &subject, it.revision, false, &it.note).await?;
    Ok(Json(view(&control, &subject).await?))
}

async fn publish(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Body(it): Body<Decision>,
) -> Result<Json<TextView>, Problem> {
    steps::published(&control, &granted, &subject, it.revision, &it.note).await?;
    Ok(Json(view(&control, &subject).await?))
}

async fn roll_back(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Body(it): Body<RollBack>,
) -> Result<Json<TextView>, Problem> {
    steps::rolled_back(&control, &granted, &subject, it.version, &it.note).await?;
    Ok(Json(view(&control, &subject).await?))
}

async fn history(
    State(control): State<Control>,
    _: Granted,
    subject: Subject,
) -> Result<Json<Vec<VersionView>>, Problem> {
    Ok(Json(versions(&control, &subject).await?))
}

async fn numbered(
    State(control): State<Control>,
    _: Granted,
    subject: Subject,
    Path(Numbered { number }): Path<Numbered>,
) -> Result<Json<VersionText>, Problem> {
    Ok(Json(version_text(&control, &subject, number).await?))
}

/// One version with its text, beside the one before it.
pub(in crate::control) async fn version_text(
    control: &Control,
    subject: &Subject,
    number: u32,
) -> Result<VersionText, Problem> {
    let version = steps::version(control, subject, number).await?;
    let before = match number.checked_sub(1).filter(|it| *it > 0) {
        Some(number) => steps::version(control, subject, number).await?.text,
        None => String::new(),
    };
    let after = version.text.clone();
    let diff = control.bundles.loader.run(move || difference(&before, &after).unified).await?;
    Ok(VersionText { version: VersionView::from(&version), text: version.text, diff })
}

async fn try_on_records(
    State(control): State<Control>,
    granted: Granted,
    subject: Subject,
    Body(asked): Body<DryRunRequest>,
) -> Result<Json<DryRun>, Problem> {
    Ok(Json(dry_run::dry_run(&control, &granted, &subject, asked).await?))
}
