//! Identity numbers of European states.

use super::super::date::{is_day, is_short_day};
use super::{Bare, has_ean, has_luhn, has_mod_11, value, weighted, wide_value};

/// United Kingdom, National Insurance: two letters of the issued ranges, six digits, A to D.
pub(super) fn is_uk_nino(bare: &Bare) -> bool {
    let Some([first, second, digits @ .., suffix]) = bare.characters::<9>() else { return false };
    let letters = first.is_ascii_alphabetic() && second.is_ascii_alphabetic();
    let withheld = b"DFIQUV".contains(first) || b"DFIQUVO".contains(second);
    let reserved = matches!(&[*first, *second], b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ");
    letters && !withheld && !reserved && digits.iter().all(u8::is_ascii_digit) && (b'A'..=b'D').contains(suffix)
}

/// Germany, identity card and passport: nine characters, digits and consonants. The check digit of ICAO 9303 stands
/// behind them in the machine-readable zone, and only sometimes in print.
pub(super) fn is_de_document(bare: &Bare) -> bool {
    const LETTERS: &[u8] = b"CFGHJKLMNPRTVWXYZ";
    let Some((body, check)) = bare.as_bytes().split_at_checked(9) else { return false };
    let sum: u32 = body.iter().zip([7, 3, 1].into_iter().cycle()).map(|(byte, weight)| character(*byte) * weight).sum();
    LETTERS.contains(&body[0])
        && body.iter().all(|byte| byte.is_ascii_digit() || LETTERS.contains(byte))
        && body.iter().filter(|byte| byte.is_ascii_digit()).count() >= 3
        && match check {
            [] => true,
            [check] => u32::from(check.wrapping_sub(b'0')) == sum % 10,
            _ => false,
        }
}

fn character(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        _ => u32::from(byte.saturating_sub(b'A')) + 10,
    }
}

/// Germany, pension insurance: area, date of birth, initial, serial, check digit.
pub(super) fn is_de_social_security(bare: &Bare) -> bool {
    let Some(text) = bare.characters::<12>() else { return false };
    let (head, letter, tail) = (&text[..8], text[8], &text[9..]);
    if !head.iter().chain(tail).all(u8::is_ascii_digit) || !letter.is_ascii_uppercase() {
        return false;
    }
    let ordinal = u32::from(letter - b'A') + 1;
    let mut digits: Vec<u32> = head.iter().map(|byte| u32::from(byte - b'0')).collect();
    digits.extend([ordinal / 10, ordinal % 10]);
    digits.extend(tail[..2].iter().map(|byte| u32::from(byte - b'0')));
    let weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let sum: u32 = digits.iter().zip(weights).map(|(digit, weight)| digit * weight / 10 + digit * weight % 10).sum();
    let (day, month) = (value(&digits[2..4]), value(&digits[4..6]));
    (1..=31).contains(&day) && (1..=12).contains(&month) && sum % 10 == u32::from(tail[2] - b'0')
}

/// France, social security: sex, year, month, place, order and the key of 97. Corsica writes 2A and 2B.
pub(super) fn is_fr_nir(bare: &Bare) -> bool {
    let Some(text) = bare.characters::<15>() else { return false };
    let (mut digits, mut less) = ([0u32; 15], 0u64);
    for (place, (&byte, digit)) in text.iter().zip(&mut digits).enumerate() {
        *digit = match byte {
            b'0'..=b'9' => u32::from(byte - b'0'),
            b'A' if place == 6 => {
                less = 1_000_000;
                0
            }
            b'B' if place == 6 => {
                less = 2_000_000;
                0
            }
            _ => return false,
        };
    }
    let (number, key) = (wide_value(&digits[..13]), wide_value(&digits[13..]));
    let month = value(&digits[3..5]);
    // Months above 12 stand for births of unknown date.
    let month_known = (1..=12).contains(&month) || (20..=42).contains(&month) || (50..=99).contains(&month);
    matches!(digits[0], 1 | 2 | 3 | 4 | 7 | 8) && month_known && number > less && 97 - (number - less) % 97 == key
}

const SPANISH_LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

fn has_spanish_letter(digits: &[u8], letter: u8) -> bool {
    let number = digits.iter().try_fold(0u32, |number, byte| {
        byte.is_ascii_digit().then(|| number.wrapping_mul(10).wrapping_add(u32::from(byte - b'0')))
    });
    number.is_some_and(|number| SPANISH_LETTERS[(number % 23) as usize] == letter)
}

