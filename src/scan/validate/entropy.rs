//! Shannon entropy: how evenly a value uses the bytes it uses.

/// Bits per byte, 0 for the empty value, at most 8.
pub(super) fn bits_per_byte(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for &byte in value {
        counts[usize::from(byte)] += 1;
    }
    let total = value.len() as f64;
    counts.iter().filter(|&&count| count > 0).fold(0.0, |bits, &count| {
        let share = f64::from(count) / total;
        bits - share * share.log2()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let close = |value: &[u8], bits: f64| (bits_per_byte(value) - bits).abs() < 1e-9;
        assert!(close(b"", 0.0));
        assert!(close(b"aaaa", 0.0));
        assert!(close(b"abab", 1.0));
        assert!(close(b"abcdefgh", 3.0));
    }
}
