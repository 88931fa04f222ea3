//! What the line up to a match tells: whether it is code that runs, or a comment, a literal, a removed line or prose.

use super::{Block, Language, Surroundings};

/// Words that stand in sentences and hardly ever in a line of code outside its literals and comments.
const SENTENCE_WORDS: [&str; 66] = [
    "the",
    "never",
    "avoid",
    "avoids",
    "instead",
    "should",
    "because",
    "please",
    "which",
    "these",
    "those",
    "you",
    "your",
    "we",
    "our",
    "they",
    "their",
    "don't",
    "doesn't",
    "isn't",
    "can't",
    "won't",
    "calls",
    "called",
    "calling",
    "such",
    "also",
    "always",
    "whenever",
    "uses",
    "would",
    "could",
    "cannot",
    "example",
    "vulnerable",
    "dangerous",
    "insecure",
    "replaced",
    "replaces",
    "explain",
    "explains",
    "was",
    "were",
    "been",
    "have",
    "than",
    "there",
    "here",
    "how",
    "why",
    "what",
    "does",
    "just",
    "with:",
    "this:",
    "like:",
    "e.g.",
    "i.e.",
    "prefer",
    "consider",
    "uses:",
    "removed",
    "found",
    "using:",
    "must",
    "it's",
];
/// Words that begin lines of code which may go on with further plain words.
const CODE_WORDS: [&str; 72] = [
    "public",
    "private",
    "protected",
    "internal",
    "static",
    "final",
    "const",
    "let",
    "var",
    "val",
    "export",
    "async",
    "await",
    "def",
    "class",
    "return",
    "unsigned",
    "signed",
    "int",
    "char",
    "long",
    "short",
    "float",
    "double",
    "if",
    "else",
    "elif",
    "for",
    "while",
    "until",
    "unless",
    "switch",
    "case",
    "new",
    "throw",
    "yield",
    "import",
    "from",
    "sudo",
    "fn",
    "pub",
    "func",
    "function",
    "override",
    "virtual",
    "extern",
    "inline",
    "try",
    "except",
    "finally",
    "with",
    "assert",
    "not",
    "del",
    "raise",
    "lambda",
    "global",
    "local",
    "my",
    "select",
    "insert",
    "update",
    "delete",
    "create",
    "grant",
    "alter",
    "go",
    "defer",
    "struct",
    "volatile",
    "auto",
    "when",
];
/// So many plain words in a row are a sentence.
const SENTENCE_WORDS_MIN: usize = 3;

/// Whether a match `whole` is code, by what stands before it on its line. `before` ends where the match begins.
pub(super) fn is_code(before: &[u8], whole: &[u8], around: &Surroundings, quoted: bool) -> bool {
    let line = memchr::memrchr2(b'\n', b'\r', before).map_or(before, |at| &before[at + 1..]);
    let line = match line.first() {
        Some(b'-') if around.patch => return false,
        Some(b'+') => &line[1..],
        _ => line,
    };
    let trimmed = line.trim_ascii_start();
    if trimmed.starts_with(b"```") || trimmed.starts_with(b"~~~") || begins_as_comment(trimmed, around.block) {
        return false;
    }
    let mut reader = LineReader { line, at: 0, language: around.block.language(), code: Vec::new() };
    match reader.read() {
        End::Comment => false,
        End::Literal(quote, length) if !quoted && (length > 0 || !is_word_literal(whole, quote)) => false,
        End::Literal(..) | End::Code => {
            around.block != Block::Text || !is_prose(&reader.code) && !goes_on_as_prose(whole)
        }
    }
}

/// Verbs that go on with a sentence behind a call that it names.
const SENTENCE_VERBS: [&str; 22] = [
    "is", "are", "was", "can", "will", "should", "must", "runs", "executes", "allows", "does", "would", "could", "may",
    "might", "has", "makes", "lets", "returns", "calls", "opens", "which",
];

