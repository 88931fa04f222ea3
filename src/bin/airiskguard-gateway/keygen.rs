//! `keygen`: a gateway key for the developer, its digest for `gateway.yaml`.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::configuration::seed;

/// Letters of the random part; 32 characters of 32 letters are 160 bits.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The two lines that `keygen` prints for this team.
pub(crate) fn lines(team: &str) -> Result<String, String> {
    let seed = seed().map_err(|error| format!("no random numbers to be had: {error}"))?;
    let team: String = team.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '-').collect();
    let random: String = seed.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect();
    let key = format!("gw-{team}-{random}");
    let digest = Sha256::digest(key.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok(format!(
        "key (give it to the team; it is shown only here):\n  {key}\n\
         line for gateway.yaml, under `teams.{team}.api_keys`:\n  - sha256:{digest}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_differ_and_name_the_team() {
        let one = lines("blue team!").unwrap_or_default();
        assert!(one.contains("gw-blueteam-"), "{one}");
        assert_ne!(one, lines("blue team!").unwrap_or_default());
    }
}
