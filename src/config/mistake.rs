//! What is wrong with a configuration, shown as a compiler shows it. Never the value of a secret setting.

use std::fmt;

use super::keys;
use super::node::{Mark, Span};

/// Most mistakes that are shown at once.
const SHOWN_MAX: usize = 50;
/// Most characters of a source line that are shown.
const LINE_CHARS_MAX: usize = 160;
/// What stands in place of a secret.
pub(super) const MASK: &str = "***";

/// One thing that is wrong, or doubtful, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The setting, as a path: `policies[0].condition.risk`; empty for the text as a whole.
    pub setting: String,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub expected: Option<String>,
    /// What to do, most often a name that was probably meant.
    pub help: Option<String>,
    /// Line from 1; `None` when it stands in no file.
    pub line: Option<usize>,
    /// Column from 1, in characters.
    pub column: Option<usize>,
    pub(super) span: Option<Span>,
    source: Option<Source>,
}

/// The source line as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    text: String,
    caret: usize,
    width: usize,
}

impl Mistake {
    /// A mistake at a place, or at none.
    pub(super) fn new(setting: &str, span: Option<Span>, what: impl Into<String>) -> Self {
        Mistake {
            setting: setting.to_owned(),
            what: what.into(),
            expected: None,
            help: None,
            line: span.map(|it| it.start.line),
            column: span.map(|it| it.start.column + 1),
            span,
            source: None,
        }
    }

    pub(super) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Lists the valid names, and proposes the nearest.
    pub(super) fn one_of(mut self, given: &str, valid: &[&str]) -> Self {
        self.help = closest(given, valid).map(|it| format!("did you mean `{it}`?"));
        self.expected(format!("one of {}", valid.join(", ")))
    }

    fn render(&self, f: &mut fmt::Formatter<'_>, level: &str, origin: &str) -> fmt::Result {
        writeln!(f, "{level}: {}", self.what)?;
        let mut margin = 1;
        match (self.line, self.column) {
            (Some(line), Some(column)) => {
                margin = line.to_string().len();
                writeln!(f, "{:margin$}--> {origin}:{line}:{column}", "")?;
                if let Some(source) = &self.source {
                    writeln!(f, "{:margin$} |", "")?;
                    writeln!(f, "{line} | {}", source.text)?;
                    let carets = "^".repeat(source.width);
                    writeln!(f, "{:margin$} | {:caret$}{carets}", "", "", caret = source.caret)?;
                }
            }
            _ => writeln!(f, "{:margin$}--> {origin}", "")?,
        }
        if !self.setting.is_empty() {
            writeln!(f, "{:margin$} = setting: {}", "", self.setting)?;
        }
        if let Some(expected) = &self.expected {
            writeln!(f, "{:margin$} = expected: {expected}", "")?;
        }
        match &self.help {
            Some(help) => writeln!(f, "{:margin$} = help: {help}", ""),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong. The configuration is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    /// The file's name, as the reader of the message knows it.
    pub origin: String,
    /// The mistakes, in the order of the file; at least one.
    pub items: Vec<Mistake>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        render(f, "error", &self.origin, &self.items)?;
        match self.items.len() {
            1 => write!(f, "1 mistake in {}", self.origin),
            many => write!(f, "{many} mistakes in {}", self.origin),
        }
    }
}

impl std::error::Error for Mistakes {}

/// What is allowed but doubtful. The configuration is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    /// The file's name, as the reader of the message knows it.
    pub origin: String,
    /// The warnings, in the order of the file.
    pub items: Vec<Mistake>,
}

impl fmt::Display for Warnings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        render(f, "warning", &self.origin, &self.items)
    }
}

fn render(f: &mut fmt::Formatter<'_>, level: &str, origin: &str, items: &[Mistake]) -> fmt::Result {
    for item in items.iter().take(SHOWN_MAX) {
        item.render(f, level, origin)?;
        writeln!(f)?;
    }
    match items.len().saturating_sub(SHOWN_MAX) {
        0 => Ok(()),
        more => writeln!(f, "… and {more} more\n"),
    }
}

