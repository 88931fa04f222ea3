//! Payment card numbers, and the routing numbers of banks in the United States.

use super::Matched;

/// Longest card number, digits.
const DIGITS_MAX: usize = 19;
/// A shorter run of letters and digits in front is a word, bytes.
const ENCODED_BYTES_MIN: usize = 6;
/// What is read before a number to see how it is called, bytes.
const NAME_BYTES: usize = 48;

/// Numbers that card networks and payment providers publish for tests.
const TEST_CARDS: &[u64] = &[
    4_111_111_111_111_111,
    4_242_424_242_424_242,
    4_012_888_888_881_881,
    4_222_222_222_222,
    4_000_056_655_665_556,
    4_012_000_033_330_026,
    4_005_519_200_000_004,
    4_009_348_888_881_881,
    4_012_000_077_777_777,
    4_217_651_111_111_119,
    4_500_600_000_000_061,
    4_111_111_145_551_142,
    4_444_333_322_221_111,
    4_917_610_000_000_000,
    4_646_464_646_464_644,
    4_988_438_843_884_305,
    4_166_676_667_666_746,
    4_263_970_000_005_262,
    4_929_000_000_006,
    4_462_030_000_000_000,
    4_917_300_800_000_000,
    4_484_070_000_000_000,
    4_007_000_000_027,
    4_007_702_835_532_454,
    4_032_039_317_984_658,
    4_716_461_583_322_103,
    5_555_555_555_554_444,
    5_105_105_105_105_100,
    5_200_828_282_828_210,
    5_431_111_111_111_111,
    5_454_545_454_545_454,
    5_425_230_000_004_415,
    5_424_000_000_000_015,
    5_555_341_244_441_115,
    5_100_290_029_002_909,
    5_577_000_055_770_004,
    5_136_333_333_333_335,
    5_585_558_555_855_583,
    5_123_456_789_012_346,
    5_301_250_070_000_191,
    2_223_003_122_003_222,
    2_222_400_070_000_005,
    2_223_000_048_410_010,
    2_222_420_000_001_113,
    2_222_405_343_248_877,
    378_282_246_310_005,
    371_449_635_398_431,
    378_734_493_671_000,
    370_000_000_000_002,
    374_251_018_720_955,
    343_434_343_434_343,
    341_111_111_111_111,
    371_144_371_144_376,
    30_569_309_025_904,
    38_520_000_023_237,
    36_227_206_271_667,
    36_006_666_333_344,
    3_056_930_009_020_004,
    6_011_111_111_111_117,
    6_011_000_990_139_424,
    6_011_981_111_111_113,
    6_011_000_400_000_000,
    6_011_601_160_116_611,
    6_510_000_000_001_248,
    6_445_644_564_456_445,
    6_200_000_000_000_005,
    3_530_111_333_300_000,
    3_566_002_020_360_505,
    3_528_000_700_000_000,
    3_566_111_111_111_113,
];

/// Whether `text` is a card number that can be somebody's: an issuer's prefix and length, the Luhn checksum, no number
/// that is published for tests, and nothing around it that says it is something else.
pub(super) fn is_card(matched: &Matched<'_>) -> bool {
    let mut digits = [0u8; DIGITS_MAX];
    let Some(digits) = digits_of(matched.secret, &mut digits) else { return false };
    if !has_issuer(digits) || !has_luhn(digits) || is_sample(digits) {
        return false;
    }
    if is_encoded(matched) {
        return false;
    }
    let before = matched.before.to_ascii_lowercase();
    let line = before.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let name = &line[line.len().saturating_sub(NAME_BYTES)..];
    if TEST_NAMES.iter().any(|word| contains(name, word)) {
        return false;
    }
    if before.split(|byte| !byte.is_ascii_alphanumeric()).any(names_card) {
        return true;
    }
    let grouped = matched.secret.len() > digits.len();
    if grouped {
        return !continues(matched) && !is_table(matched);
    }
    matches!(digits.len(), 15 | 16) && !continues(matched) && !is_other_name(name) && !is_listed(matched)
}

