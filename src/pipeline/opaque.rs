//! Whether a leaf that should be opaque is: every byte base64, and for media the beginning of a known format.
//! What does not prove it is scanned like any text, so that an image field is no way around the rules; what is no text
//! either was not read for all that.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::domain::Skipped;
use crate::wire::json::{NodeAt, Step};

/// Shorter leaves are scanned: proving them costs more.
const OPAQUE_BYTES_MIN: u64 = 32;
/// Bytes of a leaf that are kept to recognise it.
const HEAD_BYTES: usize = 256;
/// How the media types that providers take begin.
const MAGIC: [&[u8]; 8] = [b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"%PDF", b"ID3", b"OggS", b"fLaC"];
/// What stands in films, and in images of the same family, behind the length of their first part.
const FILE_TYPE: &[u8] = b"ftyp";
/// Of text, one byte in so many may be no text.
const ODD_BYTES_IN: usize = 10;

/// Checks a leaf as it arrives.
pub(super) struct OpaqueCheck {
    reason: Skipped,
    head: Vec<u8>,
    /// Bytes of the `data:` prefix, comma included; 0 without one.
    prefix: usize,
    in_prefix: bool,
    holds: bool,
    length: u64,
}

impl OpaqueCheck {
    /// A check for a leaf that is skipped for `reason` if it holds.
    pub(super) fn new(reason: Skipped) -> Self {
        OpaqueCheck { reason, head: Vec::new(), prefix: 0, in_prefix: false, holds: true, length: 0 }
    }

    /// Why it would be skipped.
    pub(super) fn reason(&self) -> Skipped {
        self.reason
    }

    /// The next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.length == 0 && !bytes.is_empty() {
            self.in_prefix = self.reason == Skipped::Media && bytes[0] == b'd';
        }
        self.length += bytes.len() as u64;
        let room = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let mut rest = bytes;
        if self.in_prefix {
            let comma = memchr::memchr(b',', rest);
            self.prefix += comma.map_or(rest.len(), |at| at + 1);
            self.in_prefix = comma.is_none();
            self.holds &= self.prefix < HEAD_BYTES / 2;
            rest = comma.map_or(&[][..], |at| &rest[at + 1..]);
        }
        self.holds &= rest.iter().all(|byte| is_base64(*byte));
    }

    /// The reason and the number of bytes, if the leaf is opaque beyond doubt.
    pub(super) fn proven(&self) -> Option<(Skipped, u64)> {
        let holds = self.holds && !self.in_prefix && self.length >= OPAQUE_BYTES_MIN;
        let known = match self.reason {
            Skipped::Media => self.is_known_media(),
            // What is encrypted or a signature does not decode to words.
            _ => !reads_as_text(&self.head),
        };
        (holds && known).then_some((self.reason, self.length))
    }

    fn is_known_media(&self) -> bool {
        let (prefix, body) = self.head.split_at(self.prefix.min(self.head.len()));
        let declared = prefix.is_empty() || prefix.starts_with(b"data:") && prefix.ends_with(b";base64,");
        let Some(start) = body.get(..16) else { return false };
        let Ok(bytes) = STANDARD_NO_PAD.decode(start) else { return false };
        let is_film = bytes.get(4..8) == Some(FILE_TYPE);
        declared && (is_film || MAGIC.iter().any(|magic| bytes.starts_with(magic)))
    }
}

/// Whether the whole text of a leaf for media, scanned though it was, is base64 of something that is no text.
pub(super) fn is_unread(text: &str) -> bool {
    let body = match text.strip_prefix("data:").and_then(|rest| rest.split_once(',')) {
        Some((kind, body)) if kind.ends_with(";base64") => body,
        Some(_) => return false,
        None => text,
    };
    if body.len() < OPAQUE_BYTES_MIN as usize {
        return false;
    }
    let characters: Vec<u8> =
        body.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').map(standard).collect();
    let whole = &characters[..characters.len() / 4 * 4];
    STANDARD_NO_PAD.decode(whole).is_ok_and(|bytes| !is_text(&bytes))
}

/// Whether a scalar of a prompt is the number of a token: where text may stand, lists of numbers may.
pub(super) fn is_token(node: &NodeAt<'_>, raw: &[u8]) -> bool {
    let [Step::Key(key), rest @ ..] = node.path.steps() else { return false };
    let is_listed = matches!(key.as_str(), "input" | "prompt") && rest.iter().all(|it| matches!(it, Step::Index(_)));
    node.level == 0 && is_listed && raw.first().is_some_and(u8::is_ascii_digit)
}

