//! A bit for each of 64 bytes. Compilers do many comparisons at once whose results are bytes of ones and zeros; where they
//! stand is then found in one word.

/// Bytes that are compared at once.
pub(super) const BLOCK: usize = 64;

/// The lowest bits of the bytes; the first byte's is the lowest.
pub(super) fn of(flags: &[u8; BLOCK]) -> u64 {
    let (eights, _) = flags.as_chunks::<8>();
    let bits = |(index, &eight): (usize, &[u8; 8])| gathered(u64::from_le_bytes(eight)) << (8 * index);
    eights.iter().enumerate().map(bits).fold(0, |all, more| all | more)
}

/// The lowest bits of the eight bytes, side by side. The factor moves each to its place in the highest byte.
fn gathered(bytes: u64) -> u64 {
    bytes.wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Where the first row of `length` ones begins, 1 to 63.
pub(super) fn row(bits: u64, length: u32) -> Option<usize> {
    let (mut starts, mut known) = (bits, 1);
    while known < length && starts != 0 {
        let step = known.min(length - known);
        starts &= starts >> step;
        known += step;
    }
    (starts != 0).then(|| starts.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_its_bit() {
        for place in 0..BLOCK {
            let mut flags = [0; BLOCK];
            flags[place] = 1;
            assert_eq!(of(&flags), 1 << place);
        }
        assert_eq!(of(&[1; BLOCK]), u64::MAX);
    }

    #[test]
    fn a_row_is_found_wherever_it_stands() {
        for length in 1..BLOCK as u32 {
            let ones = (1u64 << length) - 1;
            for place in 0..=BLOCK as u32 - length {
                assert_eq!(row(ones << place, length), Some(place as usize), "{length} ones from {place} on");
                assert_eq!(row(ones >> 1 << place, length), None, "{length} less one from {place} on");
            }
        }
    }
}
