//! Keys that vendors print in their documentation, sample code and emulators: everybody has them, nobody is harmed.

use memchr::memmem;
use sha2::{Digest, Sha256};

/// First eight bytes of the SHA-256 of each such key, sorted, so that no key stands here whole. Among them: the sample
/// keys in the documentation of Stripe, Telegram and Google's client libraries, the fixed keys of the Azure storage and
/// database emulators, the first accounts of the common Ethereum test networks.
const DIGESTS: [u64; 32] = [
    0x0011_cc25_eb43_2071,
    0x0b47_6bdf_9acf_2123,
    0x1369_9eae_ee4c_f73c,
    0x2037_abca_ffb2_b777,
    0x27a9_a429_31df_f7eb,
    0x2caf_c097_0149_a84f,
    0x2d1f_7723_aabc_5c7a,
    0x37f8_f09b_df12_c2f2,
    0x3a8b_61d0_f636_b007,
    0x3f37_0c9d_d822_5c63,
    0x49f7_77db_995e_8260,
    0x4c98_242d_cadc_8b29,
    0x6403_4b44_c579_b335,
    0x6f37_91a5_7f1d_6dd8,
    0x731f_a294_d036_e54f,
    0x7e8d_e44e_a9ec_f6d5,
    0x8335_c553_3482_1eef,
    0x8731_261c_b72d_8626,
    0xa19f_89ab_3555_eac1,
    0xa6c8_14bc_555a_e62c,
    0xaa65_4743_9583_c3a2,
    0xb26a_b652_9d20_ebeb,
    0xb7d6_1096_898c_e748,
    0xbc1a_5096_6c9e_6486,
    0xc434_1ce2_cfcb_5209,
    0xdc0f_cf04_6c61_640c,
    0xe4a5_542b_b7fd_7b67,
    0xea9b_b108_2cf9_5663,
    0xeb54_0d2b_6ee2_a0a4,
    0xf2d6_ca16_5150_33e5,
    0xf308_2ce9_d699_2144,
    0xf56e_3234_94a6_ffc2,
];

/// Amazon's samples have this in them; in a random key of 40 characters it stands once in 10^11.
const MARK: &[u8] = b"EXAMPLE";

/// Whether `secret`, or the value behind its last `AccountKey=`, is a key that everybody knows.
pub(super) fn is_published(secret: &[u8]) -> bool {
    let key = account_key(secret).unwrap_or(secret);
    let key = key.strip_prefix(b"0x").unwrap_or(key);
    memmem::find(key, MARK).is_some() || DIGESTS.binary_search(&digest(key)).is_ok()
}

/// The key within a connection string.
fn account_key(secret: &[u8]) -> Option<&[u8]> {
    let start = memmem::rfind(secret, b"AccountKey=")? + b"AccountKey=".len();
    secret[start..].split(|&byte| byte == b';').next()
}

fn digest(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&Sha256::digest(key)[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_sorted() {
        assert!(DIGESTS.is_sorted());
    }

    #[test]
    fn documented_keys_are_known() {
        let known = [
            concat!("AKIA", "IOSFODNN7EXAMPLE"),
            concat!("sk_test_", "4eC39HqLyjWDarjtT1zdp7dc"),
            concat!(
                "AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6",
                "tq/K1SZFPTOtr/KBHBeksoGMGw==;BlobEndpoint=http"
            ),
            concat!("0xac0974bec39a17e36ba4a6b4d238ff94", "4bacb478cbed5efcae784d7bf4f2ff80"),
        ];
        for key in known {
            assert!(is_published(key.as_bytes()), "{key}");
        }
    }

    #[test]
    fn other_keys_are_not() {
        assert!(!is_published(b"AccountKey=m5HNHv"));
        assert!(!is_published(b""));
    }
}
