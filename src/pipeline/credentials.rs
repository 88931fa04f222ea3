//! Who sends a request, and which of the client's headers may go on with it.

use std::sync::Arc;

use super::access::{Access as Keys, CREDENTIAL_HEADERS, OWN_KEY_HEADER, key_in};
use super::snapshot::TeamRules;
use super::{Head, Snapshot};
use crate::domain::{KeyId, Stamp};
use crate::providers::percent_decoded;

/// A shorter key is a word, which may stand in a text by chance: it is known only where it stands alone.
const KEY_BYTES_MIN: usize = 16;

/// Headers in which services between the gateway and a provider take a credential of their own.
const PROXY_CREDENTIAL_HEADERS: [&str; 7] = [
    "cf-access-client-secret",
    "cf-aig-authorization",
    "helicone-auth",
    "ocp-apim-subscription-key",
    "proxy-authorization",
    "x-litellm-api-key",
    "x-portkey-api-key",
];
/// Headers that the edge takes out, or gives a value of its own.
const REPLACED_HEADERS: [&str; 8] = [
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "sec-websocket-key",
    "te",
    "transfer-encoding",
    "upgrade",
];
/// Headers in which a front end tells addresses.
const ADDRESS_HEADERS: [&str; 4] = ["cf-connecting-ip", "true-client-ip", "x-forwarded-for", "x-real-ip"];

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

impl Credentials {
    /// Whether a header goes on as it came and may hold a text: credentials are meant for the provider, and what frames
    /// or traces a request is made by machines.
    pub(super) fn may_hold_text(&self, name: &str, value: &[u8]) -> bool {
        let is_number = || value.iter().all(|it| it.is_ascii_digit());
        let is_address = || value.iter().all(|it| it.is_ascii_hexdigit() || b" .,:[]".contains(it));
        let is_left_out = |lists: &[&[&str]]| lists.iter().any(|list| list.contains(&name));
        let is_made = name.starts_with("x-") && is_number() || ADDRESS_HEADERS.contains(&name) && is_address();
        !is_made
            && !is_left_out(&[&CREDENTIAL_HEADERS, &PROXY_CREDENTIAL_HEADERS, &REPLACED_HEADERS])
            && !self.remove.iter().any(|it| it == name)
    }
}

/// Which team the caller's key belongs to. Without any team configured, everyone is the default team.
pub(super) fn authenticate(snapshot: &Snapshot, head: &Head<'_>, now: Stamp) -> Result<Access, String> {
    let Some(keys) = &snapshot.access else {
        let credentials = Credentials { remove: vec![OWN_KEY_HEADER.into()], need_provider_key: false };
        return Ok(Access { team: snapshot.teams[0].clone(), key: None, credentials });
    };
    let known = |name: &str| {
        let key = key_in(head.header(name)?);
        keys.find(key).map(|found| (found, key))
    };
    let own = known(OWN_KEY_HEADER);
    let has_own = own.is_some();
    let presented = own.or_else(|| CREDENTIAL_HEADERS.iter().find_map(|name| known(name)));
    let Some((found, key)) = presented else {
        return Err("no valid gateway key: send the key of your team as x-api-key or as a bearer token".into());
    };
    if !found.holds(now) {
        return Err("this gateway key has expired: ask for another one".into());
    }
    let held = Held { keys, key };
    if head.query.is_some_and(|query| held.is_in_query(query)) {
        return Err("the gateway key stands in the query, where logs keep it: send it as a header alone".into());
    }
    if held.is_within(&percent_decoded(head.path)) {
        return Err("the gateway key stands in the path, where logs keep it: send it as a header alone".into());
    }
    let credentials = credentials(&held, head, has_own);
    Ok(Access { team: snapshot.teams[found.team].clone(), key: Some(found.key), credentials })
}

/// The keys of all teams, and the one that was presented, of which alone the text is known.
struct Held<'a> {
    keys: &'a Keys,
    key: &'a str,
}

impl Held<'_> {
    /// Whether a header's value is a gateway key, or holds the one that was presented.
    fn is_in_value(&self, value: &[u8]) -> bool {
        let value = String::from_utf8_lossy(value);
        self.is_within(&value)
            || value.contains('%') && self.is_within(&percent_decoded(&value))
            || self.keys.find(key_in(&value)).is_some()
    }

    /// The same of the value of a pair in a query, as it stands or percent-encoded.
    fn is_in_query(&self, query: &str) -> bool {
        let mut values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        self.is_within(&percent_decoded(query)) || values.any(|value| self.keys.find(&percent_decoded(value)).is_some())
    }

    /// Whether the presented key stands somewhere in a text.
    fn is_within(&self, text: &str) -> bool {
        self.key.len() >= KEY_BYTES_MIN && memchr::memmem::find(text.as_bytes(), self.key.as_bytes()).is_some()
    }
}

/// With the gateway's own header, the usual ones carry the developer's provider credential, which goes on unless the
/// upstream has a key. A header with a gateway key in it never does, whatever its name.
fn credentials(held: &Held<'_>, head: &Head<'_>, has_own: bool) -> Credentials {
    let mut remove: Vec<String> = vec![OWN_KEY_HEADER.into()];
    let with_key = head.headers.iter().filter(|(_, value)| held.is_in_value(value));
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
