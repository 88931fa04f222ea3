//! IBM Log Event Extended Format 2.0, attributes divided by `^`: relays of syslog rewrite tabs.

use std::fmt::Write;

use super::super::mapping::FACTS;
use super::super::view::{Datum, View};
use super::{PRODUCT, VENDOR, VERSION, timestamp};

pub(super) fn encode(view: &View<'_>) -> String {
    let mut event = String::new();
    let mut attributes = String::new();
    for fact in FACTS {
        match (fact.leef, (fact.value)(view)) {
            (_, None) => {}
            ("EventID", Some(Datum::Text(text))) => event = header(&text),
            (key, Some(datum)) => pair(&mut attributes, key, &datum),
        }
    }
    // QRadar reads `devTime` by this pattern.
    pair(&mut attributes, "devTimeFormat", &Datum::Text("yyyy-MM-dd'T'HH:mm:ss.SSSZ".to_owned()));
    format!("LEEF:2.0|{VENDOR}|{PRODUCT}|{VERSION}|{event}|^|{attributes}")
}

fn pair(out: &mut String, key: &str, datum: &Datum) {
    if !out.is_empty() {
        out.push('^');
    }
    // Writing to a String cannot fail.
    let _ = write!(out, "{key}=");
    match datum {
        Datum::Text(text) => value(out, text),
        Datum::List(items) => value(out, &items.join(", ")),
        Datum::Count(number) => drop(write!(out, "{number}")),
        Datum::Time(number) => drop(write!(out, "{}+0000", timestamp(*number).trim_end_matches('Z'))),
        Datum::Score(number) => drop(write!(out, "{number}")),
        Datum::Severity(level) => drop(write!(out, "{}", level.of_ten())),
    }
}

/// The header knows no escape: its divider and line breaks become other signs.
fn header(text: &str) -> String {
    let clean = |it| match it {
        '|' => '/',
        '\n' | '\r' => ' ',
        it => it,
    };
    text.chars().map(clean).collect()
}

/// `=` needs no escape: a key ends at the first one. The divider has none and becomes a letter that looks like it.
fn value(out: &mut String, text: &str) {
    for it in text.chars() {
        match it {
            '\\' => out.push_str("\\\\"),
            '^' => out.push('ˆ'),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            it => out.push(it),
        }
    }
}
