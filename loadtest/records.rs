//! Made-up records in the proportions of real ones, the same every time.

use airiskguard_gateway::store::{Entry, Exchange, Found, Link, Record, Side, Subject, Tokens};

/// The first moment, Unix milliseconds: the 10th of July 2026, so that thirty days touch two months.
pub const START_MS: u64 = 1_783_641_600_000;
/// Thirty days.
pub const SPAN_MS: u64 = 30 * 86_400_000;
pub const TEAMS: u64 = 30;
pub const RULES: u64 = 900;
const GATEWAYS: u64 = 3;
/// Sessions that go on at the same time.
const ACTIVE: u64 = 400;
const MODELS: [&str; 5] = ["claude-sonnet-4-5", "claude-opus-4-5", "claude-haiku-4-5", "gpt-5", "gpt-5-codex"];

/// 200,000 in ten million records, fewer in fewer.
pub fn sessions(rows: u64) -> u64 {
    (rows / 50).max(1)
}

pub fn team(number: u64) -> String {
    format!("team-{number:02}")
}

pub fn session(number: u64) -> String {
    format!("{:08x}-5e55-4000-8000-{number:012x}", number.wrapping_mul(2_654_435_761) as u32)
}

pub fn rule(number: u64) -> String {
    format!("{}.{}.rule_{number:03}", ["secrets", "compliance", "agent", "vuln"][number as usize % 4], "family")
}

pub fn id(number: u64) -> String {
    format!("{:012x}-7{:03x}-8000-000000000000", START_MS + number, number % 4096)
}

/// A small generator of numbers (splitmix64): the same seed gives the same records.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    pub fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    /// Small numbers often, large ones seldom: the chance of `n` is about one in `n`.
    pub fn zipf(&mut self, count: u64) -> u64 {
        let part = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        ((part * (count as f64 + 1.0).ln()).exp() as u64 - 1).min(count - 1)
    }
}

/// Makes the records of all gateways, in the order of time.
pub struct Maker {
    random: Random,
    rows: u64,
    made: u64,
    chains: [(u64, Link); GATEWAYS as usize],
}

impl Maker {
    pub fn new(rows: u64) -> Maker {
        Maker { random: Random::new(1), rows, made: 0, chains: [(0, Link::FIRST); GATEWAYS as usize] }
    }

    /// The next ones, fewer at the end.
    pub fn batch(&mut self, count: u64) -> Vec<Entry> {
        let count = count.min(self.rows - self.made);
        (0..count).map(|_| self.entry()).collect()
    }

    fn entry(&mut self) -> Entry {
        let number = self.made;
        self.made += 1;
        let chain = self.random.below(GATEWAYS) as usize;
        let written_ms = START_MS + (u128::from(number) * u128::from(SPAN_MS) / u128::from(self.rows)) as u64;
        let subject = Subject::Exchange(Box::new(self.exchange(number, written_ms)));
        let (sequence, last) = &mut self.chains[chain];
        *sequence += 1;
        let gateway = format!("edge-{}", chain + 1);
        let record =
            Record { version: Record::VERSION, gateway, sequence: *sequence, written_ms, id: id(number), subject };
        let body = serde_json::to_string(&record).expect("a record");
        *last = last.next(&body);
        Entry {
            gateway: record.gateway.into(),
            sequence: *sequence,
            written_ms,
            hash: *last,
            body: body.into(),
            sealed: None,
        }
    }

    fn exchange(&mut self, number: u64, written_ms: u64) -> Exchange {
        let random = &mut self.random;
        let sessions = sessions(self.rows);
        // Sessions begin one after the other, and some hundred go on at the same time.
        let begun = number * sessions / self.rows;
        let session_number = (begun + random.below(ACTIVE)) % sessions;
        let model = MODELS[random.below(MODELS.len() as u64) as usize];
        let found = if random.below(3) == 0 { 1 + random.below(3) } else { 0 };
        let findings: Vec<Found> = (0..found).map(|_| finding(random)).collect();
        let (action, risk) = match (found, random.below(20)) {
            (0, _) => ("allow", None),
            (_, 0) => ("block", Some("critical")),
            (_, 1..8) => ("redact", Some("high")),
            _ => ("flag", Some("medium")),
        };
        let side = |action: &str, seed: u64| Side {
            action: action.into(),
            digest: Some(format!("{:016x}", seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(4)),
            scanned_bytes: 40_000 + seed % 60_000,
            ..Side::default()
        };
        Exchange {
            start_ms: written_ms - 4_000,
            end_ms: written_ms,
            team: team(session_number % TEAMS),
            key: Some(format!("{:08x}", session_number % 977)),
            session: Some(session(session_number)),
            client: Some(format!("10.4.{}.{}", session_number % 200, session_number % 251)),
            agent: Some("claude-cli/2.0.14 (external, cli)".into()),
            upstream: Some("anthropic".into()),
            dialect: Some("anthropic".into()),
            endpoint: "messages".into(),
            model: Some(model.into()),
            model_answered: Some(model.into()),
            streamed: true,
            outcome: if action == "block" { "refused" } else { "forwarded" }.into(),
            action: action.into(),
            generation: "5b0c9f1e22d4a7c3".into(),
            outbound: Side { risk: risk.map(Into::into), findings, ..side(action, number) },
            inbound: side("allow", number + 1),
            request_bytes: 80_000 + number % 90_000,
            response_bytes: 4_000 + number % 9_000,
            tokens: Some(Tokens { input: 21_000, output: 640, cache_read: 18_000, cache_write: 900 }),
            upstream_status: Some(200),
            gateway_us: 900 + number % 700,
            upstream_ms: Some(3_000 + number % 5_000),
            first_byte_ms: Some(700),
            ..Exchange::default()
        }
    }
}

fn finding(random: &mut Random) -> Found {
    Found {
        rule: rule(random.zipf(RULES)),
        checker: "secrets".into(),
        label: "MADE_UP_VALUE".into(),
        risk: "high".into(),
        score: 0.85,
        source: "tool_result".into(),
        place: "message 12, line 40 (messages[12].content[0].content)".into(),
        action: "redact".into(),
        value: Some(format!("{:016x}", random.next())),
        count: 1 + random.below(4),
        ..Found::default()
    }
}
