//! Single sign-on in `policy-server.yaml`: which identity provider, and what its groups are here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use openidconnect::url::{Host, Url};
use serde::Deserialize;

use crate::control::roles::Role;
use crate::control::settings::of_environment;
use crate::domain::Secret;
use crate::store::read_whole;

/// Larger files of keys and metadata are a mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the members of a group are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Membership {
    /// Their roles.
    pub roles: Vec<Role>,
    /// The teams that roles with the reach of a team are about.
    pub teams: Vec<String>,
}

/// Sign-in at an OpenID Connect provider: authorization code with PKCE.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// As its discovery document says: `https://login.company.com`.
    pub issuer: String,
    /// What this server is called there.
    pub client_id: String,
    /// Not for public clients. `${NAME}` is taken from the environment.
    #[serde(default, deserialize_with = "secret")]
    pub client_secret: Option<Secret>,
    /// A file with the secret, instead of the secret.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// What the page of sign-in calls it.
    #[serde(default = "name")]
    pub name: String,
    /// Asked for beside `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim with the groups of somebody; `a.b` is `b` within `a`.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// What the members of a group are.
    #[serde(default)]
    pub groups: BTreeMap<String, Membership>,
    /// What everyone is who can sign in there. Nothing by default.
    #[serde(default)]
    pub default_roles: Vec<Role>,
}

/// Sign-in at a SAML 2.0 identity provider: its metadata, or the three things of it that matter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saml {
    /// The identity provider's metadata.
    #[serde(default)]
    pub metadata_file: Option<PathBuf>,
    /// Without metadata: its entity id.
    #[serde(default)]
    pub idp_entity_id: Option<String>,
    /// Without metadata: where it takes requests, by the redirect binding.
    #[serde(default)]
    pub sso_url: Option<String>,
    /// Without metadata: the certificates that it signs with, PEM.
    #[serde(default)]
    pub certificate: Option<String>,
    /// What this server is called there; the address of its own metadata by default.
    #[serde(default)]
    pub entity_id: Option<String>,
    /// What the page of sign-in calls it.
    #[serde(default = "name")]
    pub name: String,
    /// The attribute with the name of somebody; the NameID by default.
    #[serde(default)]
    pub name_attribute: Option<String>,
    /// The attribute with the address of somebody.
    #[serde(default = "email_attribute")]
    pub email_attribute: String,
    /// The attribute with the groups of somebody.
    #[serde(default = "groups_claim")]
    pub groups_attribute: String,
    /// What the members of a group are.
    #[serde(default)]
    pub groups: BTreeMap<String, Membership>,
    /// What everyone is who can sign in there. Nothing by default.
    #[serde(default)]
    pub default_roles: Vec<Role>,
    /// What the metadata says, or the settings in its place.
    #[serde(skip)]
    #[cfg_attr(not(feature = "saml"), expect(dead_code, reason = "read by sign-in by SAML alone"))]
    pub(super) peer: Peer,
}

/// The identity provider of SAML, as it is pinned.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(feature = "saml"), expect(dead_code, reason = "read by sign-in by SAML alone"))]
pub(super) struct Peer {
    pub(super) entity_id: String,
    pub(super) sso_url: String,
    /// DER.
    pub(super) certificates: Vec<Vec<u8>>,
}

impl Oidc {
    /// Reads what the settings only name, and checks the rest.
    pub(in crate::control) fn complete(&mut self, environment: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
        address_mistake("issuer", &self.issuer)?;
        if self.issuer.contains(['?', '#']) {
            return Err("issuer: an issuer has neither `?` nor `#`".to_owned());
        }
        self.client_secret = match (&self.client_secret, &self.client_secret_file) {
            (Some(_), Some(_)) => return Err("client_secret and client_secret_file: one of them".to_owned()),
            (Some(secret), None) => Some(Secret::new(of_environment(secret.expose(), environment)?)),
            (None, Some(path)) => Some(Secret::new(read(path)?.trim().to_owned())),
            (None, None) => None,
        };
        Ok(())
    }
}

impl Saml {
    /// Reads the metadata, and checks the rest.
    pub(in crate::control) fn complete(&mut self) -> Result<(), String> {
        #[cfg(not(feature = "saml"))]
        return Err("this program was built without SAML: build it with the feature `saml`".to_owned());
        #[cfg(feature = "saml")]
        {
            self.peer = super::saml::peer(self, &|path| read(path))?;
            address_mistake("sso_url", &self.peer.sso_url)
        }
    }
}

/// Where people are sent, and where secrets are: over HTTPS, but for what runs on this machine.
pub(super) fn is_safe(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Ipv4(it))) => it.is_loopback(),
        ("http", Some(Host::Ipv6(it))) => it.is_loopback(),
        ("http", Some(Host::Domain(it))) => it == "localhost",
        _ => false,
    }
}

fn address_mistake(what: &str, text: &str) -> Result<(), String> {
    match Url::parse(text).is_ok_and(|it| is_safe(&it)) {
        true => Ok(()),
        false => Err(format!("{what}: `{text}` is no https:// address (http:// only for this machine itself)")),
    }
}

/// A text file that the settings name.
pub(in crate::control) fn read(path: &Path) -> Result<String, String> {
    read_whole(path, FILE_BYTES_MAX).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

fn name() -> String {
    "Single sign-on".to_owned()
}

fn scopes() -> Vec<String> {
    vec!["profile".to_owned(), "email".to_owned()]
}

fn groups_claim() -> String {
    "groups".to_owned()
}

fn email_attribute() -> String {
    "email".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_people_are_sent_over_https_but_on_this_machine() {
        for (text, is_it) in [
            ("https://id.example", true),
            ("http://127.0.0.1:8080/a", true),
            ("http://[::1]:8080", true),
            ("http://localhost", true),
            ("http://id.example", false),
            ("http://127.0.0.1.id.example", false),
            ("javascript:alert(1)", false),
            ("id.example", false),
        ] {
            assert_eq!(address_mistake("issuer", text).is_ok(), is_it, "{text}");
        }
    }
}
