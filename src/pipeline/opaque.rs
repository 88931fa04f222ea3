//! Whether a leaf that should be opaque is: every byte base64, and for media the beginning of a known format.
//! What does not prove it is scanned like any text, so that an image field is no way around the rules.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::domain::Skipped;

/// Shorter leaves are scanned: proving them costs more.
const OPAQUE_BYTES_MIN: u64 = 32;
/// Bytes of a leaf that are kept to recognise it.
const HEAD_BYTES: usize = 256;
/// How the media types that providers take begin.
const MAGIC: [&[u8]; 9] =
    [b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"%PDF", b"ID3", b"OggS", b"fLaC", b"\x00\x00\x00"];

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
        declared && MAGIC.iter().any(|magic| bytes.starts_with(magic))
    }
}

/// Whether it is base64 of text.
fn reads_as_text(head: &[u8]) -> bool {
    let standard = |byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    };
    let characters: Vec<u8> = head.iter().take_while(|byte| **byte != b'=').map(standard).collect();
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
            assert!(!proven(Skipped::Media, "https://example.com/picture-of-a-cat-and-more.png", cut));
            assert!(proven(Skipped::Signature, &"+/9_".repeat(30), cut));
            assert!(!proven(Skipped::Signature, &"QUJD".repeat(30), cut));
            assert!(!proven(Skipped::Signature, "short", cut));
        }
    }
}
