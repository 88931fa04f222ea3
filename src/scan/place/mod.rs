//! Where a match stands: in a fence and of which language, in a comment, in a literal, in a removed line, in prose.
//!
//! Two things tell it. [`Marks`] follow the whole text: fences, literals and comments of several lines, patches. The
//! line up to the match ([`line::is_code`]) tells the rest. Both see only what stands before the match, so that how a
//! text is cut changes nothing.

mod language;
mod line;
mod marks;

pub use language::{Language, Languages};
pub(in crate::scan) use marks::{MARKS, Marks};

/// Of the line before a match so much is read.
const LINE_BYTES_MAX: usize = 256;

/// What is known of a place before its own line is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// What the place belongs to.
    pub block: Block,
    /// In a literal or comment that began on an earlier line.
    pub inside: bool,
    /// In a patch, whose lines that begin with `-` are those taken away.
    pub patch: bool,
    /// How many bytes before the place belong to the text itself: what stands before them is only context.
    pub own_bytes: usize,
}

/// What a place belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Block {
    /// Prose, or code that nothing marks as such.
    #[default]
    Text,
    /// Code, of this language where that is known.
    Code(Option<Language>),
    /// Text that an edit takes away.
    Removed,
    /// A document that could not be read, such as JSON that breaks off: what is code in it cannot be told from the rest,
    /// and all of it is taken as code.
    Broken,
}

impl Block {
    /// A number that no other one has.
    pub fn number(self) -> u8 {
        match self {
            Block::Text => 0,
            Block::Code(None) => 1,
            Block::Removed => 2,
            Block::Broken => 3,
            Block::Code(Some(language)) => 4 + language as u8,
        }
    }

    /// Its language, where that is known.
    pub fn language(self) -> Option<Language> {
        match self {
            Block::Text | Block::Removed | Block::Broken => None,
            Block::Code(language) => language,
        }
    }
}

impl Surroundings {
    /// Of the byte `at` in a text that is there as a whole.
    pub fn within(text: &[u8], at: usize) -> Surroundings {
        let mut marks = Marks::default();
        for end in 1..=at {
            for (kind, mark) in MARKS.iter().enumerate() {
                if end >= mark.len() && text[end - mark.len()..end].eq_ignore_ascii_case(mark.as_bytes()) {
                    marks.note(kind, end, 0, text);
                }
            }
        }
        marks.at(at)
    }

    /// Whether the match `whole` behind `before` is code that runs. `quoted`: literals are taken as code, too.
    pub fn is_code(&self, before: &[u8], whole: &[u8], quoted: bool) -> bool {
        match self.block {
            Block::Broken => return true,
            Block::Removed => return false,
            Block::Text | Block::Code(_) => {}
        }
        let own = &before[before.len().saturating_sub(self.own_bytes.min(LINE_BYTES_MAX))..];
        !self.inside && line::is_code(own, whole, self, quoted)
    }

    /// Whether rules for these languages hold here: they do where the language is unknown.
    pub fn speaks(&self, languages: Languages) -> bool {
        self.block.language().is_none_or(|language| languages.has(language))
    }
}

#[cfg(test)]
mod tests;