/// What cards are called, in the words before them: whole words, or what words begin or end with.
const CARD_WORDS: [&[u8]; 6] = [b"pan", b"ccn", b"cc", b"visa", b"amex", b"discover"];
const CARD_PARTS: [&[u8]; 7] = [b"card", b"credit", b"debit", b"mastercard", b"karte", b"tarjeta", b"carta"];
const NO_CARDS: [&[u8]; 3] = [b"discard", b"wildcard", b"cardinality"];
const TEST_NAMES: [&[u8]; 8] =
    [b"test card", b"test_card", b"testcard", b"test-card", b"test number", b"stripe", b"sandbox", b"fake card"];
/// Last parts of names that other long numbers have.
const OTHER_NAMES: [&[u8]; 34] = [
    b"id",
    b"ids",
    b"ts",
    b"time",
    b"timestamp",
    b"date",
    b"order",
    b"span",
    b"trace",
    b"seq",
    b"sequence",
    b"offset",
    b"nonce",
    b"hash",
    b"seed",
    b"build",
    b"version",
    b"epoch",
    b"nanos",
    b"micros",
    b"count",
    b"size",
    b"bytes",
    b"snowflake",
    b"user",
    b"channel",
    b"isbn",
    b"ean",
    b"upc",
    b"gtin",
    b"imei",
    b"iccid",
    b"serial",
    b"tracking",
];

fn names_card(word: &[u8]) -> bool {
    let part = |part: &&[u8]| word.starts_with(part) || word.ends_with(part);
    CARD_WORDS.contains(&word) || (CARD_PARTS.iter().any(part) && !NO_CARDS.contains(&word))
}

/// Whether the name directly before an assignment (`order_id = `, `"ts": `) is that of another kind of number.
fn is_other_name(name: &[u8]) -> bool {
    let name = name.trim_ascii_end();
    let is_sign = |byte: &u8| matches!(byte, b'"' | b'\'' | b' ' | b'=' | b':' | b'(' | b'`' | b'>' | b'#' | b'\t');
    let end = name.iter().rposition(|byte| !is_sign(byte)).map_or(0, |last| last + 1);
    let word = name[..end].rsplit(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
    OTHER_NAMES.contains(&word) || (word.len() > 4 && (word.ends_with(b"id") || word.ends_with(b"number")))
}

/// Whether the number is a later part of a longer one: `RS35 2600 0560 1001 6113`, `12-4539…`, `v4539…`.
fn continues(matched: &Matched<'_>) -> bool {
    let Some((&last, rest)) = matched.before.split_last() else { return false };
    let group = rest.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric());
    match last {
        b'-' | b'.' | b'/' | b'+' => group.count() > 0,
        b' ' if matched.secret.contains(&b' ') => group.clone().count() == 4 && group.clone().any(u8::is_ascii_digit),
        _ => false,
    }
}

/// Whether the number stands in a run of base64: `q8Zr2L/4539…`.
fn is_encoded(matched: &Matched<'_>) -> bool {
    let Some((b'/' | b'+', rest)) = matched.before.split_last() else { return false };
    let run = &rest[rest.len() - rest.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count()..];
    run.len() >= ENCODED_BYTES_MIN && run.iter().any(u8::is_ascii_alphabetic)
}

/// Whether the groups are numbers of a table: more groups before or behind, or groups that are near one another.
fn is_table(matched: &Matched<'_>) -> bool {
    let groups: Vec<u32> = matched
        .secret
        .split(|byte| !byte.is_ascii_digit())
        .map(|group| {
            group.iter().fold(0u32, |number, byte| number.wrapping_mul(10).wrapping_add(u32::from(byte - b'0')))
        })
        .collect();
    let near = groups.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 40);
    let behind = &matched.whole[matched.whole.len().min(matched.secret.len())..];
    let goes_on = behind.trim_ascii_start().iter().take_while(|byte| byte.is_ascii_hexdigit()).count() >= 4;
    let previous = matched.before.trim_ascii_end().rsplit(|byte| !byte.is_ascii_hexdigit()).next().unwrap_or_default();
    let spaced = matched.before.last().is_some_and(u8::is_ascii_whitespace);
    near || goes_on || (spaced && (4..=5).contains(&previous.len()) && previous.iter().any(u8::is_ascii_digit))
}

