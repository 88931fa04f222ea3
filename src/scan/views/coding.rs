//! Base64, base32 and hex: runs of characters that may be text when they are decoded, in UTF-8 or in UTF-16.

/// Fewer hex digits hold no secret worth hiding.
const HEX_CHARS_MIN: usize = 32;
/// Fewer characters of base32 hold none either.
const BASE32_CHARS_MIN: usize = 32;
/// Characters at the beginning of a run that show whether it may hold zeros as UTF-16 does: so many of them at least, and
/// one of so many, are `A` then.
const WIDE_CHARS: usize = 340;
const ZERO_CHARS_MIN: usize = 2;
const ZERO_CHARS_SHARE: usize = 40;
/// Bytes that show whether a run is UTF-16, and how many of its units must be ASCII at least: one of so many, and so many.
const WIDE_BYTES: usize = 256;
const WIDE_SHARE: usize = 8;
const WIDE_UNITS_MIN: usize = 4;

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
        let base64 = (0..4).filter(|&skip| skip < run.len()).map(Coding::Base64);
        hex.chain(base64).chain(base32.then_some(Coding::Base32))
    }

    /// How a run is read that is UTF-16 with ASCII in it, and how that is read. `sample` is overwritten.
    pub(super) fn of_wide(run: &[u8], sample: &mut Vec<u8>) -> Option<(Coding, Wide)> {
        let head = &run[..run.len().min(WIDE_CHARS)];
        let count = |character: u8| head.iter().filter(|&&it| it == character).count();
        // A byte of zeros makes an `A` two times of three.
        if count(b'A') < ZERO_CHARS_MIN.max(head.len() / ZERO_CHARS_SHARE) && count(b'0') < head.len() / 8 {
            return None;
        }
        Coding::of(run).filter(|it| *it != Coding::Base32).find_map(|it| {
            let (group, bytes, skip) = it.shape();
            let length = run.len().min(skip + WIDE_BYTES / bytes * group);
            it.decode(&run[..length], true, false, sample)?;
            Wide::of(sample).map(|wide| (it, wide))
        })
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

    #[inline]
    fn bits(self, characters: &[u8]) -> u64 {
        let all = |width: u32, value: fn(u8) -> u8| {
            characters.iter().fold(0, |bits, &character| bits << width | u64::from(value(character)))
        };
        // A call for each, so that the compiler sees what it calls.
        match self {
            Coding::Hex(_) => all(4, hex_value),
            Coding::Base64(_) => all(6, base64_value),
            Coding::Base32 => all(5, base32_value),
        }
    }

    /// Decodes whole groups, the rest too if it is the `last` piece, and returns how many characters they took; `None` if
    /// what comes out is no text, unless any bytes will do.
    pub(super) fn decode(self, run: &[u8], any: bool, last: bool, out: &mut Vec<u8>) -> Option<usize> {
        out.clear();
        let (group, bytes, skip) = self.shape();
        let run = run.get(skip..)?;
        let mut judge = Judge::new(run.len() / group * bytes);
        for characters in run.chunks_exact(group) {
            let from = out.len();
            out.extend_from_slice(&self.bits(characters).to_be_bytes()[8 - bytes..]);
            if !any {
                out[from..].iter().try_for_each(|&byte| judge.read(byte))?;
            }
        }
        let whole = run.len() / group * group;
        let rest = &run[whole..];
        if !last || matches!(self, Coding::Hex(_)) || rest.len() < 2 {
            return Some(skip + whole);
        }
        // An end without its padding holds some bytes more.
        let (width, count) = (8 * bytes / group, rest.len() * bytes / group);
        let bits = self.bits(rest) << (width * (group - rest.len()));
        out.extend_from_slice(&bits.to_be_bytes()[8 - bytes..8 - bytes + count]);
        Some(skip + run.len())
    }
}

/// Whether bytes are text, in any language: ASCII and whole characters of UTF-8, but for one byte in ten.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let mut judge = Judge::new(bytes.len());
    bytes.iter().try_for_each(|&byte| judge.read(byte)).is_some()
}

/// Reads bytes until too many of them are none of a text.
#[derive(Debug)]
struct Judge {
    /// How many may yet be odd.
    odd_left: usize,
    /// Bytes of a character beyond ASCII that were read, and that are to come.
    read: usize,
    to_come: usize,
}

impl Judge {
    /// For a text of so many bytes.
    fn new(bytes: usize) -> Judge {
        Judge { odd_left: bytes / 10, read: 0, to_come: 0 }
    }

    /// `None`: it is no text.
    #[inline]
    fn read(&mut self, byte: u8) -> Option<()> {
        let kind = KINDS[usize::from(byte)];
        if self.to_come > 0 {
            if kind == TAIL {
                (self.read, self.to_come) = (self.read + 1, self.to_come - 1);
                return Some(());
            }
            self.odd_left = self.odd_left.checked_sub(self.read)?;
            self.to_come = 0;
        }
        match kind {
            ASCII => {}
            ODD | TAIL => self.odd_left = self.odd_left.checked_sub(1)?,
            to_come => (self.read, self.to_come) = (1, usize::from(to_come)),
        }
        Some(())
    }
}

