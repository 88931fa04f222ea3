//! One entry as encoders look at it: the record, the finding that weighs most, a severity, and text that is safe to show.

use crate::domain::{Action, Risk};
use crate::store::{Act, Entry, Exchange, Found, Record, Subject};

/// How much of an entry is told. Where the whole does not fit, the brief form does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Detail {
    /// Most items of one list.
    pub(super) items_max: usize,
    /// Most characters of one text.
    pub(super) chars_max: usize,
}

impl Detail {
    /// The usual form.
    pub(super) const FULL: Detail = Detail { items_max: 50, chars_max: 1024 };
    /// For receivers that take little at a time.
    pub(super) const BRIEF: Detail = Detail { items_max: 3, chars_max: 96 };
}

/// How bad a record is, on the one scale that all formats derive theirs from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// What happens all day.
    Informational,
    /// Worth knowing.
    Low,
    /// Worth a look.
    Medium,
    /// Worth a look now.
    High,
    /// A live key or an exploitable line.
    Critical,
}

impl Level {
    /// Every level, lowest first.
    #[cfg(test)]
    pub(super) const ALL: [Level; 5] = [Level::Informational, Level::Low, Level::Medium, Level::High, Level::Critical];

    /// The lower-case name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Level::Informational => "informational",
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        }
    }

    /// 1 to 10, as CEF, LEEF and ECS have it.
    pub(super) fn of_ten(self) -> u64 {
        match self {
            Level::Informational => 1,
            Level::Low => 3,
            Level::Medium => 5,
            Level::High => 8,
            Level::Critical => 10,
        }
    }

    /// `severity_id` of OCSF.
    pub(super) fn ocsf(self) -> u64 {
        self as u64 + 1
    }

    /// `severityNumber` of OpenTelemetry.
    pub(super) fn otel(self) -> u64 {
        match self {
            Level::Informational => 9,
            Level::Low => 10,
            Level::Medium => 13,
            Level::High => 17,
            Level::Critical => 21,
        }
    }

    /// Severity of RFC 5424: 6 is informational, 2 is critical.
    pub(super) fn syslog(self) -> u8 {
        6 - self as u8
    }
}

/// A value of a fact.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Datum {
    /// Text without control characters other than line breaks.
    Text(String),
    /// A number.
    Count(u64),
    /// A number with a fraction.
    Score(f64),
    /// Unix milliseconds.
    Time(u64),
    /// Several texts, most telling first.
    List(Vec<String>),
    /// How bad it is.
    Severity(Level),
}

/// One entry, looked at.
pub(super) struct View<'a> {
    pub(super) entry: &'a Entry,
    pub(super) record: &'a Record,
    pub(super) detail: Detail,
    /// The finding that weighs most, and its direction.
    worst: Option<(&'a Found, &'static str)>,
}

impl<'a> View<'a> {
    pub(super) fn new(entry: &'a Entry, record: &'a Record, detail: Detail) -> Self {
        let worst = exchange(record).and_then(|it| {
            let weight = |found: &Found| (found.exception.is_none(), risk(found), (found.score * 1000.0) as u32);
            // `max_by_key` returns the last of equals, but the first was found first.
            directed(it).rev().max_by_key(|(found, _)| weight(found))
        });
        View { entry, record, detail, worst }
    }

