//! Where the examples of a rule file stand, for messages.

use saphyr_parser::{Event, Parser};

/// Lines, from 1, of one rule's examples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    hits: Vec<usize>,
    misses: Vec<usize>,
}

impl Lines {
    /// The line of an example, where it is written out in the rule itself.
    pub(super) fn of(&self, key: &str, index: usize) -> Option<usize> {
        let lines = if key == "hits" { &self.hits } else { &self.misses };
        lines.get(index).copied()
    }
}

/// The lines of every rule of a file that was read without a mistake, in order.
pub(super) fn lines(text: &str) -> Vec<Lines> {
    let mut rules: Vec<Lines> = Vec::new();
    // The list is level 1, a rule level 2, a list of examples level 3.
    let mut level = 0;
    let mut key: Option<String> = None;
    let mut parser = Parser::new_from_str(text);
    while let Some(Ok((event, span))) = parser.next_event() {
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                level += 1;
                if level == 2 {
                    rules.push(Lines::default());
                    key = None;
                }
            }
            Event::SequenceEnd | Event::MappingEnd => {
                level -= 1;
                if level == 2 {
                    key = None;
                }
            }
            Event::Scalar(..) | Event::Alias(_) if level == 3 => {
                let Some(rule) = rules.last_mut() else { continue };
                match key.as_deref() {
                    Some("hits") => rule.hits.push(span.start.line()),
                    Some("misses") => rule.misses.push(span.start.line()),
                    _ => {}
                }
            }
            // Scalars of a rule are a key, its value, a key, …
            Event::Scalar(name, ..) if level == 2 => {
                key = if key.is_none() { Some(name.into_owned()) } else { None };
            }
            Event::Alias(_) if level == 2 => key = None,
            _ => {}
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_told_by_their_line() {
        let text = "- id: a\n  lead:\n    class: '[a]'\n  hits:\n    - one\n    - |\n      two\n      lines\n  why: b\n  misses: [c,\n    d]\n- misses: [e]\n";
        let found = lines(text);
        assert_eq!((found[0].of("hits", 0), found[0].of("hits", 1), found[0].of("hits", 2)), (Some(5), Some(7), None));
        assert_eq!((found[0].of("misses", 0), found[0].of("misses", 1)), (Some(10), Some(11)));
        assert_eq!((found.len(), found[1].of("misses", 0)), (2, Some(12)));
    }
}