/// Puts the items in order and gives each its source line, in which everything `hidden` is masked.
pub(super) fn illustrate(items: &mut [Mistake], text: &str, hidden: &[Span]) {
    items.sort_by_key(|it| it.span.map(|span| span.start).unwrap_or_default());
    let lines: Vec<&str> = lines(text).collect();
    for item in items.iter_mut().take(SHOWN_MAX) {
        let Some(span) = item.span else { continue };
        let row = span.start.line;
        let Some(line) = row.checked_sub(1).and_then(|index| lines.get(index)) else { continue };
        let hidden: Vec<Span> =
            hidden.iter().filter(|it| it.start.line <= row && row <= it.end.line).copied().collect();
        item.source = Some(excerpt(line, span, &hidden));
    }
}

/// What may be a secret in a text that is no YAML: everything but the known keys that lines start with.
pub(super) fn doubtful_lines(text: &str) -> Vec<Span> {
    let mut hidden = Vec::new();
    for (index, line) in lines(text).enumerate() {
        let lead = line.len() - line.trim_start_matches([' ', '-', '\t']).len();
        let known = |key: &&str| keys::EVERY.iter().any(|it| it.contains(key));
        let value = match line[lead..].split_once(':').map(|(key, _)| key).filter(known) {
            Some(key) => lead + key.len() + 1,
            None => lead,
        };
        let from = value + line[value..].len() - line[value..].trim_start().len();
        if from < line.trim_end().len() {
            let mark = |at: usize| Mark { line: index + 1, column: line[..at].chars().count() };
            hidden.push(Span { start: mark(from), end: mark(line.len()) });
        }
    }
    hidden
}

/// Lines as YAML ends them: at CR LF, LF, and CR alone.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').flat_map(|it| {
        let it = it.strip_suffix('\n').unwrap_or(it);
        it.strip_suffix('\r').unwrap_or(it).split('\r')
    })
}

/// The line of `span`, masked, cut to a readable length, with the caret's place and width in what is left.
fn excerpt(line: &str, span: Span, hidden: &[Span]) -> Source {
    let row = span.start.line;
    let mut characters: Vec<char> = line.chars().collect();
    let covers = |column: usize| {
        let here = Mark { line: row, column };
        hidden.iter().any(|it| it.start <= here && here < it.end)
    };
    // A comment says nothing about the mistake, and may hold a secret that was commented out.
    let starts_comment =
        |&at: &usize| characters[at] == '#' && at.checked_sub(1).is_none_or(|it| characters[it].is_whitespace());
    if let Some(comment) = (span.start.column..characters.len()).find(starts_comment) {
        characters.truncate(comment);
    }
    let end = if span.end.line == row { span.end.column } else { characters.len() };
    let (mut shown, mut caret, mut caret_end, mut masked) = (String::new(), None, None, false);
    let mut width = 0;
    let mut first = 0;
    if span.start.column > LINE_CHARS_MAX / 2 && characters.len() > LINE_CHARS_MAX {
        first = span.start.column - LINE_CHARS_MAX / 2;
        shown.push('…');
        width = 1;
    }
    for (column, &character) in characters.iter().enumerate().skip(first) {
        if column == end {
            caret_end = Some(width);
        }
        match covers(column) {
            true if masked => {}
            true => {
                if column == span.start.column {
                    caret = Some(width);
                }
                shown.push_str(MASK);
                width += MASK.len();
            }
            false => {
                if column == span.start.column {
                    caret = Some(width);
                }
                shown.push(if character.is_control() { ' ' } else { character });
                width += 1;
            }
        }
        masked = covers(column);
        if width > LINE_CHARS_MAX {
            shown.push('…');
            break;
        }
    }
    let caret = caret.unwrap_or(width);
    let caret_end = caret_end.unwrap_or(width).max(caret + 1);
    Source { text: shown.trim_end().to_owned(), caret, width: caret_end - caret }
}

/// The valid name that was probably meant, if one is near.
pub(super) fn closest<'v>(given: &str, valid: &[&'v str]) -> Option<&'v str> {
    let folded = given.to_lowercase().replace('-', "_");
    let allowed = folded.chars().count().div_ceil(3).clamp(1, 4);
    let distances = valid.iter().map(|it| (distance(&folded, it), *it));
    distances.filter(|(distance, _)| *distance <= allowed).min_by_key(|(distance, _)| *distance).map(|(_, it)| it)
}

/// Edits (insert, delete, replace, swap of neighbours) between two short names.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().take(64).collect(), right.chars().collect());
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=left.len() {
        for j in 1..=right.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[left.len()][right.len()]
}
