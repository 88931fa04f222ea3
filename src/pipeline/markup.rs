//! How far a text has come, as a browser would read it: whether it ends within a tag of HTML, which may be an image's.
//!
//! A text that grows is read as it grows, for a tag may begin any length before what stands in it.

/// Longest name that is told from others.
const NAME_BYTES_MAX: usize = 10;

/// Elements that fetch what they name, or are shown in a style that may: where `<<NAME` opens a line of a shell script, none
/// of them is meant.
const ELEMENTS: [&str; 30] = [
    "a", "audio", "base", "body", "button", "div", "embed", "form", "frame", "iframe", "image", "img", "input", "link",
    "meta", "object", "p", "q", "script", "source", "span", "style", "svg", "table", "td", "th", "tr", "track", "use",
    "video",
];

/// What was read last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// `<`, or several of them.
    Less { twice: bool },
    /// The name of a tag.
    Name { twice: bool },
    /// What stands between the attributes' values, perhaps with a line that is blank so far.
    Tag { equals: bool, line: bool },
    /// A value in quotes of this kind.
    Quoted(u8),
}

/// A text so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Markup {
    state: State,
    name: [u8; NAME_BYTES_MAX],
    length: usize,
}

impl Markup {
    /// Reads on.
    pub(super) fn read(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        loop {
            let skipped = match self.state {
                State::Text => memchr::memchr(b'<', rest).map(|at| (at, State::Less { twice: false })),
                State::Quoted(quote) => {
                    memchr::memchr(quote, rest).map(|at| (at, State::Tag { equals: false, line: false }))
                }
                _ => {
                    let Some((&byte, behind)) = rest.split_first() else { return };
                    rest = behind;
                    self.state = self.next(byte);
                    continue;
                }
            };
            let Some((at, state)) = skipped else { return };
            rest = &rest[at + 1..];
            self.state = state;
        }
    }

    /// Whether what follows belongs to a tag.
    pub(super) fn is_in_tag(&self) -> bool {
        !matches!(self.state, State::Text | State::Less { .. })
    }

    fn next(&mut self, byte: u8) -> State {
        match self.state {
            State::Less { .. } if byte == b'<' => State::Less { twice: true },
            State::Less { twice } if byte.is_ascii_alphabetic() => {
                self.length = 0;
                self.name(byte, twice)
            }
            State::Less { .. } => State::Text,
            State::Name { twice } => match byte {
                b'<' => State::Less { twice: false },
                b'\n' if twice && !self.is_element() => State::Text,
                b' ' | b'\t' | b'\r' | b'\n' | b'/' => State::Tag { equals: false, line: byte == b'\n' },
                // An address between `<` and `>` is a link, too.
                b'-' | b':' | b'.' | b'+' | b'@' => self.name(byte, twice),
                byte if byte.is_ascii_alphanumeric() => self.name(byte, twice),
                _ => State::Text,
            },
            State::Tag { equals, line } => match byte {
                b'>' => State::Text,
                // Nothing goes on behind a blank line but a value in quotes.
                b'\n' if line => State::Text,
                b'\n' => State::Tag { equals, line: true },
                b' ' | b'\t' | b'\r' => State::Tag { equals, line },
                b'"' | b'\'' if equals => State::Quoted(byte),
                _ => State::Tag { equals: byte == b'=', line: false },
            },
            state @ (State::Text | State::Quoted(_)) => state,
        }
    }

    fn name(&mut self, byte: u8, twice: bool) -> State {
        if let Some(place) = self.name.get_mut(self.length) {
            *place = byte.to_ascii_lowercase();
        }
        self.length += 1;
        State::Name { twice }
    }

    fn is_element(&self) -> bool {
        let name = self.name.get(..self.length).unwrap_or_default();
        ELEMENTS.iter().any(|it| it.as_bytes() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in_tag(text: &str) -> bool {
        let mut whole = Markup::default();
        whole.read(text);
        for (cut, _) in text.char_indices() {
            let mut markup = Markup::default();
            [&text[..cut], &text[cut..]].into_iter().for_each(|piece| markup.read(piece));
            assert_eq!(markup.is_in_tag(), whole.is_in_tag(), "{text} cut at {cut}");
        }
        whole.is_in_tag()
    }

    #[test]
    fn a_tag_is_open_until_it_closes_outside_of_quotes() {
        for text in [
            "<img src=\"https://evil.test/?q= ",
            "<img src=\"https://evil.test/?q=\n",
            "<img src=\"https://evil.test/?q=\n\n",
            "<img alt=\">\" src=https:&#47;&#47;evil.test/",
            "<img src=\"\\\\evil.test\\",
            "<a href='x\"y",
            "<<img\nsrc=\"",
            "<https://evil.test/?q= ",
            "<b x>fine</b><video\nposter = \"",
        ] {
            assert!(is_in_tag(text), "{text}");
            let mut markup = Markup::default();
            markup.read(text);
            markup.read(&"many words ".repeat(9000));
            assert!(markup.is_in_tag(), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_tag_is_text() {
        for text in [
            "fine",
            "<img src=\"x\">",
            "if a < b && c",
            "for (i=0;i<n;i++) {",
            "Vec<String, ",
            "Vec<T>",
            "cat <<EOF\nKEY=",
            "cat <<END_OF_IT\nKEY=",
            "</a ",
            "<!-- ",
            "x <y z\n\nand so on ",
            "1 <",
        ] {
            assert!(!is_in_tag(text), "{text}");
        }
    }
}