    /// The exchange, of exchanges and of decisions.
    pub(super) fn exchange(&self) -> Option<&'a Exchange> {
        exchange(self.record)
    }

    pub(super) fn act(&self) -> Option<&'a Act> {
        match &self.record.subject {
            Subject::Act(act) => Some(act),
            _ => None,
        }
    }

    pub(super) fn worst(&self) -> Option<&'a Found> {
        self.worst.map(|(found, _)| found)
    }

    /// `outbound` or `inbound`: where the worst finding stood, else what was decided about most severely.
    pub(super) fn direction(&self) -> Option<&'static str> {
        let decided = |it: &Exchange| match it.inbound.action == it.action && it.outbound.action != it.action {
            true => "inbound",
            false => "outbound",
        };
        self.worst.map(|(_, direction)| direction).or(self.exchange().map(decided))
    }

    /// Whether the exchange was stopped, changed or marked: what an analyst is shown.
    pub(super) fn is_finding(&self) -> bool {
        matches!(&self.record.subject, Subject::Exchange(it) if marked(it))
    }

    /// Whether a receiver of findings alone wants it: what was found, what was done about it, and acts.
    pub(super) fn concerns(&self) -> bool {
        match &self.record.subject {
            Subject::Exchange(it) => marked(it) || self.worst.is_some(),
            Subject::Act(_) => true,
            Subject::Decision(_) | Subject::Checkpoint(_) => false,
        }
    }

    pub(super) fn level(&self) -> Level {
        match &self.record.subject {
            Subject::Exchange(it) | Subject::Decision(it) if marked(it) => match it.risk() {
                None | Some(Risk::Medium) => Level::Medium,
                Some(Risk::Low) => Level::Low,
                Some(Risk::High) => Level::High,
                Some(Risk::Critical) => Level::Critical,
            },
            Subject::Exchange(it) | Subject::Decision(it) => {
                let odd = self.worst.is_some() || matches!(it.outcome.as_str(), "refused" | "stopped");
                if odd { Level::Low } else { Level::Informational }
            }
            Subject::Act(it) if it.act == "audit.lost" => Level::High,
            Subject::Act(it) if it.act.ends_with("failed") => Level::Medium,
            Subject::Act(_) | Subject::Checkpoint(_) => Level::Informational,
        }
    }

    /// `exchange.block`, `decision.allow`, the name of the act, `checkpoint`.
    pub(super) fn event(&self) -> String {
        match &self.record.subject {
            Subject::Exchange(it) | Subject::Decision(it) => {
                format!("{}.{}", self.record.subject.kind(), self.shown(&it.action))
            }
            Subject::Act(it) => self.shown(&it.act),
            Subject::Checkpoint(_) => "checkpoint".to_owned(),
        }
    }

    /// What happened, for people.
    pub(super) fn title(&self) -> String {
        match &self.record.subject {
            Subject::Exchange(it) => match (it.action.as_str(), it.outcome.as_str()) {
                ("block", _) => "AI exchange blocked".to_owned(),
                ("redact", _) => "AI exchange redacted".to_owned(),
                ("review", _) => "AI exchange marked for review".to_owned(),
                ("flag", _) => "AI exchange flagged".to_owned(),
                (_, "refused") => "AI exchange refused".to_owned(),
                (_, "upstream_failed") => "AI provider failed".to_owned(),
                _ if self.worst.is_some() => "AI exchange with findings".to_owned(),
                _ => "AI exchange".to_owned(),
            },
            Subject::Decision(_) => "Decision over an AI prompt".to_owned(),
            Subject::Act(it) => format!("Gateway: {}", self.shown(&it.act)),
            Subject::Checkpoint(_) => "Audit log signed".to_owned(),
        }
    }

    /// How many findings there are, each counted.
    pub(super) fn findings(&self) -> Option<u64> {
        let it = self.exchange()?;
        let named: u64 = directed(it).fold(0, |sum, (found, _)| sum.saturating_add(found.count));
        Some(named.saturating_add(it.outbound.findings_omitted).saturating_add(it.inbound.findings_omitted))
    }

    /// Something of every finding, each once, that of the worst finding first.
    pub(super) fn of_findings(&self, part: impl Fn(&'a Found) -> Option<&'a str>) -> Option<Datum> {
        let all = self.exchange().into_iter().flat_map(directed).map(|(found, _)| found);
        self.list(self.worst().into_iter().chain(all).filter_map(part))
    }

    /// Texts, each once, as many as the detail allows; nothing for none.
    pub(super) fn list<'t>(&self, texts: impl Iterator<Item = &'t str>) -> Option<Datum> {
        let mut items: Vec<String> = Vec::new();
        for text in texts {
            let text = self.shown(text);
            if items.len() < self.detail.items_max && !items.contains(&text) {
                items.push(text);
            }
        }
        (!items.is_empty()).then_some(Datum::List(items))
    }

    /// A text as it may be shown; nothing for an empty one.
    pub(super) fn text(&self, text: &str) -> Option<Datum> {
        (!text.is_empty()).then(|| Datum::Text(self.shown(text)))
    }

    /// Cut to the length of the detail. What could move the cursor, change the direction of reading or hide is replaced.
    fn shown(&self, text: &str) -> String {
        let mut shown: String = text.chars().take(self.detail.chars_max).map(visible).collect();
        if text.chars().nth(self.detail.chars_max).is_some() {
            shown.push('…');
        }
        shown
    }
}

fn exchange(record: &Record) -> Option<&Exchange> {
    match &record.subject {
        Subject::Exchange(it) | Subject::Decision(it) => Some(it),
        Subject::Act(_) | Subject::Checkpoint(_) => None,
    }
}

/// Findings of both directions with the name of theirs.
fn directed(it: &Exchange) -> impl DoubleEndedIterator<Item = (&Found, &'static str)> {
    let outbound = it.outbound.findings.iter().map(|found| (found, "outbound"));
    outbound.chain(it.inbound.findings.iter().map(|found| (found, "inbound")))
}

fn risk(found: &Found) -> Option<Risk> {
    found.risk.parse().ok()
}

fn marked(it: &Exchange) -> bool {
    [Action::Block, Action::Redact, Action::Review, Action::Flag].iter().any(|action| action.name() == it.action)
}

/// Line breaks stay: each format has a way of its own to write them.
fn visible(it: char) -> char {
    let invisible = matches!(it, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    match it {
        '\n' | '\r' => it,
        '\t' => ' ',
        it if it.is_control() || invisible => char::REPLACEMENT_CHARACTER,
        it => it,
    }
}
