//! The steps that a text goes through: drafted, submitted, approved by a second person, published, taken back. Each is an
//! act with who did it and what is different.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::difference;
use super::kept::{Draft, Person, Policy, Standing, Subject, Version};
use crate::checkers;
use crate::control::Problem;
use crate::control::bundle::{faults_of, sentences};
use crate::control::http::Granted;
use crate::control::server::Control;
use crate::control::shelf::{Batch, Kept};
use crate::control::teams::Team;

/// Longest text of a policy, bytes; rule files have the loader's own limit.
const POLICY_BYTES_MAX: usize = 256 << 10;
const RULES_BYTES_MAX: usize = 512 << 10;
/// Longest note or reason, characters.
const NOTE_CHARS_MAX: usize = 1000;
/// Most people who are remembered as authors of one draft.
const AUTHORS_MAX: usize = 100;
/// Teams with rules of their own: each is a rule file, of which a gateway reads at most 32.
const TEAM_RULES_MAX: usize = 31;

/// A text as it is kept, or a new one without anything.
pub(super) async fn policy(control: &Control, subject: &Subject) -> Result<Kept<Policy>, Problem> {
    let kept = control.shelf.get::<Policy>(&subject.id()).await?;
    Ok(kept.unwrap_or_else(|| Kept { version: 0, value: Policy::new(subject) }))
}

/// A step that leaves another state, and a published version where it made one.
async fn keep(control: &Control, policy: &Kept<Policy>, version: Option<&Version>) -> Result<(), Problem> {
    let mut batch = match policy.version {
        0 => Batch::default().insert(&policy.value),
        _ => Batch::default().update(policy),
    };
    if let Some(version) = version {
        batch = batch.insert(version);
    }
    control.shelf.commit(batch).await
}

pub(super) fn person(granted: &Granted) -> Result<Person, Problem> {
    Ok(Person { id: granted.user()?.to_owned(), name: granted.user_name().to_owned() })
}

pub(super) fn note_fits(name: &str, note: &str) -> Result<(), Problem> {
    match note.chars().count() <= NOTE_CHARS_MAX && !note.contains('\0') {
        true => Ok(()),
        false => Err(Problem::invalid(format!("`{name}` has at most {NOTE_CHARS_MAX} characters"))),
    }
}

/// Whether a text is one that can be kept at all.
pub(super) fn text_fits(subject: &Subject, text: &str) -> Result<(), Problem> {
    let bytes_max = if subject.is_rules() { RULES_BYTES_MAX } else { POLICY_BYTES_MAX };
    if text.len() > bytes_max {
        return Err(Problem::invalid(format!("the text has {} bytes; at most {bytes_max} fit", text.len())));
    }
    match text.chars().any(|it| it.is_control() && !matches!(it, '\n' | '\r' | '\t')) {
        true => Err(Problem::invalid("the text holds a control character")),
        false => Ok(()),
    }
}

/// Writes a draft. It may be wrong: it is judged when it is submitted and published.
pub(in crate::control) async fn drafted(
    control: &Control,
    granted: &Granted,
    subject: &Subject,
    text: &str,
    revision: Option<u64>,
) -> Result<(), Problem> {
    text_fits(subject, text)?;
    scope_exists(control, subject).await?;
    let mut policy = policy(control, subject).await?;
    let person = person(granted)?;
    let found = policy.revision();
    if revision.is_some_and(|it| it != found) {
        let what = format!("this text is at revision {found}: somebody has drafted or published since; read it again");
        return Err(Problem::conflict(what));
    }
    let before = policy.draft.as_ref().map(|it| it.text.clone()).or(policy.published_text().map(str::to_owned));
    let number = policy.number();
    let next = policy.value.next_revision();
    let draft = policy.value.draft.get_or_insert_with(|| Draft {
        text: String::new(),
        revision: 0,
        based_on: number,
        authors: Vec::new(),
        changed_ms: 0,
        standing: Standing::Writing,
    });
    if !draft.authors.contains(&person) {
        if draft.authors.len() == AUTHORS_MAX {
            return Err(Problem::conflict("too many people have written on this draft: publish or discard it"));
        }
        draft.authors.push(person);
    }
    text.clone_into(&mut draft.text);
    draft.revision = next;
    draft.changed_ms = control.shelf.now_ms();
    // What was approved was another text.
    draft.standing = Standing::Writing;
    keep(control, &policy, None).await?;
    let counted = counted(control, before.as_deref().unwrap_or_default(), text).await?;
    told(control, granted, subject, "drafted", [("diff", counted)]);
    Ok(())
}

/// Forgets a draft.
pub(in crate::control) async fn discarded(
    control: &Control,
    granted: &Granted,
    subject: &Subject,
) -> Result<(), Problem> {
    let mut policy = policy(control, subject).await?;
    let draft = policy.value.take_draft().ok_or_else(|| no_draft(subject))?;
    keep(control, &policy, None).await?;
    let counted = counted(control, policy.published_text().unwrap_or_default(), &draft.text).await?;
    told(control, granted, subject, "discarded", [("diff", counted)]);
    Ok(())
}

