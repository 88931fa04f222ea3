//! Telephone numbers: which can be dialled, and which are samples, times or ids.

use super::Matched;

/// Digits after `+`, and after the country's code.
const E164_DIGITS_MAX: usize = 15;

/// Country calling codes, with the fewest and most digits of a national number.
const COUNTRIES: &[(&[u8], usize, usize)] = &[
    (b"1", 10, 10),
    (b"7", 10, 10),
    (b"20", 8, 10),
    (b"27", 9, 9),
    (b"30", 10, 10),
    (b"31", 9, 9),
    (b"32", 8, 9),
    (b"33", 9, 9),
    (b"34", 9, 9),
    (b"36", 8, 9),
    (b"39", 8, 11),
    (b"40", 9, 9),
    (b"41", 9, 9),
    (b"43", 8, 13),
    (b"44", 9, 10),
    (b"45", 8, 8),
    (b"46", 7, 10),
    (b"47", 8, 8),
    (b"48", 9, 9),
    (b"49", 8, 12),
    (b"51", 8, 9),
    (b"52", 10, 11),
    (b"53", 8, 8),
    (b"54", 10, 11),
    (b"55", 10, 11),
    (b"56", 9, 9),
    (b"57", 8, 10),
    (b"58", 10, 10),
    (b"60", 8, 10),
    (b"61", 9, 9),
    (b"62", 8, 12),
    (b"63", 9, 10),
    (b"64", 8, 10),
    (b"65", 8, 8),
    (b"66", 8, 9),
    (b"81", 9, 10),
    (b"82", 8, 10),
    (b"84", 9, 10),
    (b"86", 10, 11),
    (b"90", 10, 10),
    (b"91", 10, 10),
    (b"92", 9, 10),
    (b"93", 9, 9),
    (b"94", 9, 9),
    (b"95", 7, 10),
    (b"98", 10, 10),
    (b"212", 9, 9),
    (b"213", 8, 9),
    (b"216", 8, 8),
    (b"218", 8, 9),
    (b"220", 7, 7),
    (b"221", 9, 9),
    (b"225", 8, 10),
    (b"233", 9, 9),
    (b"234", 8, 10),
    (b"237", 8, 9),
    (b"250", 9, 9),
    (b"251", 9, 9),
    (b"254", 9, 9),
    (b"255", 9, 9),
    (b"256", 9, 9),
    (b"260", 9, 9),
    (b"263", 9, 9),
    (b"351", 9, 9),
    (b"352", 6, 9),
    (b"353", 8, 9),
    (b"354", 7, 9),
    (b"355", 8, 9),
    (b"356", 8, 8),
    (b"357", 8, 8),
    (b"358", 7, 10),
    (b"359", 8, 9),
    (b"370", 8, 8),
    (b"371", 8, 8),
    (b"372", 7, 8),
    (b"373", 8, 8),
    (b"374", 8, 8),
    (b"375", 9, 9),
    (b"380", 9, 9),
    (b"381", 8, 9),
    (b"382", 8, 8),
    (b"383", 8, 8),
    (b"385", 8, 9),
    (b"386", 8, 8),
    (b"387", 8, 8),
    (b"389", 8, 8),
    (b"420", 9, 9),
    (b"421", 9, 9),
    (b"423", 7, 7),
    (b"502", 8, 8),
    (b"503", 8, 8),
    (b"504", 8, 8),
    (b"505", 8, 8),
    (b"506", 8, 8),
    (b"507", 7, 8),
    (b"591", 8, 8),
    (b"593", 8, 9),
    (b"595", 9, 9),
    (b"598", 8, 8),
    (b"852", 8, 8),
    (b"853", 8, 8),
    (b"855", 8, 9),
    (b"880", 8, 10),
    (b"886", 8, 9),
    (b"961", 7, 8),
    (b"962", 8, 9),
    (b"964", 10, 10),
    (b"965", 8, 8),
    (b"966", 9, 9),
    (b"968", 8, 8),
    (b"970", 8, 9),
    (b"971", 8, 9),
    (b"972", 8, 9),
    (b"973", 8, 8),
    (b"974", 8, 8),
    (b"977", 8, 10),
    (b"994", 9, 9),
    (b"995", 9, 9),
    (b"996", 9, 9),
    (b"998", 9, 9),
];

/// The digits of a number, at most as many as can be dialled.
struct Digits {
    bytes: [u8; E164_DIGITS_MAX],
    count: usize,
}

impl Digits {
    fn of(text: &[u8]) -> Option<Digits> {
        let mut digits = Digits { bytes: [0; E164_DIGITS_MAX], count: 0 };
        for &byte in text.iter().filter(|byte| byte.is_ascii_digit()) {
            *digits.bytes.get_mut(digits.count)? = byte;
            digits.count += 1;
        }
        Some(digits)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.count]
    }
}