/// Per byte what it is in a text: its own character, part of one, or neither. Others begin a character: so many follow.
const KINDS: [u8; 256] = {
    let mut kinds = [ODD; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            0x20..=0x7E | b'\t' | b'\n' | b'\r' => ASCII,
            0x80..=0xBF => TAIL,
            0xC2..=0xDF => 1,
            0xE0..=0xEF => 2,
            0xF0..=0xF4 => 3,
            _ => ODD,
        };
        byte += 1;
    }
    kinds
};
const ASCII: u8 = 0;
const TAIL: u8 = 4;
const ODD: u8 = 5;

/// A text in UTF-16 that is read in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wide {
    is_big_endian: bool,
    /// The first byte of a unit whose second one has not come yet.
    odd: Option<u8>,
}

impl Wide {
    /// If its units are ASCII often enough, whatever the language of the text.
    fn of(bytes: &[u8]) -> Option<Wide> {
        let (units, _) = bytes.as_chunks::<2>();
        let is_ascii = |low: u8, high: u8| high == 0 && KINDS[usize::from(low)] == ASCII;
        let little = units.iter().filter(|[low, high]| is_ascii(*low, *high)).count();
        let big = units.iter().filter(|[high, low]| is_ascii(*low, *high)).count();
        let enough = little.max(big) >= WIDE_UNITS_MIN.max(units.len() / WIDE_SHARE);
        enough.then_some(Wide { is_big_endian: big > little, odd: None })
    }

    /// Reads a piece into UTF-8. Characters of two units are left out.
    pub(super) fn read(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.clear();
        for &byte in bytes {
            let Some(first) = self.odd.take() else {
                self.odd = Some(byte);
                continue;
            };
            let unit = if self.is_big_endian { [first, byte] } else { [byte, first] };
            if let Some(character) = char::from_u32(u32::from(u16::from_be_bytes(unit))) {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
}

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
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    use super::*;

    fn decoded(coding: Coding, run: &str) -> Option<(String, usize)> {
        let mut out = Vec::new();
        let used = coding.decode(run.as_bytes(), false, true, &mut out)?;
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

    #[test]
    fn names_and_paths_are_no_base64() {
        for run in ["src/trace/table/mark_network", "application_connection_timeout", "getPendingInvitationsByUser"] {
            let read = |coding: Coding| coding.decode(run.as_bytes(), false, true, &mut Vec::new());
            assert!(Coding::of(run.as_bytes()).all(|coding| read(coding).is_none()), "{run}");
            assert_eq!(Coding::of_wide(run.as_bytes(), &mut Vec::new()), None, "{run}");
        }
    }

    #[test]
    fn text_is_text_in_every_language() {
        for text in ["plain\n", "Größe prüfen: äöü", "# Конфигурация", "設定ファイルです。", "🔑🚀╔═══╗"]
        {
            assert!(is_text(text.as_bytes()), "{text}");
        }
        for bytes in [&b"\x9f\x9f\x9f"[..], b"\xd0a\xd0a\xd0a", b"\0a\0b\0c", b"ab\xff\xfe", b"\xe8\xa8a\xe8\xa8b"] {
            assert!(!is_text(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn wide_text_is_told_by_its_ascii() {
        for text in ["$password = \"x\"", "# Größe\nkey=1", "# Конфигурация\nKEY=abc"] {
            for (bytes, is_big_endian) in [(u16::to_le_bytes as fn(u16) -> [u8; 2], false), (u16::to_be_bytes, true)] {
                let read = Wide { is_big_endian, odd: None };
                let wide: Vec<u8> = text.encode_utf16().flat_map(bytes).collect();
                let run = format!("ab/{}", STANDARD_NO_PAD.encode(&wide));
                let mut sample = Vec::new();
                assert_eq!(Coding::of_wide(run.as_bytes(), &mut sample), Some((Coding::Base64(3), read)), "{text}");
                let hex: String = wide.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(Coding::of_wide(hex.as_bytes(), &mut sample), Some((Coding::Hex(0), read)), "{text}");
            }
        }
        let (mut wide, mut out) = (Wide { is_big_endian: false, odd: None }, Vec::new());
        wide.read(b"a\0\x14", &mut out);
        assert_eq!(out, b"a");
        wide.read(b"\x04\x3d\xd8b\0", &mut out);
        assert_eq!(out, "Дb".as_bytes());
        for run in ["AAAAB3NzaC1yc2EAAAADAQABAAABgQDq8Zr2LmX9vT4ksrHtEPi6IHLONKV", "AGENT/AGENDA/AFTER/ALL/AND/ABOVE"] {
            assert_eq!(Coding::of_wide(run.as_bytes(), &mut Vec::new()), None, "{run}");
        }
    }

    #[test]
    fn what_begins_behind_a_few_letters_is_read_in_pieces() {
        let run = format!("ab/{}", STANDARD_NO_PAD.encode("hello there, all"));
        let mut out = Vec::new();
        assert_eq!(Coding::Base64(3).decode(&run.as_bytes()[..13], false, false, &mut out), Some(11));
        assert_eq!(out, b"hello ");
    }

    #[test]
    fn a_run_is_read_in_the_ways_its_characters_allow() {
        assert_eq!(Coding::of(&b"0f".repeat(16)).next(), Some(Coding::Hex(0)));
        assert_eq!(Coding::of(&b"AB23".repeat(8)).last(), Some(Coding::Base32));
        assert!(Coding::of(&b"Ab23".repeat(8)).all(|it| it != Coding::Base32));
    }
}
