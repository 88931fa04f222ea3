//! A query as SQL that both databases understand. Values are always bound, never part of the text.

use super::query::Query;
use super::stored::Gateways;

/// A statement and what is bound to it, in order.
pub(super) struct Search<'q> {
    /// The text, with `$1`, `$2`, … for the values.
    pub(super) sql: String,
    /// The values.
    pub(super) values: Vec<Value<'q>>,
}

/// A value that is bound.
#[derive(Clone, Copy)]
pub(super) enum Value<'q> {
    Text(&'q str),
    Number(i64),
}

/// What is read of a record, in the order in which [`super::stored`] takes it.
pub(super) const COLUMNS: &str = "a.gateway, a.sequence, a.written_ms, a.hash, a.body, a.sealed, a.id, a.kind, a.team, \
                                  a.session, a.model, a.action, a.risk";

/// A row of `audit_rules` belongs to a record only where it agrees with it in all that both hold.
pub(super) const BELONGS: &str = "r.gateway = a.gateway AND r.sequence = a.sequence AND r.written_ms = a.written_ms \
                                  AND r.team IS NOT DISTINCT FROM a.team";

/// The numbers that stand for the names of gateways in a query.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    /// Of the gateway asked for.
    gateway: Option<i64>,
    /// Of the gateway of the position; below all others where there is none.
    before: i64,
}

/// Builds the statement for `query`, with the gateways' numbers for their names. `indexed_by` writes what makes the
/// database use an index by name, for a database that would otherwise guess.
pub(super) fn search<'q>(query: &'q Query, numbers: Numbers, indexed_by: fn(&str) -> String) -> Search<'q> {
    let mut search = Search { sql: String::new(), values: Vec::new() };
    let hint = index(query).map(indexed_by).unwrap_or_default();
    let lead = if leads_by_rule(query) { 'r' } else { 'a' };
    // A cross join is read from left to right: the side that gives the order comes first.
    let from = match lead {
        'r' => "audit_rules r CROSS JOIN audit_records a".to_owned(),
        _ => format!("audit_records a{hint}"),
    };
    search.sql = format!("SELECT {COLUMNS} FROM {from} WHERE true");
    if let Some(rule) = &query.rule {
        search.values.push(Value::Text(rule));
        search.sql.push_str(&match lead {
            'r' => format!(" AND r.rule = $1 AND {BELONGS}"),
            _ => format!(" AND EXISTS (SELECT 1 FROM audit_rules r WHERE r.rule = $1 AND {BELONGS})"),
        });
    }
    let texts = [
        (&query.id, "a.id"),
        (&query.session, "a.session"),
        (&query.team, if lead == 'r' { "r.team" } else { "a.team" }),
        (&query.model, "a.model"),
        (&query.action, "a.action"),
        (&query.risk, "a.risk"),
        (&query.kind, "a.kind"),
    ];
    for (value, column) in texts {
        if let Some(value) = value {
            search.and(&format!("{column} ="), Value::Text(value));
        }
    }
    // Says to the planner in so many words that the partial index holds all that is asked for.
    if rare(&query.action, "allow") {
        search.sql.push_str(" AND a.action <> 'allow'");
    }
    if rare(&query.kind, "exchange") {
        search.sql.push_str(" AND a.kind <> 'exchange'");
    }
    let bounds = [
        (numbers.gateway, "gateway ="),
        (query.from_ms.map(number), "written_ms >="),
        (query.until_ms.map(number), "written_ms <"),
        // Says the same as the comparison of all three, in a way that every index understands.
        (query.before.as_ref().map(|it| number(it.written_ms)), "written_ms <="),
    ];
    for (value, column) in bounds {
        if let Some(value) = value {
            search.and(&format!("{lead}.{column}"), Value::Number(value));
        }
    }
    if let Some(position) = &query.before {
        let values = [number(position.written_ms), numbers.before, number(position.sequence)];
        search.values.extend(values.map(Value::Number));
        let last = search.values.len();
        let columns = format!("({lead}.written_ms, {lead}.gateway, {lead}.sequence)");
        search.sql.push_str(&format!(" AND {columns} < (${}, ${}, ${last})", last - 2, last - 1));
    }
    search.sql.push_str(&format!(" ORDER BY {lead}.written_ms DESC, {lead}.gateway DESC, {lead}.sequence DESC"));
    search.values.push(Value::Number(i64::try_from(query.rows_max).unwrap_or(i64::MAX)));
    search.sql.push_str(&format!(" LIMIT ${}", search.values.len()));
    search
}

/// The numbers of the gateways that are named: `Err` where there is none asked for, and nothing to be found.
pub(super) fn numbers(query: &Query, gateways: &Gateways) -> Result<Numbers, ()> {
    let of = |name: &str| gateways.iter().find(|(_, it)| it.as_ref() == name).map(|(id, _)| *id);
    let gateway = query.gateway.as_deref().map(|it| of(it).ok_or(())).transpose()?;
    Ok(Numbers { gateway, before: query.before.as_ref().and_then(|it| of(&it.gateway)).unwrap_or(0) })
}

impl<'q> Search<'q> {
    fn and(&mut self, column: &str, value: Value<'q>) {
        self.values.push(value);
        self.sql.push_str(&format!(" AND {column} ${}", self.values.len()));
    }
}

/// The index of `audit_records` that leaves the fewest rows; `None` where `audit_rules` leads.
fn index(query: &Query) -> Option<&'static str> {
    if query.id.is_some() {
        Some("audit_records_id")
    } else if query.session.is_some() {
        Some("audit_records_session")
    } else if leads_by_rule(query) {
        None
    } else if query.team.is_some() {
        Some("audit_records_team")
    } else if rare(&query.kind, "exchange") {
        Some("audit_records_kind")
    } else if query.risk.is_some() {
        Some("audit_records_risk")
    } else if rare(&query.action, "allow") {
        Some("audit_records_action")
    } else {
        Some("audit_records_time")
    }
}

fn leads_by_rule(query: &Query) -> bool {
    query.rule.is_some() && query.id.is_none() && query.session.is_none()
}

fn rare(value: &Option<String>, usual: &str) -> bool {
    value.as_deref().is_some_and(|it| it != usual)
}

/// As databases count. What lies beyond their numbers lies beyond everything they hold.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
