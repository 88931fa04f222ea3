//! Who sends a request, and which of the client's headers may go on with it.

use std::sync::Arc;

use super::access::{Access as Keys, CREDENTIAL_HEADERS, OWN_KEY_HEADER, key_in};
use super::snapshot::TeamRules;
use super::{Head, Snapshot};
use crate::domain::{KeyId, Stamp};

/// A caller who may go on.
pub(super) struct Access {
    pub(super) team: Arc<TeamRules>,
    pub(super) key: Option<KeyId>,
    pub(super) credentials: Credentials,
}

/// What happens to the credentials of the client.
#[derive(Default)]
pub(super) struct Credentials {
    /// Headers that do not go on, lower case.
    pub(super) remove: Vec<String>,
    /// Nothing of the client's may stand in for the provider's key.
    pub(super) need_provider_key: bool,
}

/// Which team the caller's key belongs to. Without any team configured, everyone is the default team.
pub(super) fn authenticate(snapshot: &Snapshot, head: &Head<'_>, now: Stamp) -> Result<Access, String> {
    let Some(keys) = &snapshot.access else {
        let credentials = Credentials { remove: vec![OWN_KEY_HEADER.into()], need_provider_key: false };
        return Ok(Access { team: snapshot.teams[0].clone(), key: None, credentials });
    };
    let known = |name: &str| head.header(name).and_then(|value| keys.find(key_in(value)));
    let own = known(OWN_KEY_HEADER);
    let has_own = own.is_some();
    let found = own.or_else(|| CREDENTIAL_HEADERS.iter().find_map(|name| known(name)));
    let Some(found) = found else {
        return Err("no valid gateway key: send the key of your team as x-api-key or as a bearer token".into());
    };
    if !found.holds(now) {
        return Err("this gateway key has expired: ask for another one".into());
    }
    if head.query.is_some_and(|query| holds_key(keys, query)) {
        return Err("the gateway key stands in the query, where logs keep it: send it as a header alone".into());
    }
    let credentials = credentials(keys, head, has_own);
    Ok(Access { team: snapshot.teams[found.team].clone(), key: Some(found.key), credentials })
}

/// With the gateway's own header, the usual ones carry the developer's provider credential, which goes on unless the
/// upstream has a key. A header with a gateway key in it never does, whatever its name.
fn credentials(keys: &Keys, head: &Head<'_>, has_own: bool) -> Credentials {
    let mut remove: Vec<String> = vec![OWN_KEY_HEADER.into()];
    let carries_key = |value: &[u8]| std::str::from_utf8(value).is_ok_and(|value| keys.find(key_in(value)).is_some());
    let with_key = head.headers.iter().filter(|(_, value)| carries_key(value));
    remove.extend(with_key.map(|(name, _)| (*name).to_owned()));
    if !has_own {
        remove.extend(CREDENTIAL_HEADERS.map(String::from));
    }
    remove.sort_unstable();
    remove.dedup();
    let stays = |name: &&str| head.header(name).is_some() && !remove.iter().any(|it| it == name);
    let need_provider_key = !CREDENTIAL_HEADERS.iter().any(stays);
    Credentials { remove, need_provider_key }
}

/// Whether the value of a pair in `query` is a gateway key, as it stands or percent-encoded.
fn holds_key(keys: &Keys, query: &str) -> bool {
    let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    values.into_iter().any(|value| keys.find(&crate::providers::percent_decoded(value)).is_some())
}