/// Spain, citizens: seven or eight digits and the letter of 23.
pub(super) fn is_es_dni(bare: &Bare) -> bool {
    let Some((letter, digits)) = bare.as_bytes().split_last() else { return false };
    (7..=8).contains(&digits.len()) && has_spanish_letter(digits, *letter)
}

/// Spain, foreigners: X, Y or Z for the first digit.
pub(super) fn is_es_nie(bare: &Bare) -> bool {
    let Some([first, digits @ .., letter]) = bare.characters::<9>() else { return false };
    let mut whole = [b'0'; 8];
    whole[0] = match first {
        b'X' => b'0',
        b'Y' => b'1',
        b'Z' => b'2',
        _ => return false,
    };
    whole[1..].copy_from_slice(digits);
    has_spanish_letter(&whole, *letter)
}

/// Italy: names, date and place of birth, control letter. Digits may be letters where two people would share a code.
pub(super) fn is_it_fiscal_code(bare: &Bare) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let Some(text) = bare.characters::<16>() else { return false };
    let letters = text[..6].iter().chain([&text[8], &text[11], &text[15]]).all(u8::is_ascii_uppercase);
    let index = |byte: u8| u32::from(if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' });
    let sum: u32 = text[..15]
        .iter()
        .enumerate()
        .map(|(place, &byte)| if place % 2 == 0 { ODD[index(byte) as usize] } else { index(byte) })
        .sum();
    letters && b"ABCDEHLMPRST".contains(&text[8]) && u32::from(text[15].wrapping_sub(b'A')) == sum % 26
}

/// Netherlands: the test of eleven over nine digits.
pub(super) fn is_nl_bsn(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<9>() else { return false };
    let sum = i64::from(weighted(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2])) - i64::from(digits[8]);
    sum % 11 == 0 && value(&digits) > 9_999_999
}

/// Belgium: date of birth, serial, 97 less the rest; from 2000 on with a 2 before.
pub(super) fn is_be_national_number(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<11>() else { return false };
    let (number, check) = (wide_value(&digits[..9]), wide_value(&digits[9..]));
    let born = is_short_day(value(&digits[..2]), value(&digits[2..4]) % 20, value(&digits[4..6]));
    born && (97 - number % 97 == check || 97 - (number + 2_000_000_000) % 97 == check)
}

/// Poland: date of birth with the century in the month, serial, check digit.
pub(super) fn is_pl_pesel(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<11>() else { return false };
    let month = value(&digits[2..4]);
    let year = value(&digits[..2]) + [1900, 2000, 2100, 2200, 1800][(month / 20).min(4) as usize];
    let sum = weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    sum.is_multiple_of(10) && is_day(year, month % 20, value(&digits[4..6]))
}

/// Sweden: date of birth with or without the century, serial, Luhn. Co-ordination numbers add 60 to the day.
pub(super) fn is_se_personnummer(bare: &Bare) -> bool {
    let short = match bare.digits::<12>() {
        Some(digits) if (18..=20).contains(&value(&digits[..2])) => digits.last_chunk::<10>().copied(),
        Some(_) => None,
        None => bare.digits::<10>(),
    };
    short.is_some_and(|digits| {
        let day = value(&digits[4..6]);
        let day = if day > 60 { day - 60 } else { day };
        is_short_day(value(&digits[..2]), value(&digits[2..4]), day) && has_luhn(&digits)
    })
}

/// Denmark: date of birth and serial. Numbers since 2007 have no checksum.
pub(super) fn is_dk_cpr(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<10>() else { return false };
    is_short_day(value(&digits[4..6]), value(&digits[2..4]), value(&digits[..2]))
}

/// Norway: date of birth, serial, two check digits. D-numbers add 40 to the day.
pub(super) fn is_no_fodselsnummer(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<11>() else { return false };
    let day = value(&digits[..2]);
    let day = if day > 40 { day - 40 } else { day };
    is_short_day(value(&digits[4..6]), value(&digits[2..4]) % 40, day)
        && has_mod_11(&digits[..10], &[3, 7, 6, 1, 8, 9, 4, 5, 2])
        && has_mod_11(&digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2])
}

