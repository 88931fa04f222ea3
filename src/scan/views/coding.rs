//! Base64, base32 and hex: runs of characters that may be text when they are decoded.

/// Fewer hex digits hold no secret worth hiding.
const HEX_CHARS_MIN: usize = 32;
/// Fewer characters of base32 hold none either.
const BASE32_CHARS_MIN: usize = 32;

/// How a run is read, from which of its characters on: `0x` is not part of it, nor are letters that stand before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Hex(usize),
    /// In either alphabet.
    Base64(usize),
    /// In either case.
    Base32,
}

impl Coding {
    /// The ways in which a run may be read, likeliest first.
    pub(super) fn of(run: &[u8]) -> impl Iterator<Item = Coding> {
        let prefix = if run.starts_with(b"0x") || run.starts_with(b"0X") { 2 } else { 0 };
        let digits = &run[prefix..];
        let hex = digits.len() >= HEX_CHARS_MIN && digits.iter().all(u8::is_ascii_hexdigit);
        let base32 = run.len() >= BASE32_CHARS_MIN && is_base32(run);
        let hex = hex.then_some(Coding::Hex(prefix)).into_iter();
        hex.chain(ascii_from(run).map(Coding::Base64)).chain(base32.then_some(Coding::Base32))
    }

    /// The same, once its beginning was read.
    pub(super) fn further(self) -> Coding {
        match self {
            Coding::Hex(_) => Coding::Hex(0),
            Coding::Base64(_) => Coding::Base64(0),
            Coding::Base32 => Coding::Base32,
        }
    }

    /// Characters that go together, the bytes they make, and where the run begins.
    fn shape(self) -> (usize, usize, usize) {
        match self {
            Coding::Hex(skip) => (2, 1, skip),
            Coding::Base64(skip) => (4, 3, skip),
            Coding::Base32 => (8, 5, 0),
        }
    }

    fn bits(self, characters: &[u8]) -> u64 {
        let (width, value): (u32, fn(u8) -> u8) = match self {
            Coding::Hex(_) => (4, hex_value),
            Coding::Base64(_) => (6, base64_value),
            Coding::Base32 => (5, base32_value),
        };
        characters.iter().fold(0, |bits, &character| bits << width | u64::from(value(character)))
    }

    /// Decodes whole groups and returns how many characters they took; `None` if what comes out is no text, unless
    /// any bytes will do.
    pub(super) fn decode(self, run: &[u8], any: bool, out: &mut Vec<u8>) -> Option<usize> {
        out.clear();
        let (group, bytes, skip) = self.shape();
        let run = run.get(skip..)?;
        let mut bad = odd_bytes_max(run.len() / group * bytes);
        for characters in run.chunks_exact(group) {
            let from = out.len();
            out.extend_from_slice(&self.bits(characters).to_be_bytes()[8 - bytes..]);
            if !any {
                bad = bad.checked_sub(out[from..].iter().filter(|&&byte| !is_text(byte)).count())?;
            }
        }
        let whole = run.len() / group * group;
        let rest = &run[whole..];
        if matches!(self, Coding::Hex(_)) || rest.len() < 2 {
            return Some(skip + whole);
        }
        // An end without its padding holds some bytes more.
        let (width, count) = (8 * bytes / group, rest.len() * bytes / group);
        let bits = self.bits(rest) << (width * (group - rest.len()));
        out.extend_from_slice(&bits.to_be_bytes()[8 - bytes..8 - bytes + count]);
        Some(skip + run.len())
    }
}

/// How many of so many decoded bytes may be none of a text.
fn odd_bytes_max(bytes: usize) -> usize {
    bytes / 10
}

/// From which of the first four characters on a run of base64 may be text, going by the highest bits of what it stands
/// for alone: in names and paths half of them are set. Those of the first and last three characters are not asked.
fn ascii_from(run: &[u8]) -> impl Iterator<Item = usize> {
    let asked = run.get(3..run.len().saturating_sub(3)).unwrap_or_default();
    let mut high = 0u64;
    for four in asked.chunks(4) {
        for (place, &character) in four.iter().enumerate() {
            high += HIGH[usize::from(character)].rotate_left(HIGH_LANE * ((3 + place as u32) % 4));
        }
    }
    let length = run.len();
    (0..4).filter(move |&skip| {
        let high = (high >> (HIGH_LANE as usize * skip)) as u16;
        usize::from(high) <= odd_bytes_max(length.saturating_sub(skip) / 4 * 3)
    })
}

/// Bits of a count of high bytes: enough for a piece of a run, of which at most three characters in four count.
const HIGH_LANE: u32 = 16;

/// Per character of base64 at the beginning of a run, four counts: whether the byte that it begins is beyond ASCII, if the
/// first group begins with the first character, the second, the third, the fourth.
const HIGH: [u64; 256] = {
    let mut high = [0; 256];
    let mut character = 0;
    while character < 256 {
        let value = VALUES[character] as u64;
        // As the first, third and second character of a group; the fourth begins no byte.
        high[character] = (value >> 5 & 1) | (value >> 1 & 1) << (2 * HIGH_LANE) | (value >> 3 & 1) << (3 * HIGH_LANE);
        character += 1;
    }
    high
};