/// Whether nearly all of it is text in UTF-8, or in UTF-16.
fn is_text(bytes: &[u8]) -> bool {
    let is_odd = |it: &char| it.is_control() && !it.is_ascii_whitespace() && *it != '\u{1b}';
    let of_chunk = |chunk: std::str::Utf8Chunk<'_>| {
        chunk.invalid().len() + chunk.valid().chars().filter(is_odd).map(char::len_utf8).sum::<usize>()
    };
    let odd: usize = bytes.utf8_chunks().map(of_chunk).sum();
    odd * ODD_BYTES_IN <= bytes.len() || is_wide(bytes)
}

/// Whether nearly every second byte is nothing, as in UTF-16 of what is nearly ASCII, or it says that it is UTF-16.
fn is_wide(bytes: &[u8]) -> bool {
    let pairs = bytes.len() / 2;
    let nothing = |at: usize| bytes.chunks_exact(2).filter(|pair| pair[at] == 0 && pair[1 - at] != 0).count();
    let is_nearly = |count: usize| (pairs - count) * ODD_BYTES_IN <= pairs;
    let is_marked = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    is_nearly(nothing(0)) || is_nearly(nothing(1)) || is_marked && !bytes.contains(&0)
}

/// A character of base64 for URLs as one of the usual alphabet.
fn standard(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}

/// Whether it is base64 of text.
fn reads_as_text(head: &[u8]) -> bool {
    let characters: Vec<u8> = head.iter().copied().take_while(|byte| *byte != b'=').map(standard).collect();
    let whole = &characters[..characters.len() / 4 * 4];
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
    STANDARD_NO_PAD.decode(whole).is_ok_and(|bytes| bytes.iter().all(is_text))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proven(reason: Skipped, text: &str, cut: usize) -> bool {
        let mut check = OpaqueCheck::new(reason);
        text.as_bytes().chunks(cut).for_each(|piece| check.push(piece));
        check.proven().is_some()
    }

    #[test]
    fn only_base64_of_a_known_format_is_media() {
        let png = format!("iVBORw0KGgo{}", "A".repeat(60));
        for cut in [1, 3, 7, 1000] {
            assert!(proven(Skipped::Media, &png, cut));
            assert!(proven(Skipped::Media, &format!("data:image/png;base64,{png}"), cut));
            assert!(!proven(Skipped::Media, &format!("{png} password: hunter2"), cut));
            assert!(!proven(Skipped::Media, &format!("data:text/plain,{png}"), cut));
            assert!(!proven(Skipped::Media, &"QUJD".repeat(30), cut));
            assert!(!proven(Skipped::Media, &format!("AAAA{}", "QUJD".repeat(30)), cut));
            assert!(proven(Skipped::Media, &format!("AAAAIGZ0eXBoZWlj{}", "QUJD".repeat(30)), cut));
            assert!(!proven(Skipped::Media, "https://example.com/picture-of-a-cat-and-more.png", cut));
            assert!(proven(Skipped::Signature, &"+/9_".repeat(30), cut));
            assert!(!proven(Skipped::Signature, &"QUJD".repeat(30), cut));
            assert!(!proven(Skipped::Signature, "short", cut));
        }
    }

    #[test]
    fn what_is_no_text_was_not_read() {
        let random: Vec<u8> = (0..400u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let wide: Vec<u8> =
            "DB_PASSWORD=x for the service\n".repeat(4).encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (bytes, expected) in [
            (random.as_slice(), true),
            (b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00\xdf\xa4\xd2lZ\x01\x00\x00 \x05\x00\x00", true),
            (&[b'B', b'M', 0, 0, 0, 0].repeat(20), true),
            ("Конфигурация сервиса, настройки и всё остальное".as_bytes(), false),
            (b"plain text of a file,\nwhich is long enough to be looked at", false),
            (&wide, false),
        ] {
            let text = STANDARD_NO_PAD.encode(bytes);
            assert_eq!(is_unread(&text), expected, "{bytes:?}");
            assert_eq!(is_unread(&format!("data:application/x;base64,{text}")), expected, "{bytes:?}");
            assert!(!is_unread(&format!("data:text/plain,{text}")));
        }
        assert!(!is_unread("https://example.com/picture-of-a-cat-and-more.png"));
        assert!(!is_unread("short"));
    }
}
