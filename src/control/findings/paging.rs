//! Records within somebody's scope, newest first, page by page, with a bound on what one call reads.

use super::scope::Scope;
use crate::control::Problem;
use crate::control::server::Control;
use crate::store::{Entry, Exchange, Position, Query, Record, Subject};

/// Records read at once.
const CHUNK_ROWS: usize = 200;
/// Records that one call reads at most; where few of them may be seen, the page is short and goes on behind them.
pub(super) const READ_MAX: usize = 2_000;
/// Teams that are searched at most: nobody belongs to more.
const TEAMS_MAX: usize = 200;

/// A record that may be seen.
pub(super) struct Seen {
    pub(super) entry: Entry,
    pub(super) record: Record,
}

impl Seen {
    /// The exchange, where it is about one.
    pub(super) fn exchange(&self) -> Option<&Exchange> {
        match &self.record.subject {
            Subject::Exchange(it) | Subject::Decision(it) => Some(it),
            Subject::Act(_) | Subject::Checkpoint(_) => None,
        }
    }
}

/// A page.
pub(super) struct Page {
    pub(super) records: Vec<Seen>,
    /// Where the next one begins; `None` at the end.
    pub(super) next: Option<Position>,
}

/// The next page of a search, at most `rows_max`. `wanted` looks at what no column tells.
pub(super) async fn page(
    control: &Control,
    scope: &Scope,
    query: &Query,
    rows_max: usize,
    wanted: impl Fn(&Record) -> bool,
) -> Result<Page, Problem> {
    let mut query = Query { rows_max: CHUNK_ROWS, ..query.clone() };
    let mut page = Page { records: Vec::new(), next: None };
    let mut read = 0;
    loop {
        let (entries, is_end) = chunk(control, scope, &query).await?;
        for entry in entries {
            read += 1;
            query.before = Some(Position::of(&entry));
            // What is no record is a matter of verification.
            let Ok(record) = entry.record() else { continue };
            let seen = Seen { entry, record };
            let within = match seen.exchange() {
                Some(it) => scope.holds(&it.team, it.key.as_deref()),
                None => *scope == Scope::All,
            };
            if within && wanted(&seen.record) {
                page.records.push(seen);
                if page.records.len() >= rows_max {
                    page.next = query.before;
                    return Ok(page);
                }
            }
        }
        if is_end {
            return Ok(page);
        }
        if read >= READ_MAX {
            page.next = query.before;
            return Ok(page);
        }
    }
}

/// The next records of a search in all teams of a scope, and whether there are no more.
async fn chunk(control: &Control, scope: &Scope, query: &Query) -> Result<(Vec<Entry>, bool), Problem> {
    let teams = match (scope.teams(), &query.team) {
        (None, _) => {
            let entries = control.records.search(query).await?;
            let is_end = entries.len() < query.rows_max;
            return Ok((entries, is_end));
        }
        (Some(teams), Some(asked)) => teams.into_iter().filter(|it| it == asked).collect(),
        (Some(teams), None) => teams,
    };
    let mut all = Vec::new();
    let mut is_end = true;
    for team in teams.into_iter().take(TEAMS_MAX) {
        let entries = control.records.search(&Query { team: Some(team.to_owned()), ..query.clone() }).await?;
        is_end &= entries.len() < query.rows_max;
        all.extend(entries);
    }
    let order = |it: &Entry| (it.written_ms, it.gateway.clone(), it.sequence);
    all.sort_by_key(|it| std::cmp::Reverse(order(it)));
    if all.len() > query.rows_max {
        is_end = false;
        cut(&mut all, query.rows_max);
    }
    Ok((all, is_end))
}

/// Cuts between two moments: within one, the order of gateways is the database's own.
fn cut(all: &mut Vec<Entry>, rows_max: usize) {
    let moment = all[rows_max].written_ms;
    let whole = all[..rows_max].iter().take_while(|it| it.written_ms > moment).count();
    all.truncate(if whole > 0 { whole } else { rows_max });
}

/// A position as a text that calls hand back.
pub(super) fn cursor(position: &Position) -> String {
    format!("{}.{}.{}", position.written_ms, position.sequence, position.gateway)
}

/// The position that a call hands back.
pub(super) fn position(cursor: &str) -> Result<Position, Problem> {
    let parts: Vec<&str> = cursor.splitn(3, '.').collect();
    let parsed = match parts.as_slice() {
        [written, sequence, gateway] if gateway.len() <= 256 && !gateway.chars().any(char::is_control) => {
            let numbers = written.parse().ok().zip(sequence.parse().ok());
            numbers.map(|(written_ms, sequence)| Position { written_ms, gateway: (*gateway).to_owned(), sequence })
        }
        _ => None,
    };
    parsed.ok_or_else(|| Problem::invalid("this cursor was not given by a page before"))
}

/// A text to search for, as databases take it.
pub(super) fn searchable(name: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    let Some(text) = text.filter(|it| !it.is_empty()) else { return Ok(None) };
    match text.len() <= 256 && !text.chars().any(char::is_control) {
        true => Ok(Some(text)),
        false => Err(Problem::invalid(format!("`{name}` has at most 256 bytes and no control characters"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let position = Position { written_ms: 17, gateway: "edge.example-1".into(), sequence: 3 };
        assert_eq!(super::position(&cursor(&position)).unwrap(), position);
        for text in ["", "1.2", "x.2.gw", "1.-2.gw", "1.2.g\0w", "99999999999999999999999.1.gw"] {
            assert!(super::position(text).is_err(), "{text:?}");
        }
    }
}
