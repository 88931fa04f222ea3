//! Policies of groups of gateways, and rules of the company's own: texts that are drafted, validated, compared, approved,
//! published and taken back. Rules go through the same steps as policies, because who can take a rule away can open what
//! a policy closed.

mod difference;
mod dry_run;
mod kept;
mod recorded;
mod routes;
mod steps;
mod view;

pub(super) use self::difference::Difference;
pub(super) use self::dry_run::{DryRun, DryRunRequest, dry_run};
pub(super) use self::kept::{Policy, Subject};
pub(super) use self::routes::{
    Numbered, Validation, compared, routes, rule_routes, text_or_draft, validation, version_text,
};
pub(super) use self::steps::{discarded, drafted, judged, published, published_rules, rolled_back, submitted};
pub(super) use self::view::{MistakeView, TextSummary, TextView, VersionText, VersionView, summaries, versions, view};