/// Whether a sentence goes on behind the call that a match begins with: `load(x) is unsafe`.
fn goes_on_as_prose(whole: &[u8]) -> bool {
    let line = memchr::memchr(b'\n', whole).map_or(whole, |end| &whole[..end]);
    let Some(end) = memchr::memchr(b')', line) else { return false };
    let rest = String::from_utf8_lossy(&line[end + 1..]);
    let mut words = rest.strip_prefix(' ').unwrap_or_default().split(' ');
    let verb = words.next().unwrap_or_default();
    let next = words.next().unwrap_or_default().trim_end_matches(['.', ',', ';', ':']);
    SENTENCE_VERBS.contains(&verb) && !next.is_empty() && next.chars().all(char::is_alphabetic)
}

/// Signs that make a line a comment when it begins with them.
fn begins_as_comment(line: &[u8], block: Block) -> bool {
    let known = block.language().is_some_and(|language| language != Language::Other);
    match line {
        [b'*', b' ' | b'\t' | b'/' | b'*', ..] | [b'*'] => true,
        [b'-', b'-', b' ', ..] => !matches!(block.language(), Some(Language::Yaml | Language::Shell)),
        [b';' | b'%', b' ' | b';' | b'%', ..] => !known,
        _ => false,
    }
}

/// A match that begins with the inside of a literal and goes on behind it, as `Header-Name", "value"` does.
fn is_word_literal(whole: &[u8], quote: u8) -> bool {
    let word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'/' | b' ');
    let length = whole.iter().take_while(word).count();
    whole.get(length) == Some(&quote)
}

/// How the line ends where the match begins.
enum End {
    Code,
    Comment,
    /// In a literal with this quote, of which so many bytes are before the match.
    Literal(u8, usize),
}

/// Reads a line as most languages would: literals, their interpolations, comments.
struct LineReader<'a> {
    line: &'a [u8],
    at: usize,
    language: Option<Language>,
    /// What stands outside literals.
    code: Vec<u8>,
}

