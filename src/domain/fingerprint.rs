//! A keyed digest of a value: tells whether two values are the same, and nothing else of them.

use std::fmt;
use std::str::FromStr;

/// The first 128 bits of a keyed digest, shown as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Fewer characters make a key that can be guessed from a stolen fingerprint.
    pub const KEY_CHARS_MIN: usize = 32;

    /// From its bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        Fingerprint(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut bytes = [0; 16];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return Err(());
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let digit = |it: &u8| char::from(*it).to_digit(16).ok_or(());
            *byte = (digit(high)? << 4 | digit(low)?) as u8;
        }
        Ok(Fingerprint(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_shown() {
        let shown = "00ff10a0b1c2d3e4f5061728394a5b6c";
        assert_eq!(shown.parse().map(|it: Fingerprint| it.to_string()), Ok(shown.to_owned()));
        for text in ["", "00", "00ff10a0b1c2d3e4f5061728394a5b6", "00ff10a0b1c2d3e4f5061728394a5b6g"] {
            assert_eq!(text.parse::<Fingerprint>(), Err(()), "{text}");
        }
    }
}