/// Gives a draft to a second person.
pub(in crate::control) async fn submitted(
    control: &Control,
    granted: &Granted,
    subject: &Subject,
    note: &str,
) -> Result<(), Problem> {
    note_fits("note", note)?;
    let mut policy = policy(control, subject).await?;
    let by = person(granted)?;
    let draft = policy.value.draft.as_mut().ok_or_else(|| no_draft(subject))?;
    loads(control, subject, &draft.text).await?;
    draft.standing = Standing::Submitted { by, note: note.to_owned() };
    keep(control, &policy, None).await?;
    told(control, granted, subject, "submitted", [("note", note.to_owned())]);
    Ok(())
}

/// A second person agrees, or does not.
pub(in crate::control) async fn judged(
    control: &Control,
    granted: &Granted,
    subject: &Subject,
    revision: u64,
    agrees: bool,
    note: &str,
) -> Result<(), Problem> {
    note_fits("note", note)?;
    let mut policy = policy(control, subject).await?;
    let published = policy.published_text().unwrap_or_default().to_owned();
    let by = person(granted)?;
    let draft = at_revision(policy.value.draft.as_mut(), subject, revision)?;
    let Standing::Submitted { by: submitter, .. } = &draft.standing else {
        return Err(Problem::conflict("this draft does not wait for a second person"));
    };
    if draft.authors.iter().any(|it| it.id == by.id) || submitter.id == by.id {
        return Err(Problem::forbidden("you wrote on this draft or submitted it: somebody else has to look at it"));
    }
    draft.standing = match agrees {
        true => Standing::Approved { by, note: note.to_owned() },
        false => Standing::Rejected { by, reason: note.to_owned() },
    };
    let diff = recorded(control, subject, &published, &draft.text).await?;
    keep(control, &policy, None).await?;
    let verb = if agrees { "approved" } else { "rejected" };
    told(control, granted, subject, verb, [("note", note.to_owned()), ("diff", diff)]);
    Ok(())
}

/// Puts a draft in force.
pub(in crate::control) async fn published(
    control: &Control,
    granted: &Granted,
    subject: &Subject,
    revision: u64,
    note: &str,
) -> Result<(), Problem> {
    note_fits("note", note)?;
    let mut policy = policy(control, subject).await?;
    let draft = at_revision(policy.value.draft.as_mut(), subject, revision)?.clone();
    if draft.based_on != policy.number() {
        let what = format!(
            "version {} was published since this draft was begun: compare with it and write the draft again",
            policy.number()
        );
        return Err(Problem::conflict(what));
    }
    let approved_by = match &draft.standing {
        Standing::Approved { by, .. } => Some(by.clone()),
        _ if control.settings.approvals => {
            return Err(Problem::conflict("this is published only after a second person approved it: submit it first"));
        }
        _ => None,
    };
    let before = policy.published_text().unwrap_or_default().to_owned();
    if policy.published.is_some() && before == draft.text {
        return Err(Problem::conflict("the draft is what is published already"));
    }
    loads(control, subject, &draft.text).await?;
    let version = Version {
        id: Version::id_of(subject, policy.number() + 1),
        subject: subject.id(),
        number: policy.number() + 1,
        text: draft.text,
        authors: draft.authors,
        approved_by,
        published_by: person(granted)?,
        published_ms: control.shelf.now_ms(),
        note: note.to_owned(),
        taken_from: None,
    };
    policy.value.take_draft();
    put_in_force(control, granted, subject, policy, version, &before).await
}

/// Puts the text of an earlier version in force again, as a version of its own.
pub(in crate::control) async fn rolled_back(
    control: &Control,
    granted: &Granted,
    subject: &Subject,
    number: u32,
    note: &str,
) -> Result<(), Problem> {
    note_fits("note", note)?;
    let mut policy = policy(control, subject).await?;
    let old = version(control, subject, number).await?;
    if control.settings.approvals && old.approved_by.is_none() {
        let what = format!("version {number} was never approved by a second person: draft its text and submit it");
        return Err(Problem::conflict(what));
    }
    let before = policy.published_text().unwrap_or_default().to_owned();
    if before == old.text {
        return Err(Problem::conflict(format!("the text of version {number} is in force already")));
    }
    loads(control, subject, &old.text).await?;
    let next = Version {
        id: Version::id_of(subject, policy.number() + 1),
        number: policy.number() + 1,
        published_by: person(granted)?,
        published_ms: control.shelf.now_ms(),
        note: note.to_owned(),
        taken_from: Some(number),
        ..old
    };
    policy.value.next_revision();
    put_in_force(control, granted, subject, policy, next, &before).await
}

