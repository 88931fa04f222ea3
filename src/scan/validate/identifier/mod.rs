//! Numbers that states give to people and firms: which are well-formed, by structure and checksum.
//!
//! A check reads the secret alone. Whether the text calls it that number is the pattern's to say: a bare run of digits
//! with a checksum is right one time in ten.

mod america;
mod asia;
mod europe;
mod health;
mod licence;
mod tax;

/// Longest identifier, characters without separators.
const CHARACTERS_MAX: usize = 32;

/// A scheme of numbers: its name in rules, and what well-formed ones look like.
type Scheme = (&'static str, fn(&Bare) -> bool);

/// Every scheme, grouped by continent.
const SCHEMES: &[Scheme] = &[
    ("uk_nino", europe::is_uk_nino),
    ("de_id_card", europe::is_de_document),
    ("de_social_security", europe::is_de_social_security),
    ("fr_nir", europe::is_fr_nir),
    ("es_dni", europe::is_es_dni),
    ("es_nie", europe::is_es_nie),
    ("it_fiscal_code", europe::is_it_fiscal_code),
    ("nl_bsn", europe::is_nl_bsn),
    ("be_national_number", europe::is_be_national_number),
    ("pl_pesel", europe::is_pl_pesel),
    ("se_personnummer", europe::is_se_personnummer),
    ("dk_cpr", europe::is_dk_cpr),
    ("no_fodselsnummer", europe::is_no_fodselsnummer),
    ("fi_hetu", europe::is_fi_hetu),
    ("ie_pps", europe::is_ie_pps),
    ("ch_ahv", europe::is_ch_ahv),
    ("at_svnr", europe::is_at_svnr),
    ("cz_rodne_cislo", europe::is_cz_rodne_cislo),
    ("ro_cnp", europe::is_ro_cnp),
    ("bg_egn", europe::is_bg_egn),
    ("ee_isikukood", europe::is_ee_isikukood),
    ("gr_amka", europe::is_gr_amka),
    ("ru_snils", europe::is_ru_snils),
    ("tr_national_id", europe::is_tr_national_id),
    ("us_itin", america::is_us_itin),
    ("ca_sin", america::is_ca_sin),
    ("br_cpf", america::is_br_cpf),
    ("br_cnpj", america::is_br_cnpj),
    ("mx_curp", america::is_mx_curp),
    ("mx_rfc", america::is_mx_rfc),
    ("ar_cuit", america::is_ar_cuit),
    ("cl_rut", america::is_cl_rut),
    ("us_routing", america::is_us_routing),
    ("in_aadhaar", asia::is_in_aadhaar),
    ("in_pan", asia::is_in_pan),
    ("sg_nric", asia::is_sg_nric),
    ("kr_rrn", asia::is_kr_rrn),
    ("kr_rrn_dated", asia::is_kr_rrn_dated),
    ("cn_resident_id", asia::is_cn_resident_id),
    ("jp_my_number", asia::is_jp_my_number),
    ("hk_id", asia::is_hk_id),
    ("tw_id", asia::is_tw_id),
    ("th_id", asia::is_th_id),
    ("my_nric", asia::is_my_nric),
    ("id_nik", asia::is_id_nik),
    ("ae_emirates_id", asia::is_luhn),
    ("il_id", asia::is_luhn),
    ("za_id", asia::is_za_id),
    ("uk_nhs", health::is_uk_nhs),
    ("au_medicare", health::is_au_medicare),
    ("us_medicare", health::is_us_medicare),
    ("us_npi", health::is_us_npi),
    ("us_dea", health::is_us_dea),
    ("de_health_insurance", health::is_de_health_insurance),
    ("uk_driving_licence", licence::is_uk_driving_licence),
    ("numbered", licence::is_numbered),
    ("de_tax_id", tax::is_de_tax_id),
    ("au_tfn", tax::is_au_tfn),
    ("nz_ird", tax::is_nz_ird),
    ("pt_nif", tax::is_pt_nif),
    ("hr_oib", tax::is_hr_oib),
    ("vat", tax::is_vat),
];

/// The scheme of this name.
pub(super) fn named(name: &str) -> Option<u8> {
    SCHEMES.iter().position(|(listed, _)| *listed == name).and_then(|index| u8::try_from(index).ok())
}

/// The names of all schemes, in their order.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SCHEMES.iter().map(|(name, _)| *name)
}

/// Whether `text`, separators left out, is well-formed in the scheme, and no sample: not one digit over and over.
pub(super) fn is_valid(scheme: u8, text: &[u8]) -> bool {
    let Some((_, check)) = SCHEMES.get(usize::from(scheme)) else { return false };
    Bare::of(text).is_some_and(|bare| !bare.is_sample() && check(&bare))
}

/// An identifier without its separators, letters in upper case.
pub(super) struct Bare {
    bytes: [u8; CHARACTERS_MAX],
    count: usize,
}

impl Bare {
    /// `None` where it is longer than any identifier, or holds no characters.
    fn of(text: &[u8]) -> Option<Bare> {
        let mut bare = Bare { bytes: [0; CHARACTERS_MAX], count: 0 };
        for byte in text.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
            *bare.bytes.get_mut(bare.count)? = byte.to_ascii_uppercase();
            bare.count += 1;
        }
        (bare.count > 0).then_some(bare)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.count]
    }

    /// One digit over and over, or counting up from the first.
    fn is_sample(&self) -> bool {
        let digits = self.as_bytes().iter().filter(|byte| byte.is_ascii_digit());
        let (mut seen, mut previous, mut rising) = ([false; 10], None, true);
        for &digit in digits {
            seen[usize::from(digit - b'0')] = true;
            rising &= previous.is_none_or(|it: u8| (it - b'0' + 1) % 10 == digit - b'0');
            previous = Some(digit);
        }
        let distinct = seen.iter().filter(|&&it| it).count();
        distinct < 2 || (rising && distinct > 8)
    }

    /// The digits as numbers, if it is exactly `N` digits.
    fn digits<const N: usize>(&self) -> Option<[u32; N]> {
        let bytes: &[u8; N] = self.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_digit).then(|| bytes.map(|byte| u32::from(byte - b'0')))
    }

    /// The characters, if it is exactly `N` of them.
    fn characters<const N: usize>(&self) -> Option<&[u8; N]> {
        self.as_bytes().try_into().ok()
    }
}

/// The digits as one number.
fn value(digits: &[u32]) -> u32 {
    digits.iter().fold(0, |value, digit| value.wrapping_mul(10).wrapping_add(*digit))
}

/// The same for many digits.
fn wide_value(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |value, digit| value.wrapping_mul(10).wrapping_add(u64::from(*digit)))
}

/// Each digit times the weight at its place; digits without a weight do not count.
fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// The Luhn checksum, the last digit included.
fn has_luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| if place % 2 == 0 { digit } else { doubled(digit) })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO 7064 mod 11,10, the last digit included.
fn has_mod_11_10(digits: &[u32]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == *check
}

/// The check digit of a bar code (EAN), the last digit included.
fn has_ean(digits: &[u32]) -> bool {
    let sum: u32 =
        digits.iter().rev().enumerate().map(|(place, digit)| if place % 2 == 0 { *digit } else { digit * 3 }).sum();
    sum.is_multiple_of(10)
}

/// The last digit is the sum of the others modulo 11, and there is no digit for 10.
fn has_mod_11(digits: &[u32], weights: &[u32]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let rest = (11 - weighted(body, weights) % 11) % 11;
    rest == *check
}

#[cfg(test)]
mod tests;
