//! The fingerprint file: a line for each value, which a person can look at and nobody can turn back.
//!
//! ```text
//! airiskguard-fingerprints 1
//! key 6f1d0a93c5e2b784
//! secret 40 9f86d081884c7d659a2feaa0c55ad015 a3c9e1f02b7d4856319be0420f4e2d1c3b5a69788796a5b4 STRIPE_KEY
//! canary 36 60303ae22b998861bce3b28f33eec1be 5d1f0c77a0b3469e8c2a41d6e07b93f852c8140ad96e3b75
//! ```
//!
//! Kind, length in bytes, fingerprint, sealed tags of both ends, and a label where one was asked for. Without the key,
//! a stolen file tells how many values there are, how long they are, and the labels. All else is keyed, the tags of
//! both ends too: two values that begin alike do not look alike. `#` begins a comment line.

use std::fmt::{self, Write};

use super::entry::{Entry, Kind, is_label};
use super::key::{FingerprintKey, HEADS};
use super::{FILE_BYTES_MAX, FINGERPRINTS_MAX, SECRET_BYTES_MAX, SECRET_BYTES_MIN};
use crate::domain::Fingerprint;

const TITLE: &str = "airiskguard-fingerprints";
const VERSION: &str = "1";
/// Tags of a line: those of the beginning, and that of the end.
const TAGS: usize = HEADS + 1;

/// What is wrong with a fingerprint file, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileError {
    /// From 1.
    pub line: usize,
    /// What is wrong there.
    pub what: FileMistake,
}

/// What can be wrong with a fingerprint file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileMistake {
    /// It does not begin as such a file does.
    NoTitle,
    /// A version that this program does not know.
    Version,
    /// The second line does not tell the key.
    NoKey,
    /// Made with another key than the configured one.
    OtherKey,
    /// A line that is no fingerprint.
    Line,
    /// A length outside of what can be looked for.
    Length,
    /// Not as it was written: a part was changed or damaged.
    Altered,
    /// More fingerprints than the limit.
    TooMany,
    /// More bytes than the limit.
    TooLarge,
}

/// The text of a file of these entries, all of which were made with this key.
pub fn write(key: &FingerprintKey, entries: &[Entry]) -> String {
    let mut text = format!("{TITLE} {VERSION}\nkey {:016x}\n", key.check());
    for it in entries {
        let Seal { masked, check } = seal(key, it);
        let label = it.label.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {} {} {masked}{check:08x}{label}", it.kind.name(), it.length, it.fingerprint);
    }
    text
}

/// The entries of a file.
///
/// # Errors
/// The first line that is wrong. A file that was made with another key is one: none of its values could be found.
pub fn read(key: &FingerprintKey, text: &str) -> Result<Vec<Entry>, FileError> {
    let at = |line: usize, what| Err(FileError { line, what });
    if text.len() > FILE_BYTES_MAX {
        return at(1, FileMistake::TooLarge);
    }
    let is_content = |(_, line): &(usize, &str)| !line.trim().is_empty() && !line.starts_with('#');
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line)).filter(is_content);
    match lines.next().map(|(line, text)| (line, text.trim().split_once(' '))) {
        Some((_, Some((TITLE, VERSION)))) => {}
        Some((line, Some((TITLE, _)))) => return at(line, FileMistake::Version),
        other => return at(other.map_or(1, |(line, _)| line), FileMistake::NoTitle),
    }
    match lines.next().map(|(line, text)| (line, text.trim().strip_prefix("key "))) {
        Some((line, Some(check))) => match check.len() == 16 && u64::from_str_radix(check, 16) == Ok(key.check()) {
            true => {}
            false => return at(line, FileMistake::OtherKey),
        },
        other => return at(other.map_or(2, |(line, _)| line), FileMistake::NoKey),
    }
    let mut entries = Vec::new();
    for (line, text) in lines {
        match entry(key, text) {
            Ok(entry) if entries.len() < FINGERPRINTS_MAX => entries.push(entry),
            Ok(_) => return at(line, FileMistake::TooMany),
            Err(what) => return at(line, what),
        }
    }
    Ok(entries)
}

