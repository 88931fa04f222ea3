//! What a bundle is composed of, as it is kept at this moment, or as it would be after a change.

use crate::control::Problem;
use crate::control::gateways::DEFAULT_GROUP;
use crate::control::keys::{Key, Owners};
use crate::control::policies::{Policy, Subject};
use crate::control::providers::Provider;
use crate::control::quarantine;
use crate::control::server::Control;
use crate::control::shelf::Stored;
use crate::control::teams::Team;
use crate::domain::Held;

/// What a bundle is composed of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    /// The published text of the group, or of the default group where it has none.
    pub(crate) policy: String,
    pub(crate) teams: Vec<Team>,
    /// Keys that hold now, and whose owner is let in.
    pub(crate) keys: Vec<Key>,
    pub(crate) providers: Vec<Provider>,
    pub(crate) rules: Vec<RuleSet>,
    pub(crate) held: Vec<Held>,
}

/// A published rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleSet {
    /// The path that the text names it by.
    pub(crate) path: String,
    /// The team whose rules they are; `None`: everyone's.
    pub(crate) team: Option<String>,
    pub(crate) text: String,
}

/// Something that is about to change.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A team is made, or has other settings.
    Team(Team),
    /// A team goes.
    NoTeam(String),
    /// A provider is made, or is elsewhere.
    Provider(Provider),
    /// A provider goes.
    NoProvider(String),
    /// A text is published: a group's policy, or rules.
    Text(Subject, String),
}

impl Inputs {
    /// Everything as it is kept, for this group.
    pub(crate) async fn read(control: &Control, group: &str) -> Result<Inputs, Problem> {
        let now = control.shelf.now_ms();
        let mut policy = published(control, &Subject::Group(group.to_owned())).await?;
        if policy.is_none() && group != DEFAULT_GROUP {
            policy = published(control, &Subject::Group(DEFAULT_GROUP.to_owned())).await?;
        }
        let mut keys = all::<Key>(control).await?;
        let owners = Owners::read(control).await?;
        keys.retain(|it| it.holds(now) && owners.let_in(it));
        let teams = all::<Team>(control).await?;
        let mut rules = Vec::new();
        for kept in all::<Policy>(control).await? {
            let (Some(subject), Some(text)) = (Subject::parse(&kept.id), kept.published_text()) else { continue };
            let team = match &subject {
                Subject::Group(_) => continue,
                Subject::Rules => None,
                Subject::TeamRules(team) => Some(team.clone()),
            };
            // Rules of a team that is gone wait for one of its name.
            if team.as_ref().is_none_or(|name| teams.iter().any(|it| it.name == *name)) && !text.trim().is_empty() {
                rules.push(RuleSet { path: subject.path(), team, text: text.to_owned() });
            }
        }
        let held = quarantine::held(control).await?;
        let providers = all::<Provider>(control).await?;
        Ok(Inputs { policy: policy.unwrap_or_default(), teams, keys, providers, rules, held })
    }

    /// The same after this change.
    pub(crate) fn after(mut self, change: &Change, group: &str) -> Inputs {
        match change {
            Change::Team(team) => {
                self.teams.retain(|it| it.name != team.name);
                self.teams.push(team.clone());
            }
            Change::NoTeam(name) => {
                self.teams.retain(|it| it.name != *name);
                self.keys.retain(|it| it.team != *name);
                self.rules.retain(|it| it.team.as_ref() != Some(name));
            }
            Change::Provider(provider) => {
                self.providers.retain(|it| it.name != provider.name);
                self.providers.push(provider.clone());
            }
            Change::NoProvider(name) => self.providers.retain(|it| it.name != *name),
            Change::Text(Subject::Group(of), text) if of == group => self.policy.clone_from(text),
            // Groups without a policy of their own run on that of the default group: they are asked for by their name.
            Change::Text(Subject::Group(_), _) => {}
            Change::Text(subject, text) => {
                let path = subject.path();
                self.rules.retain(|it| it.path != path);
                if !text.trim().is_empty() {
                    let team = match subject {
                        Subject::TeamRules(team) => Some(team.clone()),
                        _ => None,
                    };
                    self.rules.push(RuleSet { path, team, text: text.clone() });
                    self.rules.sort_by(|left, right| left.path.cmp(&right.path));
                }
            }
        }
        self
    }
}

async fn published(control: &Control, subject: &Subject) -> Result<Option<String>, Problem> {
    let policy = control.shelf.get::<Policy>(&subject.id()).await?;
    Ok(policy.and_then(|it| it.published_text().map(str::to_owned)))
}

async fn all<T: Stored>(control: &Control) -> Result<Vec<T>, Problem> {
    Ok(control.shelf.all::<T>().await?.into_iter().map(|it| it.value).collect())
}
