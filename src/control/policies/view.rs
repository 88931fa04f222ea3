//! Policies and rules as the API shows them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::kept::{Draft, Policy, Standing, Subject, Version};
use crate::control::Problem;
use crate::control::bundle::{Fault, State};
use crate::control::gateways::{DEFAULT_GROUP, Gateway};
use crate::control::server::Control;
use crate::store::Listing;

/// Versions that are listed, the newest first.
const VERSIONS_MAX: usize = 500;

/// A policy or rules, in short.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(in crate::control) struct TextSummary {
    /// Its name: that of a group of gateways; for rules `organisation`, or `team:` and a team's name.
    pub(in crate::control) name: String,
    /// The version in force; 0: none.
    pub(in crate::control) version: u32,
    /// When it was published, Unix milliseconds.
    pub(in crate::control) published_ms: Option<u64>,
    /// How far the draft is: `writing`, `submitted`, `approved` or `rejected`; absent without one.
    pub(in crate::control) draft: Option<String>,
    /// For groups: what their gateways are told.
    pub(in crate::control) bundle: Option<BundleView>,
}

/// What gateways of a group are told.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "BundleStatus")]
pub(in crate::control) struct BundleView {
    /// Grows with every change.
    pub(in crate::control) generation: u64,
    /// When it was made, Unix milliseconds.
    pub(in crate::control) made_ms: u64,
    /// Since when what is kept could not be put in force, Unix milliseconds; absent where it is in force.
    pub(in crate::control) refused_ms: Option<u64>,
    /// Why not, a sentence each.
    pub(in crate::control) mistakes: Vec<String>,
}

/// A policy or rules.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(in crate::control) struct TextView {
    /// Its name: that of a group of gateways; for rules `organisation`, or `team:` and a team's name.
    pub(in crate::control) name: String,
    /// What is in force.
    pub(in crate::control) published: Option<VersionView>,
    /// Its text; for a group without a policy of its own, that of the default group.
    pub(in crate::control) text: String,
    /// What somebody is writing.
    pub(in crate::control) draft: Option<DraftView>,
    /// What a draft that follows this is written on: the draft's revision, or that of the last change where there is none.
    pub(in crate::control) revision: u64,
    /// Whether a second person has to approve what is published.
    pub(in crate::control) approvals: bool,
    /// For groups: what their gateways are told.
    pub(in crate::control) bundle: Option<BundleView>,
}

/// A version that was published.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PublishedVersion")]
pub(in crate::control) struct VersionView {
    /// From 1.
    pub(in crate::control) number: u32,
    /// Who wrote it.
    pub(in crate::control) authors: Vec<String>,
    /// The second person who agreed.
    pub(in crate::control) approved_by: Option<String>,
    /// Who put it in force.
    pub(in crate::control) published_by: String,
    /// Unix milliseconds.
    pub(in crate::control) published_ms: u64,
    /// Why, in the words of who did it.
    pub(in crate::control) note: String,
    /// The version whose text was taken again.
    pub(in crate::control) taken_from: Option<u32>,
}

/// A version with its text.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PublishedText")]
pub(in crate::control) struct VersionText {
    /// Who and when.
    #[serde(flatten)]
    pub(in crate::control) version: VersionView,
    /// The text.
    pub(in crate::control) text: String,
    /// What is different from the version before, as `diff -u` writes it.
    pub(in crate::control) diff: String,
}

/// What somebody is writing.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Draft")]
pub(in crate::control) struct DraftView {
    /// The text.
    pub(in crate::control) text: String,
    /// Grows with every change, also from one draft to the next; what is approved and published is named by it.
    pub(in crate::control) revision: u64,
    /// The version that it was begun on.
    pub(in crate::control) based_on: u32,
    /// Who wrote on it: none of them can approve it.
    pub(in crate::control) authors: Vec<String>,
    /// Unix milliseconds.
    pub(in crate::control) changed_ms: u64,
    /// `writing`, `submitted`, `approved` or `rejected`.
    pub(in crate::control) standing: String,
    /// Who submitted, approved or rejected it.
    pub(in crate::control) by: Option<String>,
    /// What that one said.
    pub(in crate::control) note: Option<String>,
}

/// Something that is wrong with a text, or doubtful.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "TextMistake")]
pub(in crate::control) struct MistakeView {
    /// `policy`, or the path of the rule file; empty for what is kept elsewhere.
    pub(in crate::control) origin: String,
    /// From 1; absent where it is no line of the text.
    pub(in crate::control) line: Option<usize>,
    /// From 1, in characters.
    pub(in crate::control) column: Option<usize>,
    /// The setting, or the rule's id.
    pub(in crate::control) setting: String,
    /// What is wrong.
    pub(in crate::control) what: String,
    /// What would be right.
    pub(in crate::control) help: String,
}

