//! What programs that list, search and compare files put before a line of them: a number, a path, a sign.
//!
//! An assignment over two lines goes on behind it, if the line with its name begins in the same way.

/// Longest path that stands before a line, bytes.
const PATH_BYTES_MAX: usize = 120;
/// Most spaces before a line's number, and most digits of it.
const BLANKS_MAX: usize = 10;
const DIGITS_MAX: usize = 7;

/// How the lines of a text begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// `    12→`, `12:`, `12-`, `12 | `, `[12] `, `L12: `: `cat -n`, `grep -n` and what shows files to a model.
    Numbers,
    /// `path/of/a.file:`, and a number behind it: `grep` in several files.
    Paths,
    /// `+`, `-` or `>`: a patch, a quotation.
    Sign(u8),
    /// The space before a line that a patch leaves as it is.
    Unchanged,
}

impl Listing {
    /// How this line begins, which the name of an assignment stands in; `None`: with what is its own.
    pub(super) fn of(line: &[u8]) -> Option<Listing> {
        if numbered(line) > 0 {
            return Some(Listing::Numbers);
        }
        if path(line) > 0 {
            return Some(Listing::Paths);
        }
        match *line {
            // An item of a list in YAML is none that was taken away.
            [b'-', b' ', next, ..] if next != b' ' => None,
            [sign @ (b'+' | b'-' | b'>'), ..] => Some(Listing::Sign(sign)),
            [b' ', ..] => Some(Listing::Unchanged),
            _ => None,
        }
    }

    /// So many bytes of a line tell how it begins.
    pub(super) fn bytes_max(self) -> usize {
        match self {
            Listing::Numbers => BLANKS_MAX + DIGITS_MAX + 5,
            Listing::Paths => PATH_BYTES_MAX + DIGITS_MAX + 2,
            Listing::Sign(_) => 1,
            Listing::Unchanged => 3,
        }
    }

    /// Bytes of a later line that do not belong to it.
    pub(super) fn prefix(self, line: &[u8]) -> usize {
        match self {
            Listing::Numbers => numbered(line),
            Listing::Paths => path(line),
            Listing::Sign(sign) => usize::from(line.first() == Some(&sign)),
            Listing::Unchanged => usize::from(matches!(line, [b'+' | b'-', b' ', b' ', ..])),
        }
    }
}

/// Length of a number and the sign behind it.
fn numbered(line: &[u8]) -> usize {
    let blanks = count(line, BLANKS_MAX, |byte| byte == b' ');
    let opener = usize::from(matches!(line.get(blanks), Some(b'[' | b'L')));
    let from = blanks + opener;
    let digits = count(&line[from..], DIGITS_MAX + 1, |byte| byte.is_ascii_digit());
    if digits == 0 || digits > DIGITS_MAX {
        return 0;
    }
    let at = from + digits;
    let sign = match &line[at..] {
        [b']', b' ', ..] if opener > 0 => 2,
        rest if rest.starts_with("→".as_bytes()) => "→".len(),
        [b'\t' | b':' | b'|', ..] => 1,
        [b' ', b'|', ..] => 2,
        // Around what was searched for: a date goes on with digits.
        [b'-', next, ..] if !next.is_ascii_digit() => 1,
        _ => return 0,
    };
    at + sign
}

/// Length of a path, a sign, and perhaps a number and the sign again. A path has a slash or an ending.
fn path(line: &[u8]) -> usize {
    let is_path =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'@' | b'+' | b'~' | b'-');
    let length = count(line, PATH_BYTES_MAX, is_path);
    let named = (0..length).find(|&at| line[at] == b'/' || line[at] == b'.' && at > 0);
    let Some(named) = named else { return 0 };
    let digits = |from: usize| count(&line[from..], DIGITS_MAX, |byte| byte.is_ascii_digit());
    if line.get(length) == Some(&b':') {
        let number = digits(length + 1);
        let more = if number > 0 && line.get(length + 1 + number) == Some(&b':') { number + 1 } else { 0 };
        return length + 1 + more;
    }
    // Signs stand in paths, too: the last number between two of them is the line's.
    let numbers = (named + 1..length).rev().filter(|&at| line[at] == b'-').map(|at| (at, digits(at + 1)));
    let mut ended = numbers.filter(|&(at, number)| number > 0 && line.get(at + 1 + number) == Some(&b'-'));
    ended.next().map_or(0, |(at, number)| at + number + 2)
}

fn count(text: &[u8], bytes_max: usize, kind: impl Fn(u8) -> bool) -> usize {
    text.iter().take(bytes_max).take_while(|byte| kind(**byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_from_what_stands_before_it() {
        for (listing, prefix) in [
            (Listing::Numbers, "    12→"),
            (Listing::Numbers, "    12\t"),
            (Listing::Numbers, "12:"),
            (Listing::Numbers, "12-"),
            (Listing::Numbers, " 7 |"),
            (Listing::Numbers, "[12] "),
            (Listing::Numbers, "L12:"),
            (Listing::Paths, "k8s/dev.yaml:12:"),
            (Listing::Paths, "dev.yaml:"),
            (Listing::Paths, "k8s/dev-2.yaml-12-"),
            (Listing::Sign(b'+'), "+"),
            (Listing::Sign(b'-'), "-"),
            (Listing::Sign(b'>'), ">"),
        ] {
            let line = format!("{prefix}  value: 1");
            assert_eq!(Listing::of(line.as_bytes()), Some(listing), "{line}");
            assert_eq!(listing.prefix(line.as_bytes()), prefix.len(), "{line}");
        }
        assert_eq!(Listing::of(b"  - name: x"), Some(Listing::Unchanged));
        assert_eq!((Listing::Unchanged.prefix(b"+  value: 1"), Listing::Unchanged.prefix(b"- value: 1")), (1, 0));
    }

    #[test]
    fn what_a_line_says_itself_is_no_prefix() {
        for line in [
            "- name: x",
            "value: 1",
            "12 apples",
            "2024-01-02: x",
            "12345678:",
            "\"a.b\": 1",
            ".hidden:",
            "and/or x",
            "",
        ] {
            assert_eq!(Listing::of(line.as_bytes()), None, "{line}");
        }
        assert_eq!(Listing::Numbers.prefix(b"value: 1"), 0);
        assert_eq!(Listing::Paths.prefix(b"  value: 1"), 0);
    }
}
