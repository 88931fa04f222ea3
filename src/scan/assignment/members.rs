//! Values that do not stand behind their names: members of a record that says which name it is for.
//!
//! `name="…" value="…"`, `"name": "…", "value": "…"`, `variable "…" { default = "…" }`, `- name: … \n value: …`, and
//! `name:\n  Type: …\n  Default: …`, with a few other members between.

use super::syntax::{GAP_BYTES_MAX, Reader, Separator, Stop, is_blank, is_name, is_quote};

/// Other members that may stand before the value.
pub(super) const MEMBERS_MAX: usize = 4;
/// Longest name and longest value of another member, bytes.
const MEMBER_BYTES_MAX: usize = 32;
const OTHER_BYTES_MAX: usize = 160;

impl Reader<'_> {
    /// The value of a record whose member the name is, or whose title; `name` is where the name ends, `closed` says that
    /// a quote stands there.
    pub(super) fn later_value(&mut self, name: usize, closed: bool) -> Result<Option<Separator>, Stop> {
        if self.peek(0)? == Some(b',') {
            self.at += 1;
        }
        let from = self.at;
        self.skip_lines(|byte| is_blank(byte) || matches!(byte, b'\r' | b'{' | b'"' | b'\''))?;
        if self.at == name {
            return Ok(None);
        }
        let is_title = closed && self.text[from..self.at].contains(&b'{');
        let others_max = if is_title || is_member(self.before) { MEMBERS_MAX } else { 0 };
        let found = self.member_value(others_max, b"=:")?;
        if !found {
            self.at = from;
        }
        Ok(found.then_some(Separator::Sign))
    }

    /// Reads members up to the sign, one of `signs`, behind one that is called `value` or `default`.
    pub(super) fn member_value(&mut self, others_max: usize, signs: &[u8]) -> Result<bool, Stop> {
        for others in (0..=others_max).rev() {
            let from = self.at;
            self.skip(MEMBER_BYTES_MAX, is_name)?;
            let word = &self.text[from..self.at];
            let is_value = word.eq_ignore_ascii_case(b"value") || word.eq_ignore_ascii_case(b"default");
            if self.at == from || (!is_value && others == 0) {
                return Ok(false);
            }
            self.close()?;
            self.skip(GAP_BYTES_MAX, is_blank)?;
            match self.peek(0)? {
                Some(byte) if signs.contains(&byte) => self.at += 1,
                _ if is_value => return Err(Stop::No),
                _ => return Ok(false),
            }
            if is_value {
                return Ok(true);
            }
            if !self.pass_member()? {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Passes over the value of a member and what stands before the next one; false where no next one can follow.
    fn pass_member(&mut self) -> Result<bool, Stop> {
        self.skip(GAP_BYTES_MAX, |byte| is_blank(byte) || byte == b'>')?;
        let quote = self.peek(0)?.filter(|byte| is_quote(*byte));
        let from = self.at + usize::from(quote.is_some());
        self.at = from;
        let ends = |byte: u8| match quote {
            Some(quote) => byte == quote || byte == b'\n',
            None => matches!(byte, b'\n' | b',' | b';' | b'{' | b'}' | b'[' | b']' | b'<'),
        };
        self.skip(OTHER_BYTES_MAX, |byte| !ends(byte))?;
        let ended = if quote.is_some() { self.peek(0)? == quote } else { self.at > from };
        if !ended {
            return Ok(false);
        }
        self.at += usize::from(quote.is_some());
        let between = self.at;
        self.skip_lines(|byte| is_blank(byte) || matches!(byte, b'\r' | b',' | b';' | b'"' | b'\''))?;
        Ok(self.at > between)
    }

    /// `</key>` behind the name and `<string>` before the value.
    pub(super) fn next_element(&mut self) -> Result<(), Stop> {
        self.at += 2;
        self.skip(MEMBER_BYTES_MAX, is_name)?;
        let closes = self.peek(0)? == Some(b'>');
        self.at += usize::from(closes);
        self.skip_lines(|byte| is_blank(byte) || byte == b'\r')?;
        if !closes || self.peek(0)? != Some(b'<') {
            return Err(Stop::No);
        }
        self.at += 1;
        let from = self.at;
        self.skip(MEMBER_BYTES_MAX, is_name)?;
        if !matches!(&self.text[from..self.at], b"string" | b"value") || self.peek(0)? != Some(b'>') {
            return Err(Stop::No);
        }
        self.at += 1;
        Ok(())
    }
}

/// Whether what the text ends with is the value of a member that names: `"name": "/prod/db/`.
fn is_member(before: &[u8]) -> bool {
    let back =
        |text: &[u8], kind: fn(u8) -> bool| text.len() - text.iter().rev().take_while(|byte| kind(**byte)).count();
    let before = &before[..back(before, |byte| is_name(byte) || byte == b'/')];
    let before = &before[..back(before, |byte| is_blank(byte) || is_quote(byte) || byte == b'\\')];
    let Some((b'=' | b':', before)) = before.split_last() else { return false };
    let before = &before[..back(before, |byte| is_blank(byte) || is_quote(byte) || byte == b'\\')];
    let word = &before[back(before, is_name)..];
    [&b"name"[..], b"key"]
        .iter()
        .any(|end| word.len() >= end.len() && word[word.len() - end.len()..].eq_ignore_ascii_case(end))
}
