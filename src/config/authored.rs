//! Texts of which somebody writes a part: which sections stand there, and that others can be set behind them.

use super::mistake::{self, Mistake, Mistakes};
use super::node::{self, Node, Value};

/// What may stand in such a text.
#[derive(Clone, Copy, Debug)]
pub struct Authored<'a> {
    /// How messages name the text.
    pub origin: &'a str,
    /// The sections that may stand in it.
    pub sections: &'a [&'a str],
    /// What may not, as section and key.
    pub except: &'a [(&'a str, &'a str)],
}

impl Authored<'_> {
    /// Whether `text` holds these sections and no others, reads nothing from elsewhere, and can be followed by lines
    /// with other sections. What the sections say is judged by [`super::Reading`].
    ///
    /// # Errors
    /// Every mistake that was found, with its place.
    pub fn check(&self, text: &str) -> Result<(), Mistakes> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut items = Vec::new();
        match node::read(text) {
            // The loader says it better, and with everything else.
            Err(flaw) => items.push(Mistake::new("", flaw.span, flaw.what)),
            Ok((root, flaws)) => {
                items.extend(flaws.into_iter().map(|it| Mistake::new("", it.span, it.what)));
                self.root(&root, text, &mut items);
                references(&root, "", &mut items);
            }
        }
        items.extend(ended(text));
        if items.is_empty() {
            return Ok(());
        }
        let hidden = mistake::doubtful_lines(text);
        mistake::illustrate(&mut items, text, &hidden);
        Err(Mistakes { origin: self.origin.to_owned(), items })
    }

    fn root(&self, root: &Node, text: &str, items: &mut Vec<Mistake>) {
        let entries = match &root.value {
            Value::Null => return,
            Value::Mapping(entries) => entries,
            Value::Scalar(_) | Value::Sequence(_) => {
                let mistake = Mistake::new("", Some(root.span), "this is no list of sections");
                items.push(mistake.expected(format!("sections, each with its settings: {}", self.listed())));
                return;
            }
        };
        if begins_with_brace(text, root) {
            let mistake = Mistake::new("", Some(root.span), "the text as a whole stands in braces");
            items.push(mistake.expected("each section on a line of its own, without braces around all of them"));
        }
        for (key, value) in entries {
            let name = key.name.as_str();
            if !self.sections.contains(&name) {
                let shown: String = name.chars().filter(|it| !it.is_control()).take(40).collect();
                let what = format!("`{shown}` cannot be set here: it is set in another place, or unknown");
                items.push(Mistake::new("", Some(key.span), what).one_of(name, self.sections));
            } else if key.span.start.column != 0 {
                let what = format!("the section `{name}` does not begin at the beginning of its line");
                items.push(Mistake::new(name, Some(key.span), what).expected("no spaces before it"));
            }
            let Value::Mapping(inner) = &value.value else { continue };
            for (inner, _) in inner.iter().filter(|(it, _)| self.except.contains(&(name, it.name.as_str()))) {
                let what = format!("`{name}.{}` cannot be set here: it is a secret of each gateway", inner.name);
                items.push(Mistake::new(name, Some(inner.span), what).expected("the section without it"));
            }
        }
    }

    fn listed(&self) -> String {
        self.sections.join(", ")
    }
}

fn begins_with_brace(text: &str, root: &Node) -> bool {
    let start = root.span.start;
    let line = start.line.checked_sub(1).and_then(|index| text.lines().nth(index));
    line.and_then(|it| it.chars().nth(start.column)) == Some('{')
}

/// `...` ends a document: what follows would be another.
fn ended(text: &str) -> Option<Mistake> {
    let ends = |line: &str| line.strip_prefix("...").is_some_and(|it| it.is_empty() || it.starts_with([' ', '\t']));
    let index = text.lines().position(ends)?;
    let at = |column| node::Mark { line: index + 1, column };
    let span = node::Span { start: at(0), end: at(3) };
    Some(Mistake::new("", Some(span), "`...` ends the text before its end").expected("the text without it"))
}

/// What is read from the environment holds keys of providers, which have no business in names and descriptions.
fn references(node: &Node, path: &str, items: &mut Vec<Mistake>) {
    match &node.value {
        Value::Null => {}
        Value::Scalar(text) if refers(text) => {
            let what = "`${…}` is not read here: a text that everyone may read names no secret";
            items.push(
                Mistake::new(path, Some(node.span), what).expected("the value itself, or `$$` for a dollar sign"),
            );
        }
        Value::Scalar(_) => {}
        Value::Sequence(nodes) => {
            nodes.iter().enumerate().for_each(|(index, it)| references(it, &format!("{path}[{index}]"), items));
        }
        Value::Mapping(entries) => {
            for (key, value) in entries {
                let below = if path.is_empty() { key.name.clone() } else { format!("{path}.{}", key.name) };
                references(value, &below, items);
            }
        }
    }
}

/// As [`super::reference`] reads it: `$$` is a dollar sign.
fn refers(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        match rest.strip_prefix('$') {
            Some(after) => rest = after,
            None if rest.starts_with('{') => return true,
            None => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHORED: Authored<'_> =
        Authored { origin: "policy", sections: &["checks", "policies", "redaction"], except: &[("redaction", "key")] };

    #[track_caller]
    fn refused(text: &str) -> (usize, String) {
        let mistakes = AUTHORED.check(text).unwrap_err();
        (mistakes.items[0].line.unwrap(), mistakes.items[0].what.clone())
    }

    #[test]
    fn what_may_stand_there_stands_there() {
        for text in [
            "",
            "# nothing yet\n",
            "---\nchecks: {outbound: [secrets]}\n",
            "checks:\n  outbound: [secrets]\npolicies:\n- name: a\n  description: costs $$5 or $5, $${NAME}\n",
            "redaction: {restore: true}",
        ] {
            assert_eq!(AUTHORED.check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_may_not_is_told_with_its_line() {
        for (text, line, says) in [
            ("checks: {}\nupstream: {anthropic: 'https://x.invalid'}\n", 2, "`upstream` cannot be set here"),
            ("redaction:\n  restore: true\n  key: abc\n", 3, "`redaction.key` cannot be set here"),
            ("{checks: {}}", 1, "in braces"),
            ("{\nchecks: {}\n}", 1, "in braces"),
            ("\n  checks: {}\n", 2, "beginning of its line"),
            ("? checks\n: {}\n", 1, "beginning of its line"),
            ("policies:\n- name: ${PROVIDER_KEY}\n", 2, "names no secret"),
            ("policies: ['$$${X:-y}']\n", 1, "names no secret"),
            ("- checks\n", 1, "no list of sections"),
            ("checks: {}\n...\n", 2, "ends the text"),
            ("checks: {}\nchecks: {}\n", 2, "second time"),
            ("checks: {}\n---\nteams: {}\n", 2, "second YAML document"),
            ("checks: [\n", 2, "not valid YAML"),
        ] {
            let (found, said) = refused(text);
            assert!(said.contains(says), "{text}: {said}");
            assert_eq!(found, line, "{text}: {said}");
        }
    }
}