impl From<&Fault> for MistakeView {
    fn from(it: &Fault) -> Self {
        MistakeView {
            origin: it.origin.clone(),
            line: it.line,
            column: it.column,
            setting: it.setting.clone(),
            what: it.what.clone(),
            help: it.help.clone(),
        }
    }
}

impl From<&State> for BundleView {
    fn from(it: &State) -> Self {
        BundleView {
            generation: it.generation,
            made_ms: it.made_ms,
            refused_ms: it.refused.as_ref().map(|it| it.since_ms),
            mistakes: it.refused.as_ref().map(|it| it.mistakes.clone()).unwrap_or_default(),
        }
    }
}

impl From<&Version> for VersionView {
    fn from(it: &Version) -> Self {
        VersionView {
            number: it.number,
            authors: it.authors.iter().map(|it| it.name.clone()).collect(),
            approved_by: it.approved_by.as_ref().map(|it| it.name.clone()),
            published_by: it.published_by.name.clone(),
            published_ms: it.published_ms,
            note: it.note.clone(),
            taken_from: it.taken_from,
        }
    }
}

impl From<&Draft> for DraftView {
    fn from(it: &Draft) -> Self {
        let (by, note) = match &it.standing {
            Standing::Writing => (None, None),
            Standing::Submitted { by, note } | Standing::Approved { by, note } => (Some(by), Some(note)),
            Standing::Rejected { by, reason } => (Some(by), Some(reason)),
        };
        DraftView {
            text: it.text.clone(),
            revision: it.revision,
            based_on: it.based_on,
            authors: it.authors.iter().map(|it| it.name.clone()).collect(),
            changed_ms: it.changed_ms,
            standing: it.standing.name().to_owned(),
            by: by.map(|it| it.name.clone()),
            note: note.cloned(),
        }
    }
}

/// The policies of all groups that have gateways or a policy; or all rules.
pub(in crate::control) async fn summaries(control: &Control, rules: bool) -> Result<Vec<TextSummary>, Problem> {
    let mut all: BTreeMap<Subject, Option<Policy>> = BTreeMap::new();
    match rules {
        true => drop(all.insert(Subject::Rules, None)),
        false => {
            all.insert(Subject::Group(DEFAULT_GROUP.to_owned()), None);
            for gateway in control.shelf.all::<Gateway>().await? {
                all.insert(Subject::Group(gateway.value.group), None);
            }
        }
    }
    for policy in control.shelf.all::<Policy>().await? {
        if let Some(subject) = Subject::parse(&policy.id).filter(|it| it.is_rules() == rules) {
            all.insert(subject, Some(policy.value));
        }
    }
    let mut states = BTreeMap::new();
    if !rules {
        for state in control.shelf.all::<State>().await? {
            states.insert(state.group.clone(), BundleView::from(&state.value));
        }
    }
    let summary = |(subject, policy): (&Subject, &Option<Policy>)| {
        let policy = policy.as_ref();
        TextSummary {
            name: subject.name(),
            version: policy.map_or(0, Policy::number),
            published_ms: policy.and_then(|it| it.published.as_ref()).map(|it| it.published_ms),
            draft: policy.and_then(|it| it.draft.as_ref()).map(|it| it.standing.name().to_owned()),
            bundle: if rules { None } else { states.get(&subject.name()).cloned() },
        }
    };
    Ok(all.iter().map(summary).collect())
}

/// One policy, or rules.
pub(in crate::control) async fn view(control: &Control, subject: &Subject) -> Result<TextView, Problem> {
    let policy = super::steps::policy(control, subject).await?;
    let mut text = policy.published_text().map(str::to_owned);
    let mut bundle = None;
    if let Subject::Group(group) = subject {
        if text.is_none() && group != DEFAULT_GROUP {
            let default = super::steps::policy(control, &Subject::Group(DEFAULT_GROUP.to_owned())).await?;
            text = default.published_text().map(str::to_owned);
        }
        bundle = control.shelf.get::<State>(group).await?.map(|it| BundleView::from(&it.value));
    }
    Ok(TextView {
        name: subject.name(),
        published: policy.published.as_ref().map(VersionView::from),
        text: text.unwrap_or_default(),
        draft: policy.draft.as_ref().map(DraftView::from),
        revision: policy.revision(),
        approvals: control.settings.approvals,
        bundle,
    })
}

/// What was published, the newest first.
pub(in crate::control) async fn versions(control: &Control, subject: &Subject) -> Result<Vec<VersionView>, Problem> {
    let id = subject.id();
    let listing = Listing { parent: Some(&id), newest_first: true, rows_max: VERSIONS_MAX, ..Listing::default() };
    let versions = control.shelf.list::<Version>(listing).await?;
    Ok(versions.iter().map(|it| VersionView::from(&it.value)).collect())
}