/// All of one case, as base32 is written.
fn is_base32(run: &[u8]) -> bool {
    let digit = |byte: &u8| matches!(byte, b'2'..=b'7');
    run.iter().all(|byte| byte.is_ascii_uppercase() || digit(byte))
        || run.iter().all(|byte| byte.is_ascii_lowercase() || digit(byte))
}

fn base32_value(character: u8) -> u8 {
    match character {
        b'2'..=b'7' => character - b'2' + 26,
        letter => letter.to_ascii_uppercase().wrapping_sub(b'A') & 31,
    }
}

fn hex_value(digit: u8) -> u8 {
    char::from(digit).to_digit(16).map_or(0, |digit| digit as u8)
}

/// Whether the byte stands in texts.
pub(super) fn is_text(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7E | b'\t' | b'\n' | b'\r')
}

/// What base64 characters stand for, in either alphabet; `OUTSIDE` for others.
const VALUES: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [OUTSIDE; 256];
    let mut index = 0;
    while index < 64 {
        values[alphabet[index] as usize] = index as u8;
        index += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
};
const OUTSIDE: u8 = 0xFF;

/// Whether a character belongs to a run. Those of hex and base32 are among those of base64.
#[inline(always)]
pub(super) fn is_run(byte: u8) -> bool {
    VALUES[usize::from(byte)] != OUTSIDE
}

/// The same without a table, so that a compiler does many bytes at once.
#[inline(always)]
pub(super) fn is_run_sign(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let sign_or_digit = byte.wrapping_sub(b'-') <= b'9' - b'-' && byte != b'.';
    letter | sign_or_digit | (byte == b'+') | (byte == b'_')
}

fn base64_value(character: u8) -> u8 {
    VALUES[usize::from(character)] & 63
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    fn decoded(coding: Coding, run: &str) -> Option<(String, usize)> {
        let mut out = Vec::new();
        let used = coding.decode(run.as_bytes(), false, &mut out)?;
        Some((String::from_utf8(out).unwrap(), used))
    }

    #[test]
    fn a_sign_of_a_run_is_one_with_and_without_the_table() {
        (0..=u8::MAX).for_each(|byte| assert_eq!(is_run(byte), is_run_sign(byte), "{byte:#x}"));
    }

    #[test]
    fn each_coding_is_undone() {
        assert_eq!(decoded(Coding::Base64(0), "aGVsbG8gdGhlcmU"), Some(("hello there".to_string(), 15)));
        assert_eq!(decoded(Coding::Base64(1), "/aGVsbG8gdGhlcmU"), Some(("hello there".to_string(), 16)));
        assert_eq!(decoded(Coding::Hex(2), "0x68656c6c6f"), Some(("hello".to_string(), 12)));
        assert_eq!(decoded(Coding::Base32, "NBSWY3DPEB2GQZLSMU"), Some(("hello there".to_string(), 18)));
        assert_eq!(decoded(Coding::Base32, "nbswy3dpeb2gqzlsmu"), Some(("hello there".to_string(), 18)));
        assert_eq!(decoded(Coding::Base64(0), "nZ+fn5+fn5+fnw"), None);
    }

    proptest! {
        #[test]
        fn what_decodes_to_text_is_never_ruled_out(
            text in "[ -~\n]{0,60}", before in "[A-Za-z0-9_/-]{0,3}", behind in "[A-Za-z0-9+]{0,12}",
        ) {
            let run = [before.as_str(), &STANDARD_NO_PAD.encode(text), &behind].concat();
            let allowed: Vec<usize> = ascii_from(run.as_bytes()).collect();
            for skip in 0..4 {
                let is_text = Coding::Base64(skip).decode(run.as_bytes(), false, &mut Vec::new()).is_some();
                prop_assert!(!is_text || allowed.contains(&skip), "{run} from {skip} on");
            }
        }
    }

    #[test]
    fn names_and_paths_are_no_base64() {
        for run in ["src/trace/table/mark_network", "application_connection_timeout", "getPendingInvitationsByUser"] {
            assert_eq!(ascii_from(run.as_bytes()).count(), 0, "{run}");
        }
        assert_eq!(ascii_from(b"aGVsbG8gdGhlcmU").next(), Some(0));
    }

    #[test]
    fn a_run_is_read_in_the_ways_its_characters_allow() {
        assert_eq!(Coding::of(&b"0f".repeat(16)).next(), Some(Coding::Hex(0)));
        assert_eq!(Coding::of(&b"AB23".repeat(8)).last(), Some(Coding::Base32));
        assert!(Coding::of(&b"Ab23".repeat(8)).all(|it| it != Coding::Base32));
    }
}
