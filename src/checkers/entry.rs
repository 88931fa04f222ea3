//! A rule as its YAML states it: read, checked and turned into what the engine wants.

use std::collections::HashSet;
use std::str::FromStr;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, Look};
use serde::Deserialize;

use super::error::{LoadError, Reason};
use crate::domain::{Checker, Direction, Risk, RuleInfo, Score, Source, Sources};
use crate::scan::{Confirm, Language, Languages, Lead, Pattern, RuleSpec, Trigger};

/// Longest match of a pattern, bytes: the engine's window.
const PATTERN_BYTES_MAX: usize = 4096;
/// Longest run before a keyword, bytes.
const LEAD_BYTES_MAX: usize = 256;
/// Longest region, bytes.
const REGION_BYTES_MAX: usize = 1 << 20;
/// Shortest and longest digit run that may trigger a rule.
const DIGITS: std::ops::RangeInclusive<usize> = 6..=64;
/// Stands for any digit in a keyword, so many times at most.
const DIGIT_MARK: &str = "{d}";
const DIGIT_MARKS_MAX: usize = 2;
/// Stands inside sample keys, so that they are whole nowhere in a file; taken out when the file is read.
const CUT: char = '¦';

/// A rule with the examples that prove it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The rule.
    pub rule: RuleSpec,
    /// The file it stands in, as the caller named it; a path within `src/checkers/` for the built-in catalogue.
    pub origin: String,
    /// Texts in which it must find something.
    pub hits: Vec<String>,
    /// Texts in which it must find nothing.
    pub misses: Vec<String>,
}

/// Reads a rule file: a YAML list of rules. `origin` names the file in errors.
///
/// # Errors
/// The first mistake: unknown or missing keys, names that do not exist, regexes that are invalid or unbounded.
pub fn parse(text: &str, origin: &str) -> Result<Vec<Entry>, LoadError> {
    let written: Vec<Written> = serde_yaml::from_str(text).map_err(|error| LoadError {
        origin: origin.to_owned(),
        line: error.location().map_or(1, |place| place.line()),
        id: None,
        reason: Reason::Yaml(error.to_string()),
    })?;
    let mut seen = HashSet::new();
    let mut entries = Vec::with_capacity(written.len());
    for rule in written {
        let id = rule.id.clone();
        let fresh = seen.insert(id.clone());
        let entry = if fresh { rule.check(origin) } else { Err(Reason::Duplicate) };
        entries.push(entry.map_err(|reason| LoadError {
            origin: origin.to_owned(),
            line: line_of(text, &id, !fresh),
            id: Some(id),
            reason,
        })?);
    }
    Ok(entries)
}

/// The line of a rule's `id` key, the last one if `last`.
pub(super) fn line_of(text: &str, id: &str, last: bool) -> usize {
    let names_it = |line: &str| {
        let line = line.trim_start_matches(['-', ' ']);
        line.strip_prefix("id:").is_some_and(|value| value.trim().trim_matches(['"', '\'']) == id)
    };
    let mut lines = text.lines().enumerate().filter(|(_, line)| names_it(line)).map(|(index, _)| index + 1);
    if last { lines.last().unwrap_or(1) } else { lines.next().unwrap_or(1) }
}

/// The keys of a rule, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    title: String,
    risk: String,
    score: f64,
    r#type: String,
    pattern: Option<String>,
    assigned: Option<String>,
    region: Option<WrittenRegion>,
    keywords: Option<Vec<String>>,
    digits: Option<usize>,
    lead: Option<WrittenLead>,
    sources: Option<Vec<String>>,
    #[serde(default)]
    directions: Vec<String>,
    action: Option<String>,
    redact: Option<bool>,
    unless: Option<String>,
    #[serde(default)]
    confirm: Vec<String>,
    place: Option<String>,
    #[serde(default)]
    languages: Vec<String>,
    why: String,
    advice: Option<String>,
    cwe: Option<u32>,
    hits: Vec<String>,
    misses: Vec<String>,
}

/// `region`: from a line that begins it to a literal that ends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRegion {
    begin: String,
    end: String,
    body: String,
    length_max: usize,
    #[serde(default)]
    prefixed_lines: bool,
}

/// `lead`: the run before a keyword.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLead {
    class: String,
    length_max: usize,
}