/// Finland: date of birth, a sign for the century (left out here), serial, check character of 31.
pub(super) fn is_fi_hetu(bare: &Bare) -> bool {
    const CHECKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let text = bare.as_bytes();
    // The sign is a letter for most of this century, and then a character of its own.
    let text: Vec<u8> = match text.len() {
        10 => text.to_vec(),
        11 if b"ABCDEFYXWVU".contains(&text[6]) => [&text[..6], &text[7..]].concat(),
        _ => return false,
    };
    if !text[..9].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let digits: Vec<u32> = text[..9].iter().map(|byte| u32::from(byte - b'0')).collect();
    is_short_day(value(&digits[4..6]), value(&digits[2..4]), value(&digits[..2]))
        && value(&digits[6..]) >= 2
        && CHECKS[(value(&digits) % 31) as usize] == text[9]
}

/// Ireland: seven digits, a letter of 23, and sometimes a second letter that counts nine times.
pub(super) fn is_ie_pps(bare: &Bare) -> bool {
    let text = bare.as_bytes();
    if !(8..=9).contains(&text.len()) || !text[..7].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let digits: Vec<u32> = text[..7].iter().map(|byte| u32::from(byte - b'0')).collect();
    let second = text.get(8).map_or(0, |byte| if *byte == b'W' { 0 } else { u32::from(byte.wrapping_sub(b'A')) + 1 });
    let rest = (weighted(&digits, &[8, 7, 6, 5, 4, 3, 2]) + second * 9) % 23;
    let expected = if rest == 0 { b'W' } else { b'A' + (rest - 1) as u8 };
    second <= 26 && text[7] == expected
}

/// Switzerland: 756 and the check digit of a bar code.
pub(super) fn is_ch_ahv(bare: &Bare) -> bool {
    bare.digits::<13>().is_some_and(|digits| digits[..3] == [7, 5, 6] && has_ean(&digits))
}

/// Austria: serial, check digit, date of birth.
pub(super) fn is_at_svnr(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<10>() else { return false };
    let sum = weighted(&digits, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    digits[0] != 0 && sum % 11 == digits[3] && (1..=31).contains(&value(&digits[4..6]))
}

/// Czechia and Slovakia: date of birth (women's months from 51), serial, divisible by 11.
pub(super) fn is_cz_rodne_cislo(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<10>() else { return false };
    let month = value(&digits[2..4]) % 50;
    let month = if month > 20 { month - 20 } else { month };
    // Until 1985 a rest of ten was written as 0.
    let old = wide_value(&digits[..9]) % 11 == 10 && digits[9] == 0;
    is_short_day(value(&digits[..2]), month, value(&digits[4..6])) && (old || wide_value(&digits).is_multiple_of(11))
}

/// Romania: sex and century, date of birth, county, serial, check digit.
pub(super) fn is_ro_cnp(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<13>() else { return false };
    let rest = weighted(&digits[..12], &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    let check = if rest == 10 { 1 } else { rest };
    digits[0] != 0
        && is_short_day(value(&digits[1..3]), value(&digits[3..5]), value(&digits[5..7]))
        && check == digits[12]
}

/// Bulgaria: date of birth with the century in the month, serial, check digit.
pub(super) fn is_bg_egn(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<10>() else { return false };
    let check = weighted(&digits[..9], &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
    let month = value(&digits[2..4]);
    let month = if month > 40 {
        month - 40
    } else if month > 20 {
        month - 20
    } else {
        month
    };
    is_short_day(value(&digits[..2]), month, value(&digits[4..6])) && check == digits[9]
}

/// Estonia and Lithuania: century and sex, date of birth, serial, check digit of two tries.
pub(super) fn is_ee_isikukood(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<11>() else { return false };
    let first = weighted(&digits[..10], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let second = weighted(&digits[..10], &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10;
    (1..=8).contains(&digits[0])
        && is_short_day(value(&digits[1..3]), value(&digits[3..5]), value(&digits[5..7]))
        && digits[10] == if first < 10 { first } else { second }
}

/// Greece, social security: date of birth, serial, Luhn.
pub(super) fn is_gr_amka(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<11>() else { return false };
    is_short_day(value(&digits[4..6]), value(&digits[2..4]), value(&digits[..2])) && has_luhn(&digits)
}

/// Russia, pension insurance: nine digits weighted from nine down, modulo 101.
pub(super) fn is_ru_snils(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<11>() else { return false };
    weighted(&digits[..9], &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100 == value(&digits[9..])
}

/// Turkey: two check digits over the ten before.
pub(super) fn is_tr_national_id(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<11>() else { return false };
    let odd: u32 = digits[..9].iter().step_by(2).sum();
    let even: u32 = digits[1..8].iter().step_by(2).sum();
    let all: u32 = digits[..10].iter().sum();
    digits[0] != 0 && (odd * 7 + 90 - even) % 10 == digits[9] && all % 10 == digits[10]
}
