//! Files of known secrets: any text is read or refused, what was written is read, and what was altered is not.

use airiskguard_gateway::domain::Secret;
use airiskguard_gateway::scan::known::{Entry, FingerprintKey, Kind, read, write};

use super::dice::{Choices, Dice};

/// Values of one written file.
const VALUES_MAX: usize = 4;

/// The first byte chooses between a text to read, and values to write a file of and to damage it.
pub fn run(data: &[u8]) {
    let key = FingerprintKey::new(&Secret::new("a key that fuzzing alone knows, made up".to_owned()));
    let mut choices = Choices(data);
    match choices.byte() {
        0..128 => as_it_is(&key, choices.0),
        _ => written(&key, &mut choices),
    }
}

fn as_it_is(key: &FingerprintKey, text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    match read(key, text) {
        Ok(entries) => assert_eq!(read(key, &write(key, &entries)), Ok(entries), "not what was written"),
        Err(error) => {
            let lines = text.lines().count() + 1;
            assert!(error.line >= 1 && error.line <= lines.max(2), "line {} of {lines}", error.line);
        }
    }
}

fn written(key: &FingerprintKey, choices: &mut Choices<'_>) {
    let mut dice = Dice::new(choices.number());
    let mut entries = Vec::new();
    while !choices.is_empty() && entries.len() < VALUES_MAX {
        let kind = choices.one_of(&[Kind::Secret, Kind::Canary]);
        let label = choices.one_of(&[None, Some("stripe-key"), Some("é"), Some("A_LABEL")]);
        let bytes = usize::from(choices.byte());
        let value = choices.take(bytes);
        match Entry::new(key, kind, label, value) {
            Ok(entry) => entries.push(entry),
            Err(error) => assert!(value.len() < 8, "{error:?}"),
        }
    }
    let text = write(key, &entries);
    assert_eq!(read(key, &text).as_ref(), Ok(&entries), "not what was written");
    let mut damaged = text.clone().into_bytes();
    let at = dice.roll(damaged.len());
    damaged[at] ^= 1 << dice.roll(7);
    let Ok(damaged) = String::from_utf8(damaged) else { return };
    if let Ok(read) = read(key, &damaged) {
        // Letters of a digest in another case, white space of another kind, a line that became a comment.
        assert!(read.iter().all(|it| entries.contains(it)), "an altered line was read:\n{damaged}");
    }
}
