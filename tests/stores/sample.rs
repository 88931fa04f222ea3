//! Made-up records, and chains of them.

use airiskguard_gateway::store::{Act, Columns, Entry, Exchange, Found, Link, Mark, Record, Row, Side, Subject};

/// The first of August 2026, Unix milliseconds.
pub const DAY: u64 = 1_785_542_400_000;

/// An ordinary exchange.
pub fn exchange() -> Exchange {
    Exchange {
        start_ms: DAY,
        end_ms: DAY + 900,
        team: "payments".into(),
        session: Some("session-1".into()),
        model: Some("claude-sonnet-4-5".into()),
        endpoint: "messages".into(),
        outcome: "forwarded".into(),
        action: "allow".into(),
        generation: "0f3c".into(),
        outbound: Side { action: "allow".into(), ..Side::default() },
        inbound: Side { action: "allow".into(), ..Side::default() },
        ..Exchange::default()
    }
}

/// One with findings of these rules, redacted.
pub fn exchange_with(rules: &[&str]) -> Exchange {
    let found = |rule: &&str| Found { rule: (*rule).into(), checker: "secrets".into(), count: 1, ..Found::default() };
    let findings = rules.iter().map(found).collect();
    let outbound = Side { action: "redact".into(), risk: Some("high".into()), findings, ..Side::default() };
    Exchange { action: "redact".into(), outbound, ..exchange() }
}

/// What an administrator did.
pub fn act() -> Subject {
    Subject::Act(Act { act: "gateway.started".into(), actor: "gateway".into(), ..Act::default() })
}

/// Entries of one gateway, one behind the other.
pub struct Chain {
    gateway: String,
    last: Link,
    sequence: u64,
}

impl Chain {
    pub fn new(gateway: &str) -> Chain {
        Chain { gateway: gateway.to_owned(), last: Link::FIRST, sequence: 0 }
    }

    /// The next one.
    pub fn next(&mut self, written_ms: u64, subject: Subject) -> Entry {
        self.sequence += 1;
        let record = Record {
            version: Record::VERSION,
            gateway: self.gateway.clone(),
            sequence: self.sequence,
            written_ms,
            id: format!("{}-{:06}", self.gateway, self.sequence),
            subject,
        };
        let body = serde_json::to_string(&record).unwrap();
        self.last = self.last.next(&body);
        Entry {
            gateway: record.gateway.into(),
            sequence: record.sequence,
            written_ms,
            hash: self.last,
            body: body.into(),
            sealed: None,
        }
    }

    /// An ordinary exchange.
    pub fn plain(&mut self, written_ms: u64) -> Entry {
        self.next(written_ms, Subject::Exchange(Box::new(exchange())))
    }

    /// So many ordinary ones, a second apart.
    pub fn plains(&mut self, count: u64) -> Vec<Entry> {
        (0..count).map(|index| self.plain(DAY + index * 1_000)).collect()
    }

    /// One with findings of these rules.
    pub fn found(&mut self, written_ms: u64, rules: &[&str]) -> Entry {
        self.next(written_ms, Subject::Exchange(Box::new(exchange_with(rules))))
    }
}

/// As a store should hold it.
pub fn row(entry: &Entry) -> Row {
    Row { entry: entry.clone(), columns: Columns::of(&entry.record().unwrap()) }
}

/// A mark over an entry; nobody checks the signature here.
pub fn mark(entry: &Entry) -> Mark {
    Mark {
        sequence: entry.sequence,
        hash: entry.hash.to_string(),
        signed_ms: entry.written_ms + 1,
        key: "aa".repeat(32),
        signature: "bb".repeat(64),
    }
}
