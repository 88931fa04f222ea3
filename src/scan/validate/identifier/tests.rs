//! Every scheme: numbers that another implementation made, the same with a digit changed, and hostile texts.

use super::super::made_up::begins_word;
use super::{Bare, SCHEMES, is_valid, named};

/// Scheme and two made-up numbers that are well-formed in it.
const WELL_FORMED: &[(&str, &str, &str)] = &[
    ("de_tax_id", "94725831567", "70321198657"),
    ("es_dni", "39528433N", "85908527P"),
    ("es_nie", "X2801279V", "X2022596E"),
    ("nl_bsn", "366449643", "096688117"),
    ("be_national_number", "60080959563", "77072303568"),
    ("pl_pesel", "67092685346", "82051730213"),
    ("se_personnummer", "850703-2327", "970807-4829"),
    ("dk_cpr", "2004949697", "0512955822"),
    ("no_fodselsnummer", "19075016746", "18037843934"),
    ("fi_hetu", "190651-411H", "251164-591K"),
    ("ie_pps", "6281955O", "0629806E"),
    ("ch_ahv", "7565789784679", "7561501615115"),
    ("at_svnr", "1155120386", "3003090199"),
    ("cz_rodne_cislo", "7201031300", "5609170127"),
    ("ro_cnp", "1531101016290", "1540213019132"),
    ("bg_egn", "9108214499", "6307197125"),
    ("ee_isikukood", "36811187971", "39304022744"),
    ("gr_amka", "03118805971", "04087518751"),
    ("tr_national_id", "22275324490", "29080203330"),
    ("us_itin", "918-72-3713", "981-74-9085"),
    ("ca_sin", "250338977", "251592358"),
    ("br_cpf", "697.661.799-05", "132.084.893-15"),
    ("br_cnpj", "57.018.585/0001-94", "39.956.888/0001-76"),
    ("ar_cuit", "20-71215906-6", "20-75251402-0"),
    ("cl_rut", "38561343-1", "57784650-2"),
    ("us_routing", "081426946", "064520445"),
    ("in_aadhaar", "220891170427", "487059577715"),
    ("kr_rrn_dated", "670813-1905032", "950310-1640590"),
    ("kr_rrn", "670813-1905031", "950310-1640599"),
    ("cn_resident_id", "110101198609257433", "110101195205167278"),
    ("jp_my_number", "132516843563", "741240672316"),
    ("th_id", "1837011081047", "1193098281755"),
    ("my_nric", "780123-14-3985", "690726-14-3974"),
    ("id_nik", "3171010106691211", "3171011202808303"),
    ("il_id", "887947828", "187314893"),
    ("za_id", "7402091937087", "6702092157085"),
    ("uk_nhs", "054 248 4714", "101 934 7295"),
    ("au_tfn", "515328565", "862033662"),
    ("nz_ird", "074381049", "040728211"),
    ("pt_nif", "239651073", "297413651"),
    ("hr_oib", "51697469171", "63035818890"),
    ("in_pan", "FEZPE9428H", "SXBPS9775Q"),
    ("fr_nir", "277048756040712", "262079319106121"),
    ("it_fiscal_code", "PSZTZC54T14H271S", "SFSSBG55A24G796A"),
    ("mx_curp", "MACL510807MJCSLL00", "GOGM780721MDFCLG04"),
    ("vat", "DE565211614", "DE575112179"),
    ("uk_nino", "PR 12 36 17 C", "YZ614868B"),
    ("de_id_card", "L5HK9RT40", "T22000815"),
    ("de_social_security", "65170839K106", "53120672M049"),
    ("ru_snils", "11223344696", "08765430199"),
    ("mx_rfc", "GODE561231GR8", "GODE561231GR8"),
    ("sg_nric", "S8234567A", "T0176543J"),
    ("hk_id", "Z683365(A)", "A182736(A)"),
    ("tw_id", "A173648200", "F228409170"),
    ("au_medicare", "2950173891", "4820391721"),
    ("us_medicare", "2AG9-XC4-NN22", "2AG9-XC4-NN22"),
    ("us_npi", "1048273910", "1392058172"),
    ("us_dea", "BK4829101", "F99182736"),
    ("de_health_insurance", "K482910552", "T104729837"),
    ("ae_emirates_id", "784198538271648", "784200148291055"),
    ("uk_driving_licence", "MORGA657054SM9IJ", "FO999512018AA1AB"),
    ("numbered", "A12803456", "A12803456"),
];

/// Schemes that have no checksum: a changed digit is another number.
const UNCHECKED: &[&str] = &[
    "uk_nino",
    "de_id_card",
    "dk_cpr",
    "us_itin",
    "mx_rfc",
    "in_pan",
    "kr_rrn_dated",
    "my_nric",
    "id_nik",
    "us_medicare",
    "uk_driving_licence",
    "numbered",
];

fn holds(scheme: &str, text: &str) -> bool {
    is_valid(named(scheme).unwrap(), text.as_bytes())
}

#[test]
fn every_scheme_has_numbers_here() {
    for (scheme, _) in SCHEMES {
        assert!(WELL_FORMED.iter().any(|(name, ..)| name == scheme), "{scheme}");
    }
}

#[test]
fn well_formed_numbers() {
    for (scheme, first, second) in WELL_FORMED {
        assert!(holds(scheme, first), "{scheme}: {first}");
        assert!(holds(scheme, second), "{scheme}: {second}");
    }
}

#[test]
fn a_changed_digit_is_seen() {
    for (scheme, number, _) in WELL_FORMED.iter().filter(|(scheme, ..)| !UNCHECKED.contains(scheme)) {
        // A middle digit, which every checksum covers.
        let place = number.char_indices().filter(|(_, it)| it.is_ascii_digit()).nth(3).unwrap().0;
        let mut changed = number.as_bytes().to_vec();
        changed[place] = if changed[place] == b'9' { b'0' } else { changed[place] + 1 };
        let changed = String::from_utf8(changed).unwrap();
        assert!(!holds(scheme, &changed), "{scheme}: {changed}");
    }
}

#[test]
fn samples_and_other_texts_are_not() {
    for (scheme, _) in SCHEMES {
        for text in [
            "",
            "-",
            "000000000",
            "00000000000",
            "1111111111",
            "123456789",
            "1234567890123",
            "ABCDEFGHI",
            "\u{e9}",
            "A",
        ] {
            assert!(!holds(scheme, text), "{scheme}: {text}");
        }
        for length in 0..40 {
            let _ = holds(scheme, &"Z".repeat(length));
            let _ = holds(scheme, &"9".repeat(length));
        }
    }
    assert!(named("zz_none").is_none() && !is_valid(u8::MAX, b"1"));
    assert!(Bare::of(&[b'1'; 33]).is_none());
}

#[test]
fn words_begin_after_other_bytes_or_at_an_upper_case_letter() {
    assert!(begins_word(b"customer_", b"cpf: 1") && begins_word(b"customer", b"Cpf: 1") && begins_word(b"", b"cpf"));
    assert!(!begins_word(b"t", b"cpf: 1") && !begins_word(b"T", b"CPF: 1"));
}
