//! A tool's input that ought to be JSON and is none: cut off, or written wrongly. Some clients make something of it all the
//! same, so it is read as it stands and with its escapes undone, wherever its strings may begin and end.

use std::ops::Range;
use std::str::Chars;

use super::body::Reading;
use super::completion::{Stop, TOO_MANY_FINDINGS};
use super::inbound::Input;
use super::locate::{Lines, in_text, scan_block};
use crate::domain::Source;
use crate::scan::Block;

/// Whether a client may take it for a document.
pub(super) fn begins_document(text: &str) -> bool {
    text.trim_start_matches(['\u{feff}', ' ', '\t', '\n', '\r']).starts_with(['{', '['])
}

/// What it holds. Nothing is put back: nobody knows what it would stand beside.
pub(super) fn read(reading: &Reading, text: &str) -> Result<Input, Stop> {
    let source = Source::ToolInput;
    let hits = scan_block(reading, source, text, Block::Broken);
    let mut lines = Lines::of(text);
    let mut located: Vec<_> = hits.iter().map(|hit| in_text(reading, source, &mut lines, hit, "tool input")).collect();
    if text.contains('\\') {
        let plain: String = Units::new(text).map(|(character, _)| character).collect();
        let hits = scan_block(reading, source, &plain, Block::Broken);
        let spans: Vec<Range<usize>> = hits.iter().map(|hit| hit.secret.clone()).collect();
        let mut lines = Lines::of(&plain);
        for (hit, piece) in hits.iter().zip(written(text, &spans)) {
            let mut it = in_text(reading, source, &mut lines, hit, "tool input");
            it.pieces = vec![piece];
            located.push(it);
        }
    }
    if located.len() > reading.hits_max {
        return Err(TOO_MANY_FINDINGS);
    }
    Ok(Input { located, ..Input::default() })
}

/// Where in `text` the spans of its plain form are written.
fn written(text: &str, spans: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut bounds: Vec<usize> = spans.iter().flat_map(|it| [it.start, it.end]).collect();
    bounds.sort_unstable();
    bounds.dedup();
    // Of each bound, where the character before it ends and the one behind it begins.
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(bounds.len());
    let (mut plain, mut reached) = (0, 0);
    for (character, raw) in Units::new(text) {
        while bounds.get(places.len()).is_some_and(|bound| *bound <= plain) {
            places.push((reached, raw.start));
        }
        plain += character.len_utf8();
        reached = raw.end;
    }
    places.resize(bounds.len(), (reached, reached));
    let place = |bound: usize| bounds.binary_search(&bound).map_or((0, 0), |index| places[index]);
    spans.iter().map(|span| place(span.start).1..place(span.end).0).collect()
}

/// The characters of a text with JSON's escapes undone, each with the bytes it is written in. What is no escape stands for
/// itself.
struct Units<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Units<'a> {
    fn new(text: &'a str) -> Self {
        Units { text, at: 0 }
    }
}

impl Iterator for Units<'_> {
    type Item = (char, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..)?;
        let mut characters = rest.chars();
        let first = characters.next()?;
        let undone = (first == '\\').then(|| escaped(characters)).flatten();
        let (character, length) = undone.map_or((first, first.len_utf8()), |(it, behind)| (it, 1 + behind));
        let start = self.at;
        self.at += length;
        Some((character, start..self.at))
    }
}

/// What stands behind a backslash, and in how many bytes.
fn escaped(mut behind: Chars<'_>) -> Option<(char, usize)> {
    let character = match behind.next()? {
        it @ ('"' | '\\' | '/') => it,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return code_unit(behind.as_str()),
        _ => return None,
    };
    Some((character, 1))
}

/// The character of four digits, or of two halves of a pair.
fn code_unit(digits: &str) -> Option<(char, usize)> {
    let value = |from: usize| {
        let digits = digits.get(from..from + 4).filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = value(0)?;
    let second = digits.get(4..6).filter(|it| *it == "\\u").and_then(|_| value(6));
    match char::decode_utf16([Some(first), second].into_iter().flatten()).next()? {
        Ok(character) if character.len_utf16() == 2 => Some((character, 11)),
        Ok(character) => Some((character, 5)),
        Err(_) => Some((char::REPLACEMENT_CHARACTER, 5)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_found_again() {
        let text = r#"{"a":"x\u0069\"\ud83d\ude00\n\q\u12é"#;
        let plain: String = Units::new(text).map(|(it, _)| it).collect();
        assert_eq!(plain, "{\"a\":\"xi\"😀\n\\q\\u12é");
        for start in (0..plain.len()).filter(|it| plain.is_char_boundary(*it)) {
            for end in (start + 1..=plain.len()).filter(|it| plain.is_char_boundary(*it)) {
                let span = start..end;
                let range = written(text, std::slice::from_ref(&span)).remove(0);
                let again: String = Units::new(&text[range]).map(|(it, _)| it).collect();
                assert_eq!(again, plain[span]);
            }
        }
    }

    #[test]
    fn a_document_begins_behind_marks_and_white_space() {
        assert!(begins_document("\u{feff} \n{") && begins_document("[") && !begins_document("x {"));
    }
}
