//! Made-up records of gateways, as they stand in the store after they were shipped.

use airiskguard_gateway::store::{self, Act, Entry, Exchange, Found, Link, Record, Side, Subject, Tokens};

use crate::server::Server;

/// An ordinary exchange of this team.
pub fn exchange(team: &str) -> Exchange {
    Exchange {
        team: team.into(),
        session: Some(format!("{team}-session")),
        model: Some("claude-sonnet-4-6".into()),
        dialect: Some("anthropic".into()),
        endpoint: "messages".into(),
        outcome: "forwarded".into(),
        action: "allow".into(),
        generation: "0f3c".into(),
        outbound: Side { action: "allow".into(), ..Side::default() },
        inbound: Side { action: "allow".into(), ..Side::default() },
        tokens: Some(Tokens { input: 1_000, output: 100, ..Tokens::default() }),
        ..Exchange::default()
    }
}

/// One with a finding of this rule, and what was done about it.
pub fn found(team: &str, rule: &str, action: &str) -> Exchange {
    let finding = Found {
        rule: rule.into(),
        checker: "secrets".into(),
        label: "AWS_ACCESS_KEY".into(),
        risk: "critical".into(),
        source: "user".into(),
        place: "message 0, line 1 (messages[0].content)".into(),
        action: action.into(),
        count: 1,
        ..Found::default()
    };
    let outbound =
        Side { action: action.into(), risk: Some("critical".into()), findings: vec![finding], ..Side::default() };
    Exchange { action: action.into(), outbound, ..exchange(team) }
}

/// The same, made with this key.
pub fn with_key(exchange: Exchange, key: &str) -> Exchange {
    Exchange { key: Some(key.into()), ..exchange }
}

/// The records of one gateway.
pub struct Chain {
    gateway: String,
    last: Link,
    sequence: u64,
}

impl Chain {
    pub fn new(gateway: &str) -> Chain {
        Chain { gateway: gateway.into(), last: Link::FIRST, sequence: 0 }
    }

    /// The next record.
    pub fn next(&mut self, written_ms: u64, subject: Subject) -> Entry {
        self.sequence += 1;
        let id = format!("{}-{:06}", self.gateway, self.sequence);
        let (version, gateway, sequence) = (Record::VERSION, self.gateway.clone(), self.sequence);
        let record = Record { version, gateway, sequence, written_ms, id, subject };
        let body = serde_json::to_string(&record).unwrap();
        self.last = self.last.next(&body);
        let gateway = record.gateway.into();
        Entry { gateway, sequence, written_ms, hash: self.last, body: body.into(), sealed: None }
    }

    /// Writes exchanges into the server's store, a millisecond apart; their ids.
    pub async fn write(&mut self, server: &Server, written_ms: u64, exchanges: Vec<Exchange>) -> Vec<String> {
        let subjects = exchanges.into_iter().map(|it| Subject::Exchange(Box::new(it)));
        let entries: Vec<Entry> = subjects.enumerate().map(|(at, it)| self.next(written_ms + at as u64, it)).collect();
        append(server, &entries).await;
        entries.iter().map(|it| it.record().unwrap().id).collect()
    }

    /// Writes an act into the server's store.
    pub async fn act(&mut self, server: &Server, written_ms: u64, act: &str) {
        let act = Act { act: act.into(), actor: "gateway".into(), ..Act::default() };
        let entry = self.next(written_ms, Subject::Act(act));
        append(server, &[entry]).await;
    }
}

async fn append(server: &Server, entries: &[Entry]) {
    store::open(&server.target).await.unwrap().append(entries).await.unwrap();
}

/// Now, Unix milliseconds.
pub fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_millis() as u64
}
