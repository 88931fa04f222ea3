//! Reads one value at a time from the tree and collects what is wrong, so that one run names every mistake.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::keys;
use super::mistake::{MASK, Mistake};
use super::node::{Node, Span, Value};
use super::reference::{self, Resolve};
use super::units;
use crate::domain::{Money, Secret};

/// A misplaced text of fewer bytes is shown.
const KEY_BYTES_MIN: usize = 8;

/// A value and the path of its setting.
#[derive(Clone)]
pub(super) struct Field<'n> {
    pub(super) path: String,
    pub(super) node: &'n Node,
}

/// A mapping whose keys are all known.
pub(super) struct Section<'n> {
    fields: Vec<(&'n str, Field<'n>)>,
}

impl<'n> Section<'n> {
    pub(super) fn find(&self, key: &str) -> Option<&Field<'n>> {
        self.fields.iter().find(|(name, _)| *name == key).map(|(_, field)| field)
    }
}

/// An entry of a mapping with free keys.
pub(super) struct Entry<'n> {
    pub(super) name: &'n str,
    /// The name as it may be shown.
    pub(super) shown: &'n str,
    pub(super) name_span: Span,
    pub(super) field: Field<'n>,
}

pub(super) struct Reader<'a> {
    /// Names of the checkers that exist.
    pub(super) checkers: &'a [&'a str],
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Mistake>,
    /// What must not be shown of the text.
    pub(super) hidden: Vec<Span>,
    resolve: &'a Resolve<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(checkers: &'a [&'a str], resolve: &'a Resolve<'a>) -> Self {
        Reader { checkers, mistakes: Vec::new(), warnings: Vec::new(), hidden: Vec::new(), resolve }
    }

    /// Notes a mistake at a value.
    pub(super) fn reject(&mut self, field: &Field<'_>, what: impl Into<String>, expected: &str) {
        let mistake = Mistake::new(&field.path, Some(field.node.span), what);
        self.mistakes.push(mistake.expected(expected));
    }

    pub(super) fn warn(&mut self, field: &Field<'_>, what: impl Into<String>, help: &str) {
        self.warnings.push(Mistake::new(&field.path, Some(field.node.span), what).help(help));
    }

    /// The value as it may be shown: what the writer typed, not what a reference brought.
    pub(super) fn quote(&self, field: &Field<'_>) -> String {
        let start = field.node.span.start;
        match &field.node.value {
            Value::Scalar(_) if self.hidden.iter().any(|it| it.start <= start && start < it.end) => {
                format!("`{MASK}`")
            }
            Value::Scalar(text) if text.chars().count() <= 80 => format!("`{}`", text.escape_debug()),
            Value::Scalar(_) => "this text".to_owned(),
            Value::Null => "an empty value".to_owned(),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }

    /// Hides every value that is secret by its name, before anything is read or shown.
    pub(super) fn hide_secrets(&mut self, node: &Node, parent: &str) {
        match &node.value {
            Value::Null | Value::Scalar(_) => {}
            Value::Sequence(items) => items.iter().for_each(|it| self.hide_secrets(it, parent)),
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    match keys::secret(parent, &key.name) {
                        true => self.hide(value),
                        false => self.hide_secrets(value, &key.name),
                    }
                }
            }
        }
    }

    /// Hides every text in `node` but plain references.
    pub(super) fn hide(&mut self, node: &Node) {
        match &node.value {
            // Nothing, or an anchor without a value.
            Value::Null => self.hidden.push(node.span),
            Value::Sequence(items) => items.iter().for_each(|it| self.hide(it)),
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    self.hide(value);
                    if !nameable(&key.name, value) {
                        self.hidden.push(key.span);
                    }
                }
            }
            Value::Scalar(text) => {
                let inside = text.strip_prefix("${").and_then(|it| it.strip_suffix('}'));
                let reference = inside.is_some_and(|it| !it.contains(['}', ':'])) || text.starts_with("file:/");
                let plain = matches!(text.as_str(), "true" | "false");
                if !reference && !plain {
                    self.hidden.push(node.span);
                }
            }
        }
    }

    /// A value of the wrong kind may be a key that slipped into the wrong place, unless it is too short for one.
    fn hide_misplaced(&mut self, node: &Node) {
        match &node.value {
            Value::Scalar(text) if text.len() < KEY_BYTES_MIN => {}
            _ => self.hide(node),
        }
    }

    /// A mapping with the keys of `known` and no others.
    pub(super) fn section<'n>(&mut self, field: &Field<'n>, known: &[&str]) -> Option<Section<'n>> {
        let mut fields = Vec::new();
        for Entry { name, shown, name_span, field } in self.entries(field, known)? {
            if known.contains(&name) {
                fields.push((name, field));
                continue;
            }
            self.hide(field.node);
            let mistake = Mistake::new(&field.path, Some(name_span), format!("unknown key `{shown}`"));
            self.mistakes.push(mistake.one_of(name, known));
        }
        Some(Section { fields })
    }

    /// A mapping with keys of the writer's choice.
    pub(super) fn named<'n>(&mut self, field: &Field<'n>) -> Option<Vec<Entry<'n>>> {
        self.entries(field, &[])
    }

    fn entries<'n>(&mut self, field: &Field<'n>, known: &[&str]) -> Option<Vec<Entry<'n>>> {
        let Value::Mapping(entries) = &field.node.value else {
            self.hide_misplaced(field.node);
            let expected = match known {
                [] => "a mapping: names, each with its settings".to_owned(),
                known => format!("a mapping with the keys {}", known.join(", ")),
            };
            self.reject(field, format!("{} stands where a mapping belongs", self.quote(field)), &expected);
            return None;
        };
        let mut read = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            let shown = match nameable(&key.name, node) || known.contains(&key.name.as_str()) {
                true => key.name.as_str(),
                false => {
                    self.hidden.push(key.span);
                    MASK
                }
            };
            let path = if field.path.is_empty() { shown.to_owned() } else { format!("{}.{shown}", field.path) };
            read.push(Entry { name: &key.name, shown, name_span: key.span, field: Field { path, node } });
        }
        Some(read)
    }

    /// A list.
    pub(super) fn list<'n>(&mut self, field: &Field<'n>) -> Option<Vec<Field<'n>>> {
        let Value::Sequence(items) = &field.node.value else {
            self.hide_misplaced(field.node);
            self.reject(field, format!("{} stands where a list belongs", self.quote(field)), "a list: `[a, b]`");
            return None;
        };
        let item = |(index, node): (usize, &'n Node)| Field { path: format!("{}[{index}]", field.path), node };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// Text that is not empty, its references replaced.
    pub(super) fn text(&mut self, field: &Field<'_>) -> Option<String> {
        self.text_as(field, "text")
    }

    fn text_as(&mut self, field: &Field<'_>, expected: &str) -> Option<String> {
        let Value::Scalar(text) = &field.node.value else {
            self.reject(field, format!("{} stands where a value belongs", self.quote(field)), expected);
            return None;
        };
        match reference::expand(text, self.resolve) {
            Ok(text) if text.is_empty() => self.reject(field, "this value is empty", expected),
            Ok(text) => return Some(text),
            Err(reason) => self.reject(field, reason, expected),
        }
        None
    }

    /// A secret: text, `${NAME}` or `file:/path`.
    pub(super) fn secret(&mut self, field: &Field<'_>) -> Option<Secret> {
        const EXPECTED: &str = "the value, `${NAME}` or `file:/path`";
        let text = self.text_as(field, EXPECTED)?;
        // Only what the writer typed names a file; a value that a variable brought is a value.
        let text = match text.strip_prefix("file:").filter(|_| self.typed(field).starts_with("file:")) {
            Some(path) => self.contents(field, path)?,
            None => text,
        };
        self.checked_secret(field, text, EXPECTED)
    }

    /// A path whose file holds a secret.
    pub(super) fn secret_file(&mut self, field: &Field<'_>) -> Option<Secret> {
        let path = self.text_as(field, "the path of a file")?;
        let text = self.contents(field, &path)?;
        self.checked_secret(field, text, "a file that holds the value")
    }

    fn contents(&mut self, field: &Field<'_>, path: &str) -> Option<String> {
        match reference::contents(path, self.resolve) {
            Ok(text) => Some(text),
            Err(reason) => {
                self.reject(field, reason, "a file that can be read");
                None
            }
        }
    }

    /// The text of a rule file.
    pub(super) fn rule_file(&mut self, field: &Field<'_>, path: &str) -> Option<String> {
        match reference::rule_file(path, self.resolve) {
            Ok(text) => Some(text),
            Err(reason) => {
                self.reject(field, reason, "a rule file that can be read");
                None
            }
        }
    }

    /// A path, and the text of the fingerprint file there.
    pub(super) fn fingerprints(&mut self, field: &Field<'_>, expected: &str) -> Option<(String, Arc<str>)> {
        let path = self.text_as(field, expected)?;
        match reference::fingerprints(&path, self.resolve) {
            Ok(text) => Some((path, text.into())),
            Err(reason) => {
                self.reject(field, reason, expected);
                None
            }
        }
    }

    /// Secrets travel in headers: visible ASCII and inner spaces only.
    fn checked_secret(&mut self, field: &Field<'_>, text: String, expected: &str) -> Option<Secret> {
        let secret = Secret::new(text);
        let text = secret.expose();
        if text.trim().is_empty() {
            self.reject(field, "this value is empty", expected);
            return None;
        }
        if text.trim() != text || !text.bytes().all(|it| it == b' ' || it.is_ascii_graphic()) {
            let what =
                "this value holds a line break, a control character, a character outside of ASCII, or spaces around";
            self.reject(field, what, "a value that can stand in a header");
            return None;
        }
        Some(secret)
    }

    pub(super) fn flag(&mut self, field: &Field<'_>) -> Option<bool> {
        self.choice(field, &[("true", true), ("false", false)])
    }

    /// One of a few names.
    pub(super) fn choice<T: Copy>(&mut self, field: &Field<'_>, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let text = self.text_as(field, &format!("one of {}", names.join(", ")))?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let what = format!("{} is none of the values that this setting has", self.quote(field));
        let mistake = Mistake::new(&field.path, Some(field.node.span), what);
        self.mistakes.push(mistake.one_of(self.typed(field), &names));
        None
    }

    /// What the writer typed, for finding a near name; nothing for a secret.
    pub(super) fn typed<'n>(&self, field: &Field<'n>) -> &'n str {
        match &field.node.value {
            Value::Scalar(text) => text,
            _ => "",
        }
    }

    pub(super) fn integer(&mut self, field: &Field<'_>, range: RangeInclusive<u64>) -> Option<u64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let text = self.text_as(field, &expected)?;
        self.within(field, text.parse().ok(), range, &expected)
    }

    pub(super) fn size(&mut self, field: &Field<'_>, range: RangeInclusive<u64>) -> Option<u64> {
        let (least, most) = (units::size_text(*range.start()), units::size_text(*range.end()));
        let expected = format!("{}, from {least} to {most}", units::SIZE);
        let text = self.text_as(field, &expected)?;
        self.within(field, units::size(&text), range, &expected)
    }

    pub(super) fn duration(&mut self, field: &Field<'_>, range: RangeInclusive<Duration>) -> Option<Duration> {
        let (least, most) = (units::duration_text(*range.start()), units::duration_text(*range.end()));
        let expected = format!("{}, from {least} to {most}", units::DURATION);
        let text = self.text_as(field, &expected)?;
        self.within(field, units::duration(&text), range, &expected)
    }

    /// Dollars.
    pub(super) fn money(&mut self, field: &Field<'_>) -> Option<Money> {
        const EXPECTED: &str = "US dollars, such as `250` or `0.075`, to a billionth at most";
        let text = self.text_as(field, EXPECTED)?;
        let amount = text.parse().ok();
        if amount.is_none() {
            self.reject(field, format!("{} cannot be read", self.quote(field)), EXPECTED);
        }
        amount
    }

    fn within<T: PartialOrd>(
        &mut self,
        field: &Field<'_>,
        value: Option<T>,
        range: RangeInclusive<T>,
        expected: &str,
    ) -> Option<T> {
        match value {
            Some(value) if range.contains(&value) => return Some(value),
            Some(_) => self.reject(field, format!("{} is out of bounds", self.quote(field)), expected),
            None => self.reject(field, format!("{} cannot be read", self.quote(field)), expected),
        }
        None
    }
}

/// Whether a key can be shown. A secret that slipped out of its place reads as a key without a value, or as an odd one.
fn nameable(name: &str, node: &Node) -> bool {
    let plain = |it: char| it.is_alphanumeric() || matches!(it, '_' | '-' | '.' | '/');
    !matches!(node.value, Value::Null) && name.chars().count() <= 64 && name.chars().all(plain)
}
