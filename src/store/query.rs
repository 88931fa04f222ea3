//! What stores keep beside a record to find it again, and what can be asked for.

use super::entry::Entry;
use super::record::{Record, Subject};

/// What is stored beside an entry so that searches need no look into bodies. All of it follows from the body, and
/// verification compares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// Id of the record.
    pub id: String,
    /// `exchange`, `decision`, `act`, `checkpoint`.
    pub kind: String,
    /// Team, for exchanges and decisions.
    pub team: Option<String>,
    /// Session of the client.
    pub session: Option<String>,
    /// Model asked for.
    pub model: Option<String>,
    /// Most severe action of both directions.
    pub action: Option<String>,
    /// Highest risk of both directions.
    pub risk: Option<String>,
    /// Rules with findings, each once, sorted.
    pub rules: Vec<String>,
}

impl Columns {
    /// What follows from a record.
    pub fn of(record: &Record) -> Columns {
        let mut columns =
            Columns { id: record.id.clone(), kind: record.subject.kind().to_owned(), ..Columns::default() };
        if let Subject::Exchange(it) | Subject::Decision(it) = &record.subject {
            columns.team = Some(it.team.clone());
            columns.session = it.session.clone();
            columns.model = it.model.clone();
            columns.action = Some(it.action.clone());
            columns.risk = it.risk().map(|risk| risk.name().to_owned());
            let found = it.outbound.findings.iter().chain(&it.inbound.findings);
            columns.rules = found.map(|it| it.rule.clone()).collect();
            columns.rules.sort_unstable();
            columns.rules.dedup();
        }
        columns
    }
}

/// An entry with everything that is stored of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The entry.
    pub entry: Entry,
    /// The columns as they are stored.
    pub columns: Columns,
}

/// What to search for; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Of this gateway.
    pub gateway: Option<String>,
    /// Of this team.
    pub team: Option<String>,
    /// Of this session.
    pub session: Option<String>,
    /// With a finding of this rule.
    pub rule: Option<String>,
    /// With this model asked for.
    pub model: Option<String>,
    /// With this most severe action.
    pub action: Option<String>,
    /// With this highest risk.
    pub risk: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// With this id.
    pub id: Option<String>,
    /// Written at this moment or later, Unix milliseconds.
    pub from_ms: Option<u64>,
    /// Written before this moment, Unix milliseconds.
    pub until_ms: Option<u64>,
    /// Behind this one in the order of answers: the pages after the first.
    pub before: Option<Position>,
    /// Most entries that are returned.
    pub rows_max: usize,
}

/// Where an entry stands among those of all gateways: by time, then by gateway, then by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// When it was written, Unix milliseconds.
    pub written_ms: u64,
    /// Its gateway.
    pub gateway: String,
    /// Its number in the gateway's chain.
    pub sequence: u64,
}

impl Position {
    /// Of this entry.
    pub fn of(entry: &Entry) -> Position {
        Position { written_ms: entry.written_ms, gateway: entry.gateway.to_string(), sequence: entry.sequence }
    }
}