/// Whether the match is a number with its country's code that can be dialled, where no sum or diff is written.
pub(super) fn is_international(matched: &Matched<'_>) -> bool {
    let Some(digits) = Digits::of(matched.secret) else { return false };
    let digits = digits.as_bytes();
    let sum = matched.before.last().is_some_and(|&byte| byte.is_ascii_alphanumeric() || b")]}+_-.".contains(&byte));
    let country = COUNTRIES.iter().find(|(code, ..)| digits.starts_with(code));
    !sum && country.is_some_and(|&(code, digits_min, digits_max)| {
        let national = &digits[code.len()..];
        // The trunk zero is often left in: `+44 (0)20 …`.
        let national = if code != b"39" { national.strip_prefix(b"0").unwrap_or(national) } else { national };
        (digits_min..=digits_max).contains(&national.len())
            && !is_sample(national)
            && !is_table(matched.secret, code)
            && if code == b"1" { is_us(national) } else { !matches!(national, [b'0', ..]) }
    })
}

/// Whether it is a line of numbers with a plus before the first (`+20 30 40 50`), or a decimal fraction, rather than one
/// number: no country writes all groups with two digits but France, Denmark, Norway, and these count them.
fn is_table(text: &[u8], code: &[u8]) -> bool {
    let groups = || text[1..].split(|byte| !byte.is_ascii_digit()).filter(|group| !group.is_empty()).map(<[u8]>::len);
    let fraction = groups().count() == 2 && text.contains(&b'.');
    let pairs = groups().all(|length| length <= 2);
    let lengths = (groups().nth(1), groups().count());
    let usual = match code {
        b"33" => lengths == (Some(1), 6),
        b"45" | b"47" => lengths == (Some(2), 5),
        _ => false,
    };
    fraction || (pairs && !usual)
}

/// Whether the match is a North American number that somebody can have.
pub(super) fn is_north_american(text: &[u8]) -> bool {
    let Some(digits) = Digits::of(text) else { return false };
    let digits = digits.as_bytes();
    let national = if digits.len() == 11 { digits.strip_prefix(b"1") } else { Some(digits) };
    national.is_some_and(|national| is_us(national) && !is_sample(national))
}

/// Area and exchange begin with 2 to 9, the area is no service code, and neither is kept for stories.
fn is_us(national: &[u8]) -> bool {
    let [area @ .., e1, e2, e3, _, _, _, _] = national else { return false };
    let [a1, a2, a3] = area else { return false };
    let (exchange, line) = ([*e1, *e2, *e3], &national[6..]);
    let fiction = exchange == *b"555" && (line.starts_with(b"01") || matches!(line, b"1212" | b"1234" | b"5555"));
    *a1 >= b'2'
        && *e1 >= b'2'
        && (*a2, *a3) != (b'1', b'1')
        && (*e2, *e3) != (b'1', b'1')
        && *area != *b"555"
        && !fiction
}

/// Whether the match, which a word like "phone" stands before, can be a number of any country, written as there.
pub(super) fn is_named(matched: &Matched<'_>) -> bool {
    let text = matched.secret;
    if text.first() == Some(&b'+') {
        let country = Digits::of(text).is_some_and(|digits| {
            let digits = digits.as_bytes();
            COUNTRIES.iter().any(|(code, ..)| digits.starts_with(code)) && digits.len() >= 8 && !is_sample(&digits[2..])
        });
        return country && !is_fiction(text);
    }
    let Some(digits) = Digits::of(text) else { return false };
    let digits = digits.as_bytes();
    let bare = digits.len() == text.len();
    // Seconds and milliseconds since 1970, for the years that anybody logs.
    let time = bare && matches!(digits, [b'1', b'4'..=b'9', ..]) && matches!(digits.len(), 10 | 13);
    (7..=E164_DIGITS_MAX).contains(&digits.len())
        && !time
        && !is_date(text)
        && !is_address(text)
        && !is_sample(digits)
        && !is_fiction(text)
        && (!bare || is_national(digits))
}

/// Without separators only what begins like a number of some country: a trunk zero, or ten digits as in North America,
/// India and Turkey, eleven as in China, nine as in Spain, Poland and Portugal, eight as in the north.
fn is_national(digits: &[u8]) -> bool {
    match digits {
        [b'0', b'1'..=b'9', ..] => (9..=12).contains(&digits.len()),
        [b'0', b'0', b'1'..=b'9', ..] => (11..=15).contains(&digits.len()),
        [b'1', b'3'..=b'9', ..] if digits.len() == 11 => true,
        [b'1', rest @ ..] if digits.len() == 11 => is_us(rest),
        [b'2'..=b'9', ..] => (8..=13).contains(&digits.len()),
        _ => false,
    }
}

