//! `gateway.yaml`: any text is read or refused with words, the same each time, and no reference's value is in them.

use airiskguard_gateway::config::{Reading, Reference, RuleFile, explain};
use airiskguard_gateway::domain::Checker;

/// What every reference stands for. No message may hold it.
const VALUE: &str = "mvGq7-planted-Zk93Rw-of-a-reference";

/// The text is the whole input.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let resolve = |reference: &Reference| match reference {
        Reference::Environment(name) if name.ends_with("NONE") => Err("is not set".to_owned()),
        _ => Ok(VALUE.to_owned()),
    };
    let read_rules = |_: &[RuleFile]| Ok(Vec::new());
    let known_checkers = &Checker::BUILT_IN;
    let reading = Reading { origin: "gateway.yaml", resolve: &resolve, known_checkers, read_rules: &read_rules };
    let (first, second) = (shown(&reading, text), shown(&reading, text));
    assert!(first == second, "the same text, other words");
    assert!(!first.1.contains(VALUE), "a message shows what a reference stands for:\n{}", first.1);
}

/// Whether it was read, and all that is said about it.
fn shown(reading: &Reading<'_>, text: &str) -> (bool, String) {
    match reading.read(text) {
        Ok((file, warnings)) => {
            assert!(!format!("{file:?}").is_empty() && !explain(&file).is_empty());
            (true, warnings.to_string())
        }
        Err(mistakes) => {
            assert!(!mistakes.items.is_empty(), "refused without a reason");
            (false, mistakes.to_string())
        }
    }
}