fn entry(key: &FingerprintKey, line: &str) -> Result<Entry, FileMistake> {
    let mut words = line.split_ascii_whitespace();
    let mut word = || words.next().ok_or(FileMistake::Line);
    let kind = match word()? {
        "secret" => Kind::Secret,
        "canary" => Kind::Canary,
        _ => return Err(FileMistake::Line),
    };
    let length: u32 = word()?.parse().map_err(|_| FileMistake::Line)?;
    let fingerprint: Fingerprint = word()?.parse().map_err(|()| FileMistake::Line)?;
    let sealed = word()?;
    let label = words.next().map(str::to_owned);
    if words.next().is_some() || label.as_deref().is_some_and(|it| !is_label(it)) {
        return Err(FileMistake::Line);
    }
    if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&(length as usize)) {
        return Err(FileMistake::Length);
    }
    let mut entry = Entry { kind, length, fingerprint, label, heads: [0; HEADS], tail: 0 };
    let mut numbers = [0; TAGS + 1];
    unhex(sealed, &mut numbers).ok_or(FileMistake::Line)?;
    let [tags @ .., check] = numbers;
    let [heads @ .., tail] = masked(key, &entry, tags);
    (entry.heads, entry.tail) = (heads, tail);
    if seal(key, &entry).check == check { Ok(entry) } else { Err(FileMistake::Altered) }
}

/// What a line says beside its public parts.
struct Seal {
    /// The tags, hidden, in hex.
    masked: String,
    /// Shows that the line is as it was written, tags included.
    check: u32,
}

fn seal(key: &FingerprintKey, entry: &Entry) -> Seal {
    let mut tags = [entry.tail; TAGS];
    tags[..HEADS].copy_from_slice(&entry.heads);
    let bytes: Vec<u8> = tags.iter().flat_map(|tag| tag.to_be_bytes()).collect();
    let [check, ..] = key.seal(&[b"check", &public(entry), &bytes]);
    Seal { masked: masked(key, entry, tags).iter().map(|tag| format!("{tag:08x}")).collect(), check }
}

/// Tags under a mask that differs from line to line, so that equal tags do not look equal; masked tags become tags.
fn masked(key: &FingerprintKey, entry: &Entry, mut tags: [u32; TAGS]) -> [u32; TAGS] {
    let mask = key.seal(&[b"masks", &public(entry)]);
    tags.iter_mut().zip(mask).for_each(|(tag, mask)| *tag ^= mask);
    tags
}

/// Eight hex digits for each number, and nothing else.
fn unhex(text: &str, numbers: &mut [u32]) -> Option<()> {
    let (digits, rest) = text.as_bytes().as_chunks::<8>();
    if digits.len() != numbers.len() || !rest.is_empty() {
        return None;
    }
    for (number, digits) in numbers.iter_mut().zip(digits) {
        for digit in digits {
            *number = *number << 4 | char::from(*digit).to_digit(16)?;
        }
    }
    Some(())
}

/// All of a line that stands there for everyone to read.
fn public(entry: &Entry) -> Vec<u8> {
    let label = entry.label.as_deref().unwrap_or_default();
    let parts: [&[u8]; 4] =
        [entry.kind.name().as_bytes(), &entry.length.to_be_bytes(), entry.fingerprint.as_bytes(), label.as_bytes()];
    parts.concat()
}

impl fmt::Display for FileMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const AGAIN: &str = "make the file again with `airiskguard-gateway fingerprint`";
        match self {
            FileMistake::NoTitle => {
                write!(f, "this is no fingerprint file: expected `{TITLE} {VERSION}` as its first line; {AGAIN}")
            }
            FileMistake::Version => write!(f, "this program reads version {VERSION} of the format; {AGAIN}"),
            FileMistake::NoKey => write!(f, "expected `key` and 16 hex digits; {AGAIN}"),
            FileMistake::OtherKey => {
                write!(
                    f,
                    "made with another key than `known_secrets.key`: configure the key it was made with, or {AGAIN}"
                )
            }
            FileMistake::Line => write!(
                f,
                "this is no fingerprint: expected `secret` or `canary`, a length, 32 and 48 hex digits, and at most a label; {AGAIN}"
            ),
            FileMistake::Length => {
                write!(f, "a length outside of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes; {AGAIN}")
            }
            FileMistake::Altered => write!(f, "this line was altered after it was written; {AGAIN}"),
            FileMistake::TooMany => write!(f, "more than {FINGERPRINTS_MAX} fingerprints: leave some out"),
            FileMistake::TooLarge => write!(f, "more than {} MiB: leave some out", FILE_BYTES_MAX >> 20),
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for FileError {}
