//! Gateway keys to teams, compared in constant time over the whole table.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::config::{GatewayKey, Team};
use crate::domain::KeyId;

/// Headers a client may carry its key in, by priority. The first is the gateway's own: with it, the client's
/// provider credential stays in its usual header and goes on.
pub(super) const OWN_KEY_HEADER: &str = "x-airiskguard-key";

/// Headers that carry a credential in one of the dialects; none of them goes upstream when it held a gateway key.
pub(super) const CREDENTIAL_HEADERS: [&str; 4] = ["x-api-key", "authorization", "api-key", "x-goog-api-key"];

/// Every gateway key of every team, as digests.
pub(super) struct Access {
    keys: Vec<([u8; 32], u32)>,
}

impl Access {
    /// The table of these teams; a key's team is the index into `teams`.
    pub(super) fn new(teams: &[Team]) -> Self {
        let of_team = |(index, team): (usize, &Team)| -> Vec<([u8; 32], u32)> {
            team.api_keys.iter().map(|key| (digest_of(key), index as u32)).collect()
        };
        Access { keys: teams.iter().enumerate().flat_map(of_team).collect() }
    }

    /// The team index of this key. Takes the same time for every key that is presented.
    pub(super) fn team(&self, presented: &str) -> Option<(usize, KeyId)> {
        let digest: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        let mut found = Choice::from(0);
        let mut index = 0u32;
        for (key, team) in &self.keys {
            let equal = key.ct_eq(&digest);
            index.conditional_assign(team, equal);
            found |= equal;
        }
        bool::from(found).then(|| (index as usize, key_id(&digest)))
    }
}

/// The key in a credential header's value: what follows `Bearer`, in any case, or all of it.
pub(super) fn key_in(value: &str) -> &str {
    let value = value.trim();
    match value.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => value,
    }
}

fn digest_of(key: &GatewayKey) -> [u8; 32] {
    match key {
        GatewayKey::Clear(secret) => Sha256::digest(secret.expose().as_bytes()).into(),
        GatewayKey::Sha256(digest) => *digest,
    }
}

fn key_id(digest: &[u8; 32]) -> KeyId {
    let hex: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    KeyId::new(&hex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Secret;

    fn team(name: &str, keys: Vec<GatewayKey>) -> Team {
        Team {
            name: name.into(),
            api_keys: keys,
            model_allowlist: None,
            outbound_checks: None,
            inbound_checks: None,
            redact_secrets: None,
            limits: crate::config::TeamLimits::default(),
        }
    }

    #[test]
    fn a_key_in_clear_and_its_digest_name_the_same_team() {
        let clear = GatewayKey::Clear(Secret::new("gw-one".into()));
        let digest = GatewayKey::Sha256(Sha256::digest(b"gw-two").into());
        let access = Access::new(&[team("one", vec![clear]), team("two", vec![digest])]);
        assert_eq!(access.team("gw-one").map(|it| it.0), Some(0));
        assert_eq!(access.team("gw-two").map(|it| it.0), Some(1));
        assert_eq!(access.team("gw-three"), None);
        assert_eq!(access.team(""), None);
    }

    #[test]
    fn the_bearer_scheme_is_removed_in_any_case() {
        for value in ["Bearer gw-one", "bearer gw-one", "BEARER  gw-one ", "gw-one"] {
            assert_eq!(key_in(value), "gw-one", "{value}");
        }
    }
}
