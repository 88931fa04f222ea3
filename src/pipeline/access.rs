//! Gateway keys to teams, compared in constant time over the whole table.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::config::{GatewayKey, Moment, Team};
use crate::domain::{KeyId, Stamp};

/// Headers a client may carry its key in, by priority. The first is the gateway's own: with it, the client's
/// provider credential stays in its usual header and goes on.
pub(super) const OWN_KEY_HEADER: &str = "x-airiskguard-key";

/// Headers that carry a credential in one of the dialects; none of them goes upstream when it held a gateway key.
pub(super) const CREDENTIAL_HEADERS: [&str; 4] = ["x-api-key", "authorization", "api-key", "x-goog-api-key"];

/// Every gateway key of every team, as digests.
pub(super) struct Access {
    keys: Vec<Kept>,
}

struct Kept {
    digest: [u8; 32],
    team: u32,
    /// Seconds since 1970 at which it holds no more.
    end: u64,
}

/// A key that is one of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Index into the teams.
    pub(super) team: usize,
    pub(super) key: KeyId,
    end: u64,
}

impl Found {
    pub(super) fn holds(&self, now: Stamp) -> bool {
        now.unix.as_secs() < self.end
    }
}

impl Access {
    /// The table of these teams; a key's team is the index into `teams`.
    pub(super) fn new(teams: &[Team]) -> Self {
        let kept = |key: &GatewayKey, team: usize| Kept {
            digest: key.digest(),
            team: team as u32,
            end: key.until().map_or(u64::MAX, Moment::seconds),
        };
        let of_team =
            |(index, team): (usize, &Team)| -> Vec<Kept> { team.api_keys.iter().map(|it| kept(it, index)).collect() };
        Access { keys: teams.iter().enumerate().flat_map(of_team).collect() }
    }

    /// Whose key this is, whether it holds still or not. Takes the same time for every key that is presented.
    pub(super) fn find(&self, presented: &str) -> Option<Found> {
        let digest: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        let mut found = Choice::from(0);
        let (mut team, mut end) = (0u32, 0u64);
        for key in &self.keys {
            let equal = key.digest.ct_eq(&digest);
            team.conditional_assign(&key.team, equal);
            end.conditional_assign(&key.end, equal);
            found |= equal;
        }
        bool::from(found).then(|| Found { team: team as usize, key: key_id(&digest), end })
    }
}

/// The key in a credential header's value: what follows `Bearer`, in any case, or all of it.
pub(super) fn key_in(value: &str) -> &str {
    let value = value.trim();
    match value.split_once([' ', '\t']) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => value,
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
        let digest = GatewayKey::Sha256 { digest: Sha256::digest(b"gw-two").into(), until: None };
        let access = Access::new(&[team("one", vec![clear]), team("two", vec![digest])]);
        assert_eq!(access.find("gw-one").map(|it| it.team), Some(0));
        assert_eq!(access.find("gw-two").map(|it| it.team), Some(1));
        assert_eq!(access.find("gw-three"), None);
        assert_eq!(access.find(""), None);
    }

    #[test]
    fn a_key_holds_until_its_end() {
        let until = "2027-01-15T08:00:00Z".parse().ok();
        let key = GatewayKey::Sha256 { digest: Sha256::digest(b"gw-one").into(), until };
        let found = Access::new(&[team("one", vec![key])]).find("gw-one").unwrap();
        let at = |seconds| Stamp { unix: std::time::Duration::from_secs(seconds), ..Stamp::default() };
        assert!(found.holds(at(1_799_999_999)) && !found.holds(at(1_800_000_000)));
    }

    #[test]
    fn the_bearer_scheme_is_removed_in_any_case() {
        for value in ["Bearer gw-one", "bearer gw-one", "BEARER  gw-one ", "Bearer\tgw-one", "gw-one"] {
            assert_eq!(key_in(value), "gw-one", "{value}");
        }
    }
}