impl Written {
    fn check(self, origin: &str) -> Result<Entry, Reason> {
        let info = self.info()?;
        let trigger = self.trigger()?;
        let places = self.places()?;
        let lead = self.lead.map(WrittenLead::check).transpose()?;
        if let Some(unless) = &self.unless {
            regex("unless", unless)?;
        }
        let pattern = match (self.pattern, self.assigned, self.region) {
            (Some(pattern), None, None) => bounded("pattern", pattern).map(Pattern::Regex)?,
            (None, Some(value), None) => bounded("assigned", value).map(Pattern::Assigned)?,
            (None, None, Some(_)) if self.unless.is_some() || !self.confirm.is_empty() || !places.is_empty() => {
                return Err(Reason::RegionChecks);
            }
            (None, None, Some(region)) => region.check()?,
            _ => return Err(Reason::OnePattern),
        };
        let named_checks = self.confirm.iter().map(|name| named("confirm", name, Confirm::NAMES));
        let mut confirm: Vec<Confirm> = named_checks.collect::<Result<_, _>>()?;
        confirm.extend(places);
        Ok(Entry {
            rule: RuleSpec { info, trigger, lead, pattern, unless: self.unless, confirm },
            origin: origin.to_owned(),
            hits: self.hits.into_iter().map(uncut).collect(),
            misses: self.misses.into_iter().map(uncut).collect(),
        })
    }

    fn info(&self) -> Result<RuleInfo, Reason> {
        let checker = checker_of(&self.id)?;
        if self.r#type.is_empty()
            || !self.r#type.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_')
        {
            return Err(Reason::Label(self.r#type.clone()));
        }
        let all_sources = Source::ALL.map(Source::name);
        let sources = match &self.sources {
            None => Sources::ALL,
            Some(names) => {
                names.iter().map(|name| named::<Source>("sources", name, &all_sources)).collect::<Result<_, _>>()?
            }
        };
        let directions = self.directions.iter().map(|name| named("directions", name, &["outbound", "inbound"]));
        let flag_only = match self.action.as_deref() {
            None | Some("block") => false,
            Some("flag") => true,
            Some(other) => return Err(unknown("action", other, &["block", "flag"])),
        };
        Ok(RuleInfo {
            id: self.id.clone(),
            title: self.title.clone(),
            label: self.r#type.clone(),
            risk: named("risk", &self.risk, &Risk::ALL.map(Risk::name))?,
            score: Score::new(self.score).ok_or(Reason::Score)?,
            why: self.why.clone(),
            advice: self.advice.clone(),
            cwe: self.cwe,
            sources,
            directions: directions.collect::<Result<Vec<Direction>, _>>()?,
            redactable: self.redact.unwrap_or(matches!(checker, "secrets" | "compliance" | "pii")),
            flag_only,
            checker: Checker::new(checker),
        })
    }

    /// Where matches count. What is vulnerable is code, and nothing else; other rules hold anywhere.
    fn places(&self) -> Result<Vec<Confirm>, Reason> {
        let by_default = if checker_of(&self.id)? == "vuln" { "code" } else { "anywhere" };
        let mut places = match self.place.as_deref().unwrap_or(by_default) {
            "anywhere" => Vec::new(),
            "code" => vec![Confirm::Code],
            "quoted" => vec![Confirm::Quoted],
            other => return Err(unknown("place", other, &["anywhere", "code", "quoted"])),
        };
        if !self.languages.is_empty() {
            let expected: Vec<&str> = Language::names().collect();
            let languages = self.languages.iter().map(|name| named::<Language>("languages", name, &expected));
            places.push(Confirm::Languages(languages.collect::<Result<Languages, _>>()?));
        }
        Ok(places)
    }

    fn trigger(&self) -> Result<Trigger, Reason> {
        let bytes_min = if self.lead.is_some() { 1 } else { 2 };
        match (&self.keywords, self.digits) {
            (Some(words), None) if !words.is_empty() => match words.iter().find(|word| word.len() < bytes_min) {
                Some(short) => Err(Reason::Keyword(short.clone())),
                None => Ok(Trigger::Keywords(words.iter().flat_map(|word| spelled_out(word)).collect())),
            },
            (None, Some(count)) if DIGITS.contains(&count) => Ok(Trigger::Digits(count)),
            (None, Some(count)) => Err(Reason::Digits(count)),
            _ => Err(Reason::OneTrigger),
        }
    }
}

impl WrittenLead {
    fn check(self) -> Result<Lead, Reason> {
        limit("lead.length_max", self.length_max, LEAD_BYTES_MAX)?;
        one_byte("lead.class", &self.class)?;
        Ok(Lead { class: self.class, length_max: self.length_max })
    }
}

impl WrittenRegion {
    fn check(self) -> Result<Pattern, Reason> {
        limit("region.length_max", self.length_max, REGION_BYTES_MAX)?;
        one_byte("region.body", &self.body)?;
        bounded("region.begin", self.begin.clone())?;
        if self.end.is_empty() {
            return Err(Reason::Length { key: "region.end", length_max: PATTERN_BYTES_MAX });
        }
        let WrittenRegion { begin, end, body, length_max, prefixed_lines } = self;
        Ok(Pattern::Region { begin, end, body, length_max, prefixed_lines })
    }
}

/// A keyword for every digit that stands for `{d}`: `DE{d}` is ten keywords. A keyword has two of them at most.
fn spelled_out(word: &str) -> Vec<String> {
    (0..DIGIT_MARKS_MAX).fold(vec![word.to_owned()], |words, _| {
        words
            .into_iter()
            .flat_map(|word| if word.contains(DIGIT_MARK) { digits_in(&word) } else { vec![word] })
            .collect()
    })
}

/// The word with each digit for its first `{d}`.
fn digits_in(word: &str) -> Vec<String> {
    (0..10).map(|digit| word.replacen(DIGIT_MARK, &digit.to_string(), 1)).collect()
}

/// The checker an id begins with.
fn checker_of(id: &str) -> Result<&str, Reason> {
    let well_formed = |part: &str| {
        !part.is_empty() && part.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
    };
    let mut parts = id.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(checker), Some(_), Some(_), None) if id.split('.').all(well_formed) => Ok(checker),
        _ => Err(Reason::Id),
    }
}