impl LineReader<'_> {
    fn read(&mut self) -> End {
        while self.at < self.line.len() {
            if self.begins_comment() {
                return End::Comment;
            }
            // A comment that is closed again was skipped, to the end of the line perhaps.
            let Some(&byte) = self.line.get(self.at) else { break };
            self.at += 1;
            if self.begins_literal(byte) {
                let begin = self.at;
                if !self.literal(byte) {
                    return End::Literal(byte, self.line.len() - begin);
                }
                self.code.push(b'"');
            } else {
                self.code.push(byte);
            }
        }
        End::Code
    }

    fn before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).map(|index| self.line[index])
    }

    /// Whether a comment begins here that is not closed again on this line.
    fn begins_comment(&mut self) -> bool {
        let rest = &self.line[self.at..];
        let previous = self.before(self.at);
        let apart = previous.is_none_or(|byte| matches!(byte, b' ' | b'\t' | b';' | b'{' | b'}' | b')' | b','));
        match rest {
            [b'#', next @ ..] => match self.language.and_then(Language::has_hash_comments) {
                Some(true) => apart && next.first() != Some(&b'['),
                Some(false) => false,
                None => apart && matches!(next.first(), None | Some(b' ' | b'#' | b'!' | b':' | b'\t')),
            },
            [b'/', b'/', ..] => match self.language.and_then(Language::has_slash_comments) {
                Some(true) => previous != Some(b':'),
                Some(false) => false,
                None => apart,
            },
            [b'-', b'-', next @ ..] => {
                self.language == Some(Language::Sql) && next.first().is_none_or(|&byte| byte == b' ')
            }
            [b'/', b'*', next @ ..] => {
                let has_comments = self.language.map(Language::has_slash_comments) != Some(Some(false));
                let is_one = has_comments && apart && !matches!(next.first(), Some(b'.' | b'"' | b'\''));
                is_one && !self.skip_past(b"*/")
            }
            [b'<', b'!', b'-', b'-', ..] => !self.skip_past(b"-->"),
            _ => false,
        }
    }

    /// Goes on behind the end of a comment, if that stands on the line.
    fn skip_past(&mut self, end: &[u8]) -> bool {
        match memchr::memmem::find(&self.line[self.at..], end) {
            Some(found) => {
                self.at += found + end.len();
                true
            }
            None => false,
        }
    }

    fn begins_literal(&self, byte: u8) -> bool {
        let at = self.at - 1;
        match byte {
            b'"' => true,
            b'`' => self.language != Some(Language::Shell),
            b'\'' => {
                let letters = self.line[..at].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                let marked = letters <= 2 && self.line[at - letters..at].iter().all(|byte| b"rRbBuUfF".contains(byte));
                let is_lifetime = matches!(self.before(at), Some(b'&' | b'<'))
                    && matches!(self.language, None | Some(Language::Rust))
                    && !self.line[at + 1..].iter().take(3).any(|&byte| byte == b'\'');
                (letters == 0 || marked) && !is_lifetime
            }
            _ => false,
        }
    }

    /// Goes on behind the literal whose quote was just read; false if the match stands in it.
    fn literal(&mut self, quote: u8) -> bool {
        let marks = self.line[..self.at - 1].iter().rev().take(2);
        let is_template =
            marks.take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'$').any(|byte| b"fF$".contains(byte));
        while let Some(&byte) = self.line.get(self.at) {
            self.at += 1;
            let previous = self.before(self.at - 1);
            let interpolation = match byte {
                b'{' if quote != b'\'' && (is_template || matches!(previous, Some(b'$' | b'#'))) => Some(b'}'),
                b'(' if quote != b'\'' && previous == Some(b'$') => Some(b')'),
                _ => None,
            };
            if interpolation.is_some_and(|end| !self.interpolation(end)) || byte == quote {
                return true;
            }
            if byte == b'\\' && !(quote == b'`' && self.language == Some(Language::Go)) {
                self.at += 1;
            }
        }
        false
    }

    /// Goes on behind an interpolation; false if the match stands in it, which is code.
    fn interpolation(&mut self, end: u8) -> bool {
        match memchr::memchr(end, &self.line[self.at.min(self.line.len())..]) {
            Some(found) => {
                self.at += found + 1;
                true
            }
            None => {
                self.at = self.line.len();
                false
            }
        }
    }
}

/// Whether what stands before a match reads like a sentence.
fn is_prose(code: &[u8]) -> bool {
    let text = String::from_utf8_lossy(code);
    let text = text.trim_start_matches(|it: char| it.is_whitespace() || matches!(it, '>' | '-' | '*' | '+' | '•'));
    let numbered = text.trim_start_matches(|it: char| it.is_ascii_digit());
    let text = if numbered.starts_with(['.', ')']) { numbered[1..].trim_start() } else { text };
    let words: Vec<&str> = text.split_whitespace().collect();
    if text.starts_with("Use ") || text.starts_with("Using ") {
        return true;
    }
    let says_so = |word: &&str| {
        let word = word.trim_end_matches([',', '.', ';', '!', '?']).trim_start_matches('(');
        SENTENCE_WORDS.iter().any(|it| it.eq_ignore_ascii_case(word))
    };
    if words.iter().any(says_so) {
        return true;
    }
    let plain = |word: &&str| {
        let word = word.trim_end_matches([',', ':', '.']);
        !word.is_empty() && word.chars().all(|it| it.is_alphabetic() || it == '\'' || it == '’')
    };
    let begins_code = |word: &&&str| CODE_WORDS.iter().any(|it| it.eq_ignore_ascii_case(word));
    let shouted = |word: &&&str| word.chars().all(|it| it.is_ascii_uppercase());
    words.len() >= SENTENCE_WORDS_MIN
        && words.iter().all(plain)
        && words.first().filter(begins_code).is_none()
        && words.first().filter(shouted).is_none()
}
