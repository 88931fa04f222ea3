//! Signs that a match is not what it looks like: a keyword inside another word, an alphabet in place of a key.

/// So many characters that count up in a row make a token of a known shape a sample.
pub(super) const TOKEN_SEQUENCE_MIN: usize = 20;

/// Whether the keyword at the start of `whole` begins a word of the name that `before` ends in: `cpf` does in `customer_cpf`
/// and `customerCpf`, and does not in `tcpf`.
pub(super) fn begins_word(before: &[u8], whole: &[u8]) -> bool {
    let (Some(last), Some(first)) = (before.last(), whole.first()) else { return true };
    // `-Dsonar.login=…` defines a property.
    before.ends_with(b"-D")
        || !(last.is_ascii_alphabetic() && first.is_ascii_alphabetic())
        || last.is_ascii_lowercase() && first.is_ascii_uppercase()
}

/// Whether `value` has so many letters or digits in a row that count up, 0 after 9: `12345678`, `abcdefgh`.
pub(in crate::scan) fn counts_up(value: &[u8], sequence_min: usize) -> bool {
    let mut run = 1;
    value.windows(2).any(|pair| {
        let next = pair[0].is_ascii_alphanumeric() && (pair[1] == pair[0] + 1 || pair == b"90");
        run = if next { run + 1 } else { 1 };
        run >= sequence_min
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_names() {
        for before in ["", "REACT_APP_", "my", "\"", "x-", "a2"] {
            assert!(begins_word(before.as_bytes(), b"OktaKey"), "{before}");
        }
        assert!(begins_word(b"mvn -D", b"sonar.login"));
        assert!(!begins_word(b"ro", b"okTable"));
        assert!(!begins_word(b"S", b"etSysctl"));
        assert!(!begins_word(b"GL", b"OBAL"));
    }

    #[test]
    fn alphabets_count_up() {
        assert!(counts_up(b"sk_live_abcdefghijklmnopqrstuvwxyz", TOKEN_SEQUENCE_MIN));
        assert!(counts_up(b"x12345678901234567890x", TOKEN_SEQUENCE_MIN));
        assert!(!counts_up(b"1234567890", TOKEN_SEQUENCE_MIN));
        assert!(!counts_up(b"q8Zr2LmX9vT4abcdefgh", TOKEN_SEQUENCE_MIN));
        assert!(!counts_up(b"\xff\xff", TOKEN_SEQUENCE_MIN));
    }
}