fn named<T: FromStr>(key: &'static str, name: &str, expected: &[&str]) -> Result<T, Reason> {
    name.parse().map_err(|_| unknown(key, name, expected))
}

fn unknown(key: &'static str, name: &str, expected: &[&str]) -> Reason {
    Reason::Unknown { key, name: name.to_owned(), expected: expected.iter().map(|&it| it.to_owned()).collect() }
}

fn limit(key: &'static str, value: usize, value_max: usize) -> Result<(), Reason> {
    if (1..=value_max).contains(&value) { Ok(()) } else { Err(Reason::Limit { key, value_max }) }
}

/// Patterns are over bytes, with ASCII classes: the engine's setting.
fn regex(key: &'static str, pattern: &str) -> Result<Hir, Reason> {
    ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).map_err(|error| {
        // The parser prints the pattern over several lines; its last line says what is wrong.
        let message = error.to_string();
        Reason::Regex { key, message: message.lines().last().unwrap_or_default().to_owned() }
    })
}

fn bounded(key: &'static str, pattern: String) -> Result<String, Reason> {
    let hir = regex(key, &pattern)?;
    let shape = hir.properties();
    let fits = shape.maximum_len().is_some_and(|length| length <= PATTERN_BYTES_MAX);
    if !fits || shape.minimum_len().unwrap_or(0) == 0 {
        return Err(Reason::Length { key, length_max: PATTERN_BYTES_MAX });
    }
    let offered = [Look::StartLF, Look::EndLF, Look::StartCRLF, Look::EndCRLF, Look::WordAscii, Look::WordAsciiNegate];
    match shape.look_set().iter().find(|look| !offered.contains(look)) {
        Some(look) => Err(Reason::LookAround(look)),
        None => Ok(pattern),
    }
}

fn one_byte(key: &'static str, class: &str) -> Result<(), Reason> {
    let hir = regex(key, class)?;
    let shape = hir.properties();
    let single = shape.minimum_len() == Some(1) && shape.maximum_len() == Some(1);
    if single { Ok(()) } else { Err(Reason::Length { key, length_max: 1 }) }
}

fn uncut(text: String) -> String {
    text.replace(CUT, "")
}
