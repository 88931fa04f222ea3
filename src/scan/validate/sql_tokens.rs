//! SQL as a row of tokens, read leniently: what a value would be if a database read it. Not a parser.

/// Tokens of a value that are looked at.
pub(super) const TOKENS_MAX: usize = 96;

/// A comment of so many bytes, its sign included, says nothing.
const COMMENT_BYTES_MUTE: usize = 8;

/// A piece of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Number,
    /// A name or keyword. Case is the reader's to ignore.
    Word(&'a [u8]),
    /// `@name` or `@@name`.
    Variable,
    /// A string in quotes.
    Text {
        /// Whether its closing quote is missing: the statement around the value brings it.
        open: bool,
    },
    /// An operator of signs: `=`, `<>`, `||`, `+`.
    Operator(&'a [u8]),
    Open,
    Close,
    Comma,
    Dot,
    Semicolon,
    /// A comment behind which nothing follows: the rest of the statement around the value is cut off.
    Cut {
        /// Whether it says something: people do, values that only cut off do not.
        told: bool,
    },
    /// What SQL has no use for.
    Other,
}

impl Token<'_> {
    /// Whether it is one of these lower-case words.
    pub(super) fn is_one_of(&self, words: &[&str]) -> bool {
        matches!(self, Token::Word(word) if words.iter().any(|it| word.eq_ignore_ascii_case(it.as_bytes())))
    }
}

/// The tokens of `text`, at most [`TOKENS_MAX`].
pub(super) fn tokens(text: &[u8]) -> Vec<Token<'_>> {
    let mut reader = Reader { text, at: 0 };
    let mut found = Vec::new();
    while found.len() < TOKENS_MAX
        && let Some(token) = reader.next()
    {
        found.push(token);
    }
    found
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = &self.text[self.at..];
            let first = *rest.first()?;
            match first {
                0..=b' ' => self.at += 1,
                b'*' if rest.starts_with(b"*/") => self.at += 2,
                b'/' if rest.starts_with(b"/*!") => {
                    // What stands in such a comment is run by one vendor's database.
                    self.at += 3;
                    self.run(|byte| byte.is_ascii_digit());
                }
                b'/' if rest.starts_with(b"/*") => match find(&rest[2..], b"*/") {
                    Some(length) => self.at += length + 4,
                    None => return self.cut(rest),
                },
                _ if first == b'#' || rest.starts_with(b"--") => {
                    if !self.skip_line(rest) {
                        return self.cut(rest);
                    }
                }
                _ => return Some(self.token(first)),
            }
        }
    }

    /// Skips a comment to the end of its line; false where nothing stands behind it.
    fn skip_line(&mut self, rest: &[u8]) -> bool {
        let line = rest.iter().position(|&byte| byte == b'\n');
        match line {
            Some(length) if rest[length..].iter().any(|byte| !byte.is_ascii_whitespace()) => {
                self.at += length + 1;
                true
            }
            _ => false,
        }
    }

    fn cut(&mut self, rest: &[u8]) -> Option<Token<'a>> {
        self.at = self.text.len();
        Some(Token::Cut { told: rest.trim_ascii().len() > COMMENT_BYTES_MUTE })
    }

    fn token(&mut self, first: u8) -> Token<'a> {
        let rest = &self.text[self.at..];
        match first {
            b'\'' | b'"' | b'`' => self.quoted(first),
            b'0'..=b'9' => self.number(),
            b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => self.number(),
            b'@' => {
                self.run(|byte| byte == b'@' || is_word(byte));
                Token::Variable
            }
            _ if is_word(first) => Token::Word(self.run(is_word)),
            _ if b"=<>!|&^%+*/~-".contains(&first) => self.operator(first),
            _ => {
                self.at += 1;
                match first {
                    b'(' => Token::Open,
                    b')' => Token::Close,
                    b',' => Token::Comma,
                    b'.' => Token::Dot,
                    b';' => Token::Semicolon,
                    _ => Token::Other,
                }
            }
        }
    }

    /// Comparisons and doubled signs are one operator; other signs stand alone, so that `=-+1` is three.
    fn operator(&mut self, first: u8) -> Token<'a> {
        let rest = &self.text[self.at..];
        let length = match first {
            b'=' | b'<' | b'>' | b'!' => rest.iter().take(3).take_while(|byte| b"=<>!".contains(byte)).count(),
            b'|' | b'&' if rest.get(1) == Some(&first) => 2,
            _ => 1,
        };
        self.at += length;
        Token::Operator(&rest[..length])
    }

    fn number(&mut self) -> Token<'a> {
        let rest = &self.text[self.at..];
        if rest.starts_with(b"0x") || rest.starts_with(b"0X") {
            self.at += 2;
            self.run(|byte| byte.is_ascii_hexdigit());
            return Token::Number;
        }
        self.run(|byte| byte.is_ascii_digit() || byte == b'.');
        // An exponent, where digits follow: `1e1AND` is a number and a word.
        let rest = &self.text[self.at..];
        if matches!(rest, [b'e' | b'E', b'0'..=b'9', ..]) {
            self.at += 1;
            self.run(|byte| byte.is_ascii_digit());
        }
        Token::Number
    }

    /// A string to its closing quote; doubled quotes and escaped bytes belong to it.
    fn quoted(&mut self, quote: u8) -> Token<'a> {
        self.at += 1;
        while let Some(&byte) = self.text.get(self.at) {
            self.at += 1;
            if byte == b'\\' {
                self.at += 1;
            } else if byte == quote {
                if self.text.get(self.at) != Some(&quote) {
                    return Token::Text { open: false };
                }
                self.at += 1;
            }
        }
        self.at = self.text.len();
        Token::Text { open: true }
    }

    fn run(&mut self, class: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = &self.text[self.at..];
        let length = rest.iter().take_while(|&&byte| class(byte)).count();
        self.at += length;
        &rest[..length]
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_space_unless_nothing_follows() {
        let word = |text: &'static str| Token::Word(text.as_bytes());
        assert_eq!(tokens(b"a/* x */b"), [word("a"), word("b")]);
        assert_eq!(tokens(b"a-- x\nb # y\nc"), [word("a"), word("b"), word("c")]);
        assert_eq!(tokens(b"a --"), [word("a"), Token::Cut { told: false }]);
        assert_eq!(tokens(b"a -- to be cleaned\n "), [word("a"), Token::Cut { told: true }]);
        assert_eq!(tokens(b"/*!50000a*/b"), [word("a"), word("b")]);
        assert_eq!(tokens(b"/* open"), [Token::Cut { told: false }]);
    }

    #[test]
    fn strings_numbers_and_signs_are_told_apart() {
        assert_eq!(tokens(b"'it''s' 'x"), [Token::Text { open: false }, Token::Text { open: true }]);
        assert_eq!(
            tokens(b"0x1f 1e5 .5 7and"),
            [Token::Number, Token::Number, Token::Number, Token::Number, Token::Word(b"and")]
        );
        assert_eq!(tokens(b"<=>||-"), [Token::Operator(b"<=>"), Token::Operator(b"||"), Token::Operator(b"-")]);
        assert_eq!(
            tokens(b"@@v(,.;)"),
            [Token::Variable, Token::Open, Token::Comma, Token::Dot, Token::Semicolon, Token::Close]
        );
    }

    #[test]
    fn a_row_is_bounded() {
        assert_eq!(tokens(&b"( ".repeat(1000)).len(), TOKENS_MAX);
        assert_eq!(tokens(b"'\\"), [Token::Text { open: true }]);
    }
}
