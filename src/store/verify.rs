//! Whether a chain is what its gateway wrote: every field, every row, in order, to the end.

use std::fmt;

use super::entry::{Head, Link};
use super::query::{Columns, Row};
use super::record::{Mark, Subject};
use super::{Damage, Store, StoreError};

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The gateway.
    pub gateway: String,
    /// The entry, or the first entry, that is concerned.
    pub sequence: u64,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entry {}: {}", self.gateway, self.sequence, self.what)
    }
}

/// Faults named of one gateway; the rest is only counted.
pub const FAULTS_MAX: usize = 100;

/// Rows that are read together.
const ROWS_MAX: usize = 2_000;

/// Reads a gateway's chain in a store through; marks must be signed with `key`, where one is given.
///
/// # Errors
/// A store that does not answer. What it answers wrongly is told by the verifier.
pub async fn verify_stored(store: &dyn Store, gateway: &str, key: Option<String>) -> Result<Verifier, StoreError> {
    verify_stored_telling(store, gateway, key, |_| {}).await
}

/// The same; `told` hears after each page how many rows were read.
///
/// # Errors
/// As of [`verify_stored`].
pub async fn verify_stored_telling(
    store: &dyn Store,
    gateway: &str,
    key: Option<String>,
    told: impl Fn(u64) + Send + Sync,
) -> Result<Verifier, StoreError> {
    let (mark, unreadable) = match store.mark(gateway).await {
        Ok(mark) => (mark, None),
        Err(StoreError::Damaged(damage)) => (None, Some(damage.what)),
        Err(error) => return Err(error),
    };
    let mut verifier = Verifier::new(gateway, key, mark.as_ref());
    if let Some(what) = unreadable {
        verifier.fault(0, format!("the mark of what was expired cannot be read: {what}"));
    }
    let mut from = 0;
    loop {
        match store.read(gateway, from, ROWS_MAX).await {
            Ok(rows) => {
                rows.iter().for_each(|row| verifier.row(row));
                told(verifier.rows);
                match rows.last() {
                    Some(last) => from = last.entry.sequence + 1,
                    None => return Ok(verifier),
                }
            }
            Err(StoreError::Damaged(Damage { entry: Some((_, sequence)), what })) => {
                verifier.unreadable(sequence, &what);
                from = sequence + 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Verifies one gateway's chain, row by row.
pub struct Verifier {
    gateway: String,
    /// The key that marks must be signed with; the first one seen where none is given.
    key: Option<String>,
    /// The entry before the next; `None` before the first.
    last: Option<Head>,
    written_ms: u64,
    /// The chain is broken here: the next link cannot be told.
    broken: bool,
    /// Whether sealed texts are there to be compared.
    texts: bool,
    checkpoints: u64,
    rows: u64,
    faults: Vec<Fault>,
    faults_omitted: u64,
}

/// What a verification came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Rows that were read.
    pub rows: u64,
    /// Signed checkpoints among them.
    pub checkpoints: u64,
    /// The last entry.
    pub head: Option<Head>,
    /// The key of the marks, hex.
    pub key: Option<String>,
    /// What is wrong, in order, at most [`FAULTS_MAX`].
    pub faults: Vec<Fault>,
    /// What is wrong beyond these.
    pub faults_omitted: u64,
}

impl Verifier {
    /// For a gateway whose marks are signed with `key` (hex). `mark` is what the store kept when it expired the entries
    /// before its first.
    pub fn new(gateway: &str, key: Option<String>, mark: Option<&Mark>) -> Verifier {
        let mut verifier = Verifier {
            gateway: gateway.to_owned(),
            key,
            last: None,
            written_ms: 0,
            broken: false,
            texts: true,
            checkpoints: 0,
            rows: 0,
            faults: Vec::new(),
            faults_omitted: 0,
        };
        match mark {
            None => verifier.last = Some(Head { sequence: 0, hash: Link::FIRST }),
            Some(mark) => {
                verifier.signed(mark.sequence, mark, "the mark of what was expired");
                verifier.last = mark.hash.parse().ok().map(|hash| Head { sequence: mark.sequence, hash });
            }
        }
        verifier
    }

    /// The rows begin behind this entry: an export of a stretch.
    pub fn begin_behind(&mut self, head: Head) {
        self.last = Some(head);
    }

    /// The rows come without their sealed texts.
    pub fn without_texts(&mut self) {
        self.texts = false;
    }

    /// The next row.
    pub fn row(&mut self, row: &Row) {
        let entry = &row.entry;
        self.rows += 1;
        let expected = self.last.map_or(entry.sequence, |it| it.sequence + 1);
        if entry.sequence > expected {
            let last = entry.sequence - 1;
            self.fault(
                expected,
                match expected == last {
                    true => "is missing".to_owned(),
                    false => format!("is missing, and all up to {last}"),
                },
            );
            self.broken = true;
        } else if entry.sequence < expected {
            self.fault(entry.sequence, "stands out of its order, or twice".to_owned());
            return;
        }
        let previous = self.last.map(|it| it.hash);
        let linked = previous.is_some_and(|it| it.next(&entry.body) == entry.hash);
        if !self.broken && !linked {
            self.fault(entry.sequence, "its text or its hash was changed, or the hash before it".to_owned());
        }
        self.broken = false;
        self.fields(row);
        self.last = Some(entry.head());
    }

    /// A row that the store could not read.
    pub fn unreadable(&mut self, sequence: u64, what: &str) {
        self.rows += 1;
        self.fault(sequence, format!("cannot be read: {what}"));
        self.broken = true;
        self.last = Some(Head { sequence, hash: Link::FIRST });
    }

    /// The end, as it is known from elsewhere: the gateway's own folder, an earlier export, an administrator's note.
    pub fn end(&mut self, known: Head, from: &str) {
        let last = self.last.unwrap_or(Head { sequence: 0, hash: Link::FIRST });
        if last.sequence < known.sequence {
            let what = format!("is missing, and all behind it: {from} knows {} entries", known.sequence);
            self.fault(last.sequence + 1, what);
        } else if last.sequence == known.sequence && last.hash != known.hash {
            self.fault(last.sequence, format!("its hash is not the one that {from} knows"));
        }
    }

    /// What came of it.
    pub fn verdict(self) -> Verdict {
        Verdict {
            rows: self.rows,
            checkpoints: self.checkpoints,
            head: self.last,
            key: self.key,
            faults: self.faults,
            faults_omitted: self.faults_omitted,
        }
    }

    /// What is stored beside the text must follow from it.
    fn fields(&mut self, row: &Row) {
        let entry = &row.entry;
        let sequence = entry.sequence;
        let Ok(record) = entry.record() else {
            return self.fault(sequence, "its text is no record".to_owned());
        };
        let columns = Columns::of(&record);
        let named = [
            ("gateway", *record.gateway == *self.gateway && *entry.gateway == *self.gateway),
            ("sequence", record.sequence == sequence),
            ("written_ms", record.written_ms == entry.written_ms),
            ("id", columns.id == row.columns.id),
            ("kind", columns.kind == row.columns.kind),
            ("team", columns.team == row.columns.team),
            ("session", columns.session == row.columns.session),
            ("model", columns.model == row.columns.model),
            ("action", columns.action == row.columns.action),
            ("risk", columns.risk == row.columns.risk),
            ("rules", columns.rules == row.columns.rules),
        ];
        for (name, _) in named.into_iter().filter(|(_, same)| !same) {
            self.fault(sequence, format!("the column {name} is not what its text says"));
        }
        if entry.written_ms < self.written_ms {
            self.fault(sequence, "was written before the entry that it follows".to_owned());
        }
        self.written_ms = self.written_ms.max(entry.written_ms);
        if self.texts {
            self.sealed(row, &record.subject);
        }
        if let Subject::Checkpoint(mark) = &record.subject {
            self.checkpoints += 1;
            self.signed(sequence, mark, "the checkpoint");
            let before = self.last.filter(|it| it.sequence + 1 == sequence && it.hash != Link::FIRST);
            if before.is_some_and(|it| mark.sequence != it.sequence || mark.hash != it.hash.to_string()) {
                self.fault(sequence, "the checkpoint signs another entry than the one before it".to_owned());
            }
        }
    }

    fn sealed(&mut self, row: &Row, subject: &Subject) {
        use sha2::Digest;
        let Subject::Exchange(exchange) = subject else { return };
        let digest = row.entry.sealed.as_deref().map(|it| super::directory::hex(&sha2::Sha256::digest(it)));
        if digest != exchange.sealed {
            self.fault(row.entry.sequence, "its sealed text is not the one that was recorded".to_owned());
        }
    }

    fn signed(&mut self, sequence: u64, mark: &Mark, name: &str) {
        if !mark.holds(&self.gateway) {
            return self.fault(sequence, format!("{name} is not signed with the key it names"));
        }
        let key = self.key.get_or_insert_with(|| mark.key.clone());
        if *key != mark.key {
            let what = format!("{name} is signed with another key than {key}");
            self.fault(sequence, what);
        }
    }

    fn fault(&mut self, sequence: u64, what: String) {
        if self.faults.len() == FAULTS_MAX {
            self.faults_omitted += 1;
            return;
        }
        self.faults.push(Fault { gateway: self.gateway.clone(), sequence, what });
    }
}
