//! How texts are kept: what is published, what is drafted, and every version that ever was.

use serde::{Deserialize, Serialize};

use crate::control::Problem;
use crate::control::shelf::Stored;
use crate::control::users::name_mistake;

const GROUP: &str = "group/";
const RULES: &str = "rules";
const TEAM_RULES: &str = "rules/team/";
/// How the organisation's rules and those of a team are named in paths of the API.
const ORGANISATION: &str = "organisation";
const TEAM: &str = "team:";

/// What a text is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// The policy of a group of gateways.
    Group(String),
    /// Rules that hold for everyone whose checks name them.
    Rules,
    /// Rules of one team, which hold for it alone.
    TeamRules(String),
}

impl Subject {
    /// The id that it is kept under.
    pub(crate) fn id(&self) -> String {
        match self {
            Subject::Group(group) => format!("{GROUP}{group}"),
            Subject::Rules => RULES.to_owned(),
            Subject::TeamRules(team) => format!("{TEAM_RULES}{team}"),
        }
    }

    /// What is kept under this id.
    pub(crate) fn parse(id: &str) -> Option<Subject> {
        if let Some(group) = id.strip_prefix(GROUP) {
            return Some(Subject::Group(group.to_owned()));
        }
        match id.strip_prefix(TEAM_RULES) {
            Some(team) => Some(Subject::TeamRules(team.to_owned())),
            None => (id == RULES).then_some(Subject::Rules),
        }
    }

    /// The policy of the group of this name.
    pub(crate) fn group(name: &str) -> Result<Subject, Problem> {
        name_mistake("group", name)?;
        Ok(Subject::Group(name.to_owned()))
    }

    /// The rules of this scope: `organisation`, or `team:` and a team's name.
    pub(crate) fn rules(scope: &str) -> Result<Subject, Problem> {
        if scope == ORGANISATION {
            return Ok(Subject::Rules);
        }
        let team = scope.strip_prefix(TEAM).ok_or_else(|| Problem::not_found("scope of rules", scope))?;
        name_mistake("team", team)?;
        Ok(Subject::TeamRules(team.to_owned()))
    }

    /// Its name in paths of the API.
    pub(crate) fn name(&self) -> String {
        match self {
            Subject::Group(group) => group.clone(),
            Subject::Rules => ORGANISATION.to_owned(),
            Subject::TeamRules(team) => format!("{TEAM}{team}"),
        }
    }

    /// What a bundle's text names its rule file by.
    pub(crate) fn path(&self) -> String {
        match self {
            Subject::TeamRules(team) => format!("rules/teams/{team}.yaml"),
            _ => format!("rules/{ORGANISATION}.yaml"),
        }
    }

    /// Whether it is about rules.
    pub(crate) fn is_rules(&self) -> bool {
        !matches!(self, Subject::Group(_))
    }

    /// What acts of it begin with.
    pub(crate) fn word(&self) -> &'static str {
        if self.is_rules() { "rules" } else { "policy" }
    }
}

/// A text's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) published: Option<Version>,
    pub(crate) draft: Option<Draft>,
    /// Grows with every draft that is written, and when one goes or another text is put in force: nothing later is taken for
    /// what somebody has looked at.
    #[serde(default)]
    pub(crate) last_revision: u64,
}

impl Policy {
    pub(crate) fn new(subject: &Subject) -> Policy {
        Policy { id: subject.id(), published: None, draft: None, last_revision: 0 }
    }

    /// What is in force.
    pub(crate) fn published_text(&self) -> Option<&str> {
        self.published.as_ref().map(|it| it.text.as_str())
    }

    /// The number of what is in force; 0: nothing was published yet.
    pub(crate) fn number(&self) -> u32 {
        self.published.as_ref().map_or(0, |it| it.number)
    }

    /// The revision that somebody looks at who reads it now; 0: nobody has ever drafted anything.
    pub(crate) fn revision(&self) -> u64 {
        self.draft.as_ref().map_or(self.last_revision, |it| it.revision)
    }

    /// A revision that there was never before.
    pub(crate) fn next_revision(&mut self) -> u64 {
        self.last_revision = self.last_revision.max(self.revision()) + 1;
        self.last_revision
    }

    /// The draft, which is there no more: whoever has looked at it has looked at something else.
    pub(crate) fn take_draft(&mut self) -> Option<Draft> {
        self.next_revision();
        self.draft.take()
    }
}

impl Stored for Policy {
    const KIND: &'static str = "policy";
    const IS_TOLD: bool = true;

    fn id(&self) -> &str {
        &self.id
    }
}

/// What somebody is writing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Draft {
    pub(crate) text: String,
    /// Grows with every change, also from one draft to the next.
    pub(crate) revision: u64,
    /// The number that was published when it was begun.
    pub(crate) based_on: u32,
    /// Everyone who wrote on it since then: ids and names. None of them can approve it.
    pub(crate) authors: Vec<Person>,
    pub(crate) changed_ms: u64,
    pub(crate) standing: Standing,
}

/// Somebody, as known at that time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// How far a draft is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub(crate) enum Standing {
    /// It is being written.
    Writing,
    /// It waits for a second person.
    Submitted { by: Person, note: String },
    /// A second person agrees with it as it is.
    Approved { by: Person, note: String },
    /// A second person does not.
    Rejected { by: Person, reason: String },
}

impl Standing {
    /// Its name in the API.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Standing::Writing => "writing",
            Standing::Submitted { .. } => "submitted",
            Standing::Approved { .. } => "approved",
            Standing::Rejected { .. } => "rejected",
        }
    }
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Version {
    /// What it is about and its number: what it is kept under.
    pub(crate) id: String,
    pub(crate) subject: String,
    /// From 1.
    pub(crate) number: u32,
    pub(crate) text: String,
    pub(crate) authors: Vec<Person>,
    pub(crate) approved_by: Option<Person>,
    pub(crate) published_by: Person,
    pub(crate) published_ms: u64,
    pub(crate) note: String,
    /// The version whose text it took again.
    pub(crate) taken_from: Option<u32>,
}

impl Version {
    /// The id of a version: sorted by number.
    pub(crate) fn id_of(subject: &Subject, number: u32) -> String {
        format!("{}@{number:010}", subject.id())
    }
}

impl Stored for Version {
    const KIND: &'static str = "version";

    fn id(&self) -> &str {
        &self.id
    }

    fn parent(&self) -> Option<String> {
        Some(self.subject.clone())
    }
}