async fn put_in_force(
    control: &Control,
    granted: &Granted,
    subject: &Subject,
    mut policy: Kept<Policy>,
    version: Version,
    before: &str,
) -> Result<(), Problem> {
    let diff = recorded(control, subject, before, &version.text).await?;
    let details = [
        ("version", version.number.to_string()),
        ("note", version.note.clone()),
        ("authors", version.authors.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ")),
        ("approved_by", version.approved_by.as_ref().map_or_else(|| "-".to_owned(), |it| it.name.clone())),
        ("taken_from", version.taken_from.map_or_else(|| "-".to_owned(), |it| it.to_string())),
        ("diff", diff),
    ];
    policy.value.published = Some(version.clone());
    keep(control, &policy, Some(&version)).await?;
    let verb = if version.taken_from.is_some() { "rolled_back" } else { "published" };
    told(control, granted, subject, verb, details);
    Ok(())
}

/// One version that was published.
pub(in crate::control) async fn version(control: &Control, subject: &Subject, number: u32) -> Result<Version, Problem> {
    let found = control.shelf.get::<Version>(&Version::id_of(subject, number)).await?;
    let found = found.ok_or_else(|| Problem::not_found("version", &number.to_string()))?;
    Ok(found.value)
}

/// The texts of all rules that are in force.
pub(in crate::control) async fn published_rules(control: &Control) -> Result<Vec<String>, Problem> {
    let all = control.shelf.all::<Policy>().await?;
    let rules = all.iter().filter(|it| Subject::parse(&it.id).is_some_and(|it| it.is_rules()));
    Ok(rules.filter_map(|it| it.published_text().map(str::to_owned)).collect())
}

/// Whether gateways would take it, in every group that it is for.
async fn loads(control: &Control, subject: &Subject, text: &str) -> Result<(), Problem> {
    scope_exists(control, subject).await?;
    let faults = faults_of(control, subject, text).await?;
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Problem::invalid("gateways would not take this text").with(sentences(&faults))),
    }
}

/// Rules are of a team that exists, and of few enough teams.
async fn scope_exists(control: &Control, subject: &Subject) -> Result<(), Problem> {
    let Subject::TeamRules(team) = subject else { return Ok(()) };
    control.shelf.need::<Team>(team).await?;
    let all = control.shelf.all::<Policy>().await?;
    let others = all.iter().filter(|it| matches!(Subject::parse(&it.id), Some(Subject::TeamRules(it)) if it != *team));
    match others.count() >= TEAM_RULES_MAX {
        true => Err(Problem::conflict(format!("at most {TEAM_RULES_MAX} teams have rules of their own"))),
        false => Ok(()),
    }
}

/// How much is different. Off the threads that serve, as texts may be long and unlike.
async fn counted(control: &Control, before: &str, after: &str) -> Result<String, Problem> {
    let (before, after) = (before.to_owned(), after.to_owned());
    control.bundles.loader.run(move || difference(&before, &after).counted()).await
}

/// What is different, as records say it. Examples of rules stay out of it: somebody may have taken a live key for one.
async fn recorded(control: &Control, subject: &Subject, before: &str, after: &str) -> Result<String, Problem> {
    let (before, after, is_rules) = (before.to_owned(), after.to_owned(), subject.is_rules());
    let write = move || {
        let difference = difference(&before, &after);
        match is_rules {
            true => format!("{}{}", difference.counted(), changed_rules(&before, &after)),
            false => difference.shown(),
        }
    };
    control.bundles.loader.run(write).await
}

/// The ids of rules that came, went or are otherwise: `+house.a.b -house.a.c ~house.a.d`.
fn changed_rules(before: &str, after: &str) -> String {
    let read = |text: &str| -> BTreeMap<String, String> {
        let entries = checkers::parse(text, "").unwrap_or_default();
        entries.into_iter().map(|it| (it.rule.info.id.clone(), format!("{it:?}"))).collect()
    };
    let (before, after) = (read(before), read(after));
    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let sign = |id: &String| match (before.get(id), after.get(id)) {
        (None, _) => Some('+'),
        (_, None) => Some('-'),
        (before, after) => (before != after).then_some('~'),
    };
    ids.into_iter().filter_map(|id| Some(format!(" {}{id}", sign(id)?))).collect()
}

/// The draft, where it is still what somebody has looked at.
fn at_revision<'d>(draft: Option<&'d mut Draft>, subject: &Subject, revision: u64) -> Result<&'d mut Draft, Problem> {
    let draft = draft.ok_or_else(|| no_draft(subject))?;
    match draft.revision == revision {
        true => Ok(draft),
        false => Err(Problem::conflict(format!("the draft is at revision {}: look at that one", draft.revision))),
    }
}

fn no_draft(subject: &Subject) -> Problem {
    Problem::conflict(format!("nobody has drafted anything for `{}`", subject.name()))
}

fn told<const N: usize>(
    control: &Control,
    granted: &Granted,
    subject: &Subject,
    verb: &str,
    details: [(&str, String); N],
) {
    let mut all = BTreeMap::from(details.map(|(name, value)| (name.to_owned(), value)));
    all.insert("id".to_owned(), subject.name());
    control.acts.write(&granted.actor, &format!("{}.{verb}", subject.word()), all);
}
