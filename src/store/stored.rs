//! Rows as a database gives them, read without believing that they are what the schema says.

use std::collections::HashMap;
use std::sync::Arc;

use super::entry::{Entry, Head, Link};
use super::query::{Columns, Row};
use super::record::Mark;
use super::{Damage, StoreError};

/// Names of gateways by their number.
pub(super) type Gateways = HashMap<i64, Arc<str>>;

/// One row of an answer. Errors say what is wrong with the value and never show it.
pub(super) trait Values {
    /// An integer; `None` for NULL.
    fn number(&self, index: usize) -> Result<Option<i64>, String>;
    /// Bytes; `None` for NULL.
    fn bytes(&self, index: usize) -> Result<Option<Vec<u8>>, String>;
    /// Text; `None` for NULL.
    fn text(&self, index: usize) -> Result<Option<String>, String>;
}

/// Gateways of which something is kept.
pub(super) const GATEWAYS: &str = "SELECT g.id, g.name FROM audit_gateways g \
                                   WHERE EXISTS (SELECT 1 FROM audit_records a WHERE a.gateway = g.id) \
                                   OR EXISTS (SELECT 1 FROM audit_marks m WHERE m.gateway = g.id)";

/// The mark of what was expired of a gateway's chain.
pub(super) const MARK: &str = "SELECT m.sequence, m.hash, m.signed_ms, m.key, m.signature FROM audit_marks m \
                               JOIN audit_gateways g ON g.id = m.gateway WHERE g.name = $1";

/// What a page of a chain is. Entries up to the mark are gone, also where their removal was interrupted.
pub(super) const PAGE: &str = "WHERE a.gateway = $1 AND a.sequence >= $2 \
                               AND a.sequence > coalesce((SELECT m.sequence FROM audit_marks m WHERE m.gateway = $1), -1) \
                               ORDER BY a.sequence LIMIT $3";

/// Whether the gateways of all these rows are among those that were read. Without one view of both, a gateway may have
/// written its first record in between.
pub(super) fn knows(gateways: &Gateways, rows: &[impl Values]) -> bool {
    rows.iter().all(|it| matches!(it.number(0), Ok(Some(number)) if gateways.contains_key(&number)))
}

/// A row of [`super::search::COLUMNS`], without its rules.
pub(super) fn row(values: &impl Values, gateways: &Gateways) -> Result<Row, StoreError> {
    let gateway = values.number(0).map_err(damaged)?.and_then(|it| gateways.get(&it)).cloned();
    let gateway = gateway.ok_or_else(|| damaged("a row belongs to no gateway".to_owned()))?;
    let sequence = unsigned(values, 1, "sequence").map_err(|what| at(&gateway, None, what))?;
    let entry = entry(values, gateway.clone(), sequence);
    let columns = columns(values);
    match (entry, columns) {
        (Ok(entry), Ok(columns)) => Ok(Row { entry, columns }),
        (Err(what), _) | (_, Err(what)) => Err(at(&gateway, Some(sequence), what)),
    }
}

fn entry(values: &impl Values, gateway: Arc<str>, sequence: u64) -> Result<Entry, String> {
    let written_ms = unsigned(values, 2, "written_ms")?;
    let hash = link(values, 3)?;
    let body = required(values, 4, "body")?.into();
    let sealed = values.bytes(5).map_err(|what| format!("sealed {what}"))?.map(Arc::from);
    Ok(Entry { gateway, sequence, written_ms, hash, body, sealed })
}

fn columns(values: &impl Values) -> Result<Columns, String> {
    let optional = |index, name| values.text(index).map_err(|what| format!("{name} {what}"));
    Ok(Columns {
        id: required(values, 6, "id")?,
        kind: required(values, 7, "kind")?,
        team: optional(8, "team")?,
        session: optional(9, "session")?,
        model: optional(10, "model")?,
        action: optional(11, "action")?,
        risk: optional(12, "risk")?,
        rules: Vec::new(),
    })
}

/// Sequence and hash, in this order.
pub(super) fn head(values: &impl Values, gateway: &str) -> Result<Head, StoreError> {
    let sequence = unsigned(values, 0, "sequence").map_err(|what| at(gateway, None, what))?;
    let hash = link(values, 1).map_err(|what| at(gateway, Some(sequence), what))?;
    Ok(Head { sequence, hash })
}

/// Sequence, hash, time of signing, key and signature, in this order.
pub(super) fn mark(values: &impl Values, gateway: &str) -> Result<Mark, StoreError> {
    let mark = || {
        Ok(Mark {
            sequence: unsigned(values, 0, "sequence")?,
            hash: required(values, 1, "hash")?,
            signed_ms: unsigned(values, 2, "signed_ms")?,
            key: required(values, 3, "key")?,
            signature: required(values, 4, "signature")?,
        })
    };
    mark().map_err(|what: String| at(gateway, None, format!("its mark: {what}")))
}

/// Number and name of a gateway, in this order.
pub(super) fn gateway(values: &impl Values) -> Result<(i64, Arc<str>), StoreError> {
    let id = values.number(0).map_err(damaged)?;
    let name = required(values, 1, "name").map_err(|what| damaged(format!("a gateway's {what}")))?;
    Ok((id.ok_or_else(|| damaged("a gateway has no number".to_owned()))?, name.into()))
}

/// A number that is there and not negative.
pub(super) fn unsigned(values: &impl Values, index: usize, name: &str) -> Result<u64, String> {
    let value = values.number(index).map_err(|what| format!("{name} {what}"))?;
    let value = value.ok_or_else(|| format!("{name} is missing"))?;
    u64::try_from(value).map_err(|_| format!("{name} is negative"))
}

/// Text that is there.
pub(super) fn required(values: &impl Values, index: usize, name: &str) -> Result<String, String> {
    values.text(index).map_err(|what| format!("{name} {what}"))?.ok_or_else(|| format!("{name} is missing"))
}

fn link(values: &impl Values, index: usize) -> Result<Link, String> {
    let bytes = values.bytes(index).map_err(|what| format!("hash {what}"))?;
    let bytes = bytes.ok_or_else(|| "hash is missing".to_owned())?;
    let length = bytes.len();
    bytes.try_into().map(Link::new).map_err(|_| format!("hash is {length} bytes long instead of 32"))
}

/// Damage at a row, or at a gateway as a whole.
pub(super) fn at(gateway: &str, sequence: Option<u64>, what: String) -> StoreError {
    match sequence {
        Some(sequence) => StoreError::Damaged(Damage { entry: Some((gateway.to_owned(), sequence)), what }),
        None => damaged(format!("gateway {gateway}: {what}")),
    }
}

pub(super) fn damaged(what: String) -> StoreError {
    StoreError::Damaged(what.into())
}
