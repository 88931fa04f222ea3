//! Rules in words: what makes them look, what must be there, and what takes a match back.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use crate::scan::{Pattern, RuleSpec, Trigger};

/// Keywords that a table shows of one rule.
const KEYWORDS_SHOWN_MAX: usize = 4;
/// A pattern that takes more characters in words than this is better read as it is written.
const WORDS_CHARS_MAX: usize = 700;

/// What a rule looks for, in the few words of a table's cell.
pub(super) fn looks_for(rule: &RuleSpec) -> String {
    let mut said = match &rule.trigger {
        Trigger::Keywords(words) => {
            let shown: Vec<String> = words.iter().take(KEYWORDS_SHOWN_MAX).map(|it| code(it)).collect();
            let more = words.len().saturating_sub(KEYWORDS_SHOWN_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{}{more}", shown.join(", "))
        }
        Trigger::Digits(count) => format!("{count} or more digits"),
    };
    if let Pattern::Assigned(_) = &rule.pattern {
        said.push_str(" in the name of an assigned value");
    }
    if let Some(confirm) = confirmed_by(rule) {
        said.push_str(&format!("; {confirm}"));
    }
    said
}

/// `confirm`, as it is written in a rule file; `None` for a rule without.
pub fn confirmed_by(rule: &RuleSpec) -> Option<String> {
    let names: Vec<String> = rule.confirm.iter().map(|it| code(&it.to_string())).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// As code in Markdown.
fn code(text: &str) -> String {
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// A regex in words; `None` where the words would be harder to read than the regex.
pub fn in_words(regex: &str) -> Option<String> {
    let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(regex).ok()?;
    let said = words(&hir)?;
    (said.chars().count() <= WORDS_CHARS_MAX).then_some(said)
}

/// Recursion ends with the regex parser's own limit of nesting.
fn words(hir: &Hir) -> Option<String> {
    let said = match hir.kind() {
        HirKind::Empty => "nothing".to_owned(),
        HirKind::Literal(literal) => quoted(&String::from_utf8_lossy(&literal.0)),
        HirKind::Look(look) => place(*look)?.to_owned(),
        HirKind::Class(class) => one_of(class)?,
        HirKind::Repetition(it) => {
            let sub = words(&it.sub)?;
            match (it.min, it.max) {
                (0, Some(1)) => format!("optionally {}", grouped(&it.sub, sub)),
                (min, Some(max)) if min == max => format!("{min} × {}", grouped(&it.sub, sub)),
                (min, Some(max)) => format!("{min} to {max} × {}", grouped(&it.sub, sub)),
                (min, None) => format!("{min} or more × {}", grouped(&it.sub, sub)),
            }
        }
        HirKind::Capture(it) => {
            let sub = words(&it.sub)?;
            match it.name.as_deref() {
                Some("secret") => format!("what is hidden [{sub}]"),
                _ => grouped(&it.sub, sub),
            }
        }
        HirKind::Concat(subs) => sequence(subs)?,
        HirKind::Alternation(subs) => {
            let said: Option<Vec<String>> = subs.iter().map(words).collect();
            format!("either {}", said?.join(" or "))
        }
    };
    (said.len() <= 4 * WORDS_CHARS_MAX).then_some(said)
}

/// Parts one after the other; letters of either case become one word again.
fn sequence(subs: &[Hir]) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut word = String::new();
    for sub in subs.iter().map(Some).chain([None]) {
        if let Some(letter) = sub.and_then(either_case) {
            word.push(letter);
            continue;
        }
        if !word.is_empty() {
            parts.push(format!("{} in any case", quoted(&std::mem::take(&mut word))));
        }
        if let Some(sub) = sub {
            parts.push(grouped(sub, words(sub)?));
        }
    }
    Some(parts.join(", then "))
}

/// The letter, where a class is that letter in both cases.
fn either_case(hir: &Hir) -> Option<char> {
    let HirKind::Class(Class::Bytes(class)) = hir.kind() else { return None };
    match class.ranges() {
        [upper, lower] if upper.start() == upper.end() && lower.start() == lower.end() => {
            let letter = char::from(lower.start());
            (letter.is_ascii_lowercase() && upper.start() == lower.start().to_ascii_uppercase()).then_some(letter)
        }
        _ => None,
    }
}

/// In brackets, where the parts would run together with what stands around.
fn grouped(hir: &Hir, said: String) -> String {
    let several = matches!(hir.kind(), HirKind::Concat(_) | HirKind::Alternation(_));
    if several { format!("({said})") } else { said }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

fn place(look: Look) -> Option<&'static str> {
    match look {
        Look::WordAscii => Some("a border of a word"),
        Look::WordAsciiNegate => Some("no border of a word"),
        Look::StartLF | Look::StartCRLF => Some("the start of a line"),
        Look::EndLF | Look::EndCRLF => Some("the end of a line"),
        _ => None,
    }
}

/// `one of 0-9 A-F _`; a class that leaves out little is told by what it leaves out.
fn one_of(class: &Class) -> Option<String> {
    let Class::Bytes(class) = class else { return None };
    let size: usize = class.ranges().iter().map(|it| it.len()).sum();
    let name = |ranges: &[(u8, u8)]| -> String {
        let one = |byte: u8| match byte {
            b' ' => "space".to_owned(),
            0x80.. => format!("byte {byte:02X}"),
            _ => char::from(byte).escape_debug().to_string(),
        };
        let names = ranges.iter().map(|&(start, end)| match end - start {
            0 => one(start),
            1 => format!("{} {}", one(start), one(end)),
            _ => format!("{}-{}", one(start), one(end)),
        });
        names.collect::<Vec<_>>().join(" ")
    };
    let ranges: Vec<(u8, u8)> = class.ranges().iter().map(|it| (it.start(), it.end())).collect();
    match size {
        256 => Some("any byte".to_owned()),
        129.. => {
            let mut rest = class.clone();
            rest.negate();
            let rest: Vec<(u8, u8)> = rest.ranges().iter().map(|it| (it.start(), it.end())).collect();
            Some(format!("any byte but {}", name(&rest)))
        }
        _ => Some(format!("one of {}", name(&ranges))),
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn patterns_are_told_in_words() {
        for (regex, expected) in [
            (
                r"\bown-[a-z]{8}(?:[0-9]|--)?",
                "a border of a word, then \"own-\", then 8 × one of a-z, then optionally (either one of 0-9 or \"--\")",
            ),
            (
                r"(?i:key)\s{0,3}[=:](?P<secret>[^\r\n]{4,9})(?m:$)",
                "\"key\" in any case, then 0 to 3 × one of \\t-\\r space, then one of : =, then what is hidden \
                 [4 to 9 × any byte but \\n \\r], then the end of a line",
            ),
        ] {
            assert_eq!(in_words(regex).as_deref(), Some(expected), "{regex}");
        }
        assert_eq!(in_words(&format!("(?:{})", vec!["abc[de]{2,4}"; 60].join("|"))), None);
        assert_eq!(in_words("(unclosed"), None);
    }
}
