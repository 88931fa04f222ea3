//! ArcSight Common Event Format, version 0.

use std::fmt::Write;

use super::super::mapping::FACTS;
use super::super::view::{Datum, View};
use super::{PRODUCT, VENDOR, VERSION};

pub(super) fn encode(view: &View<'_>) -> String {
    let (mut class, mut name, mut severity) = (String::new(), String::new(), 0);
    let mut extension = String::new();
    for fact in FACTS {
        let Some(datum) = (fact.value)(view) else { continue };
        match (fact.cef, datum) {
            ("Device Event Class ID", Datum::Text(text)) => class = text,
            ("Name", Datum::Text(text)) => name = text,
            ("Severity", Datum::Severity(level)) => severity = level.of_ten(),
            (key, datum) => pair(&mut extension, key, &datum),
        }
    }
    let [class, name] = [class, name].map(|it| header(&it));
    format!("CEF:0|{VENDOR}|{PRODUCT}|{VERSION}|{class}|{name}|{severity}|{extension}")
}

/// `key=value`, and for a custom field `key=value keyLabel=label`.
fn pair(out: &mut String, key: &str, datum: &Datum) {
    let (key, label) = key.split_once('=').map_or((key, None), |(key, label)| (key, Some(label)));
    if !out.is_empty() {
        out.push(' ');
    }
    // Writing to a String cannot fail.
    let _ = write!(out, "{key}=");
    match datum {
        Datum::Text(text) => value(out, text),
        Datum::List(items) => value(out, &items.join(", ")),
        Datum::Count(number) | Datum::Time(number) => drop(write!(out, "{number}")),
        Datum::Score(number) => drop(write!(out, "{number}")),
        Datum::Severity(level) => drop(write!(out, "{}", level.of_ten())),
    }
    if let Some(label) = label {
        let _ = write!(out, " {key}Label={label}");
    }
}

/// The header has no way to write a line break.
fn header(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '|' => out.push_str("\\|"),
            '\\' => out.push_str("\\\\"),
            '\n' | '\r' => out.push(' '),
            it => out.push(it),
        }
    }
    out
}

fn value(out: &mut String, text: &str) {
    for it in text.chars() {
        match it {
            '=' => out.push_str("\\="),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            it => out.push(it),
        }
    }
}
