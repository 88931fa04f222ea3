//! Rule files of the company's own: any text is read or refused with words, and what is read can be looked for.

use airiskguard_gateway::checkers::{RuleText, Trial, custom};

/// The text is the whole input.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Keys in examples are broken up, as in the catalogue.
    let text = text.replace('§', &super::planted());
    let files = [RuleText { origin: "own.yaml", text: &text }];
    match custom(&files, Trial::Whole) {
        Ok(entries) => {
            let again = custom(&files, Trial::Whole).expect("it was read before");
            assert_eq!(entries.len(), again.len(), "the same text, other rules");
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "refused without a reason");
            for mistake in mistakes {
                // YAML has more ways to end a line than Rust, so lines are only counted from above.
                assert!((1..=text.len() + 1).contains(&mistake.line), "{mistake}: no such line");
                assert!(!mistake.to_string().is_empty());
            }
        }
    }
}