/// Whether a number without quotes stands in a list of numbers: `435, [4539578763621486], 446`.
fn is_listed(matched: &Matched<'_>) -> bool {
    let behind = &matched.whole[matched.whole.len().min(matched.secret.len())..];
    let list = |text: &[u8]| text.windows(2).any(|pair| pair[0] == b',' && pair[1].is_ascii_whitespace());
    let quoted = matched.before.last().is_some_and(|byte| b"\"'`".contains(byte));
    let comma =
        matched.before.trim_ascii_end().ends_with(b",") && matched.before.last().is_some_and(u8::is_ascii_whitespace);
    !quoted && ((list(behind) && behind.iter().any(u8::is_ascii_digit)) || comma)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn digits_of<'a>(text: &[u8], room: &'a mut [u8; DIGITS_MAX]) -> Option<&'a [u8]> {
    let mut count = 0;
    for byte in text.iter().filter(|byte| byte.is_ascii_digit()) {
        *room.get_mut(count)? = byte - b'0';
        count += 1;
    }
    Some(&room[..count])
}

/// Prefixes and lengths of the large issuers.
fn has_issuer(digits: &[u8]) -> bool {
    let Some(prefix) = digits.first_chunk::<4>() else { return false };
    let prefix = prefix.iter().fold(0u16, |number, &digit| number * 10 + u16::from(digit));
    match prefix {
        // Visa.
        4000..=4999 => matches!(digits.len(), 13 | 16 | 19),
        // Mastercard.
        5100..=5599 | 2221..=2720 => digits.len() == 16,
        // American Express.
        3400..=3499 | 3700..=3799 => digits.len() == 15,
        // Diners Club.
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => matches!(digits.len(), 14 | 16),
        // Maestro.
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => (16..=19).contains(&digits.len()),
        // Mir.
        2200..=2204 => (16..=19).contains(&digits.len()),
        // Discover, UnionPay, JCB, RuPay.
        6011 | 6440..=6599 | 6200..=6299 | 3528..=3589 | 8100..=8171 => (16..=19).contains(&digits.len()),
        6060..=6099 | 8172..=8199 => digits.len() == 16,
        _ => false,
    }
}

/// Whether nobody can have it: published for tests, or nearly all zeros or of one run.
fn is_sample(digits: &[u8]) -> bool {
    let value = digits.iter().fold(0u64, |value, &digit| value.wrapping_mul(10).wrapping_add(u64::from(digit)));
    let mut counts = [0usize; 10];
    let (mut equal, mut rising, mut equal_max, mut rising_max) = (1, 1, 1, 1);
    for pair in digits.windows(2) {
        equal = if pair[1] == pair[0] { equal + 1 } else { 1 };
        rising = if pair[1] == (pair[0] + 1) % 10 { rising + 1 } else { 1 };
        equal_max = equal_max.max(equal);
        rising_max = rising_max.max(rising);
    }
    digits.iter().for_each(|&digit| counts[usize::from(digit)] += 1);
    let distinct = counts.iter().filter(|count| **count > 0).count();
    TEST_CARDS.contains(&value) || distinct <= 3 || counts[0] * 2 > digits.len() || equal_max >= 7 || rising_max >= 8
}

/// Whether the last digit makes the Luhn sum a multiple of ten.
pub(super) fn has_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, u32::from(digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(text: &str) -> bool {
        let start = text.find(|it: char| it.is_ascii_digit()).unwrap_or(0);
        is_card(&Matched::new(text.as_bytes(), &(start..text.len()), &(start..text.len())))
    }

    #[test]
    fn cards_of_people() {
        for text in
            ["4539 5787 6362 1486", "5425-2334-3010-9903", "card_number = 4539578763621486", "paid by 374245455400126"]
        {
            assert!(card(text), "{text}");
        }
    }

    #[test]
    fn cards_of_nobody() {
        for text in [
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "378282246310005",
            "4000-0000-0000-0002",
            "4444 4444 4444 4448",
            "4123456789012349",
            "stripe test card 4539578763621486",
        ] {
            assert!(!card(text), "{text}");
        }
    }

    #[test]
    fn other_numbers() {
        for text in [
            "4539578763621487",
            "1234567812345670",
            "0000000000000000",
            "45395787",
            "1700000000000",
            "",
            "4444 4444 4444 4444 4444",
            "order_id = 4539578763621486",
            "\"traceId\": \"4539578763621486",
        ] {
            assert!(!card(text), "{text}");
        }
    }
}