/// Sample numbers: two digits at most, or counting up or down.
fn is_sample(national: &[u8]) -> bool {
    let mut seen = [false; 256];
    national.iter().for_each(|&byte| seen[usize::from(byte)] = true);
    let distinct = seen.iter().filter(|&&it| it).count();
    let runs = |step: u8| {
        let mut longest = 1;
        let mut run = 1;
        for pair in national.windows(2) {
            run = if (pair[0] - b'0' + step) % 10 == pair[1] - b'0' { run + 1 } else { 1 };
            longest = longest.max(run);
        }
        longest
    };
    distinct <= 2 || runs(1) >= 10 || runs(9) >= 10 || runs(0) >= 6
}

/// `555-0100` to `555-0199`, the numbers of the United States that films may show, and the area 555; the ranges that
/// British and Australian films may show.
fn is_fiction(text: &[u8]) -> bool {
    let Some(digits) = Digits::of(text) else { return false };
    let digits = digits.as_bytes();
    let ends = |count: usize| &digits[digits.len().saturating_sub(count)..];
    let north = ends(7).starts_with(b"55501") || matches!(ends(7), b"5551234" | b"5551212" | b"5555555");
    let area = matches!(digits.len(), 10 | 11) && ends(10).starts_with(b"555");
    let british = ends(10).starts_with(b"7700900") || ends(10).starts_with(b"2079460");
    north || area || british
}

/// `2024-11-22`, `22.11.2024`, `2024/11/22 10:30`.
fn is_date(text: &[u8]) -> bool {
    let mut groups = text.split(|byte| !byte.is_ascii_digit()).filter(|group| !group.is_empty()).map(<[u8]>::len);
    let lengths = (groups.next(), groups.next(), groups.next());
    let year = text.starts_with(b"19") || text.starts_with(b"20");
    (lengths == (Some(4), Some(2), Some(2)) && year)
        || (lengths == (Some(2), Some(2), Some(4)) && groups.next().is_none())
}

/// `192.168.10.12`, `10.2.33.1`.
fn is_address(text: &[u8]) -> bool {
    let groups = || text.split(|&byte| byte == b'.');
    groups().count() == 4
        && groups().all(|group| (1..=3).contains(&group.len()))
        && !text.iter().any(|byte| matches!(byte, b' ' | b'-' | b'('))
        && text.len() < 15
        && groups().any(|group| group.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after<'a>(before: &'a str, number: &'a str, room: &'a mut Vec<u8>) -> Matched<'a> {
        room.extend(before.bytes().chain(number.bytes()));
        Matched::new(room, &(before.len()..room.len()), &(before.len()..room.len()))
    }

    fn international(before: &str, number: &str) -> bool {
        is_international(&after(before, number, &mut Vec::new()))
    }

    fn named(number: &str) -> bool {
        is_named(&after("phone: ", number, &mut Vec::new()))
    }

    #[test]
    fn numbers_with_their_country() {
        for number in [
            "+44 20 7183 8750",
            "+44 (0)20 7183 8750",
            "+49 151 23456780",
            "+1 415 867 5309",
            "+33 1 42 68 53 00",
            "+919876501234",
            "+86 138 1234 5670",
            "+358 40 1234567",
            "+971501234560",
        ] {
            assert!(international("call ", number), "{number}");
        }
        for number in
            ["+999 123 45 67", "+44 123", "+1 555 867 5309", "+1 415 555 0123", "+1700000000", "+44 00 0000 0000"]
        {
            assert!(!international("call ", number), "{number}");
        }
        assert!(!international("x", "+44 20 7183 8750") && !international("f(x)", "+442071838750"));
    }

    #[test]
    fn numbers_of_north_america() {
        for number in ["(415) 867-5309", "1 415 867 5309", "415.867.5309"] {
            assert!(is_north_american(number.as_bytes()), "{number}");
        }
        for number in [
            "115-867-5309",
            "415-167-5309",
            "911-867-5309",
            "415-911-5309",
            "1700000000",
            "2 415 867 5309",
            "415-555-0142",
            "",
        ] {
            assert!(!is_north_american(number.as_bytes()), "{number}");
        }
    }

    #[test]
    fn numbers_that_a_word_proves() {
        for number in [
            "(942) 211-5034",
            "4158675309",
            "030 1284567",
            "13812345670",
            "06 12 34 56 70",
            "090-1294-5678",
            "+48601234567",
        ] {
            assert!(named(number), "{number}");
        }
        for number in [
            "1700000000",
            "1700000000123",
            "2024-11-22",
            "22.11.2024",
            "192.168.1.10",
            "5550123",
            "555-0199",
            "1234567890",
            "0000000000",
            "(555) 123-4567",
            "12345",
            "+1 415 555 0123",
        ] {
            assert!(!named(number), "{number}");
        }
    }
}
