//! `policy-server.yaml`: how the control plane itself is set up. What administrators decide while it runs stands in the
//! store.

use std::path::Path;

use serde::Deserialize;

use super::sign_in::{Oidc, Saml, read};

/// The settings. Unknown keys are mistakes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where people and gateways reach it: `https://policy.company.com`. Cookies and sign-in rest on it.
    pub public_url: String,
    /// `sqlite:PATH` or `postgres://…`; a file in the data folder by default. `file:PATH`: the address stands in there.
    pub store: Option<String>,
    /// Days that records are kept. Default 30.
    pub retention_days: u32,
    /// Whether local users may sign in beside an identity provider; by default they may not. Without one, they always may.
    pub local_sign_in: Option<bool>,
    /// Sign-in at an OpenID Connect provider.
    pub oidc: Option<Oidc>,
    /// Sign-in at a SAML 2.0 identity provider.
    pub saml: Option<Saml>,
    /// Whether a policy is published only after another person approved it.
    pub approvals: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            public_url: "http://localhost:8090".to_owned(),
            store: None,
            retention_days: 30,
            local_sign_in: None,
            oidc: None,
            saml: None,
            approvals: false,
        }
    }
}

impl Settings {
    /// Reads the file's text.
    ///
    /// # Errors
    /// Text that is no settings: what is wrong and where.
    pub fn parse(text: &str) -> Result<Settings, String> {
        Self::parse_with(text, &|_| None)
    }

    /// The same, where `${NAME}` in the place of a secret stands for what `environment` says of the name.
    ///
    /// # Errors
    /// Text that is no settings; a name that is not set; a file that cannot be read.
    pub fn parse_with(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Settings, String> {
        if text.trim().is_empty() {
            return Ok(Settings::default());
        }
        let mut settings: Settings = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        let url = &settings.public_url;
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        if host.is_none_or(|it| it.is_empty() || it.contains(['/', '?', '#', '@'])) {
            return Err(format!("public_url: `{url}` is no address like https://policy.company.com, without a path"));
        }
        if let Some(store) = &mut settings.store {
            *store = of_environment(store, environment).map_err(|error| format!("store: {error}"))?;
            if let Some(path) = store.strip_prefix("file:") {
                *store = read(Path::new(path)).map_err(|error| format!("store: {error}"))?.trim().to_owned();
            }
        }
        if let Some(oidc) = &mut settings.oidc {
            oidc.complete(environment).map_err(|error| format!("oidc: {error}"))?;
        }
        if let Some(saml) = &mut settings.saml {
            saml.complete().map_err(|error| format!("saml: {error}"))?;
        }
        Ok(settings)
    }

    /// Whether name and password let anyone in.
    pub(super) fn local_sign_in(&self) -> bool {
        let is_alone = self.oidc.is_none() && self.saml.is_none();
        is_alone || self.local_sign_in == Some(true)
    }
}

/// What `${NAME}` stands for; other text stands for itself.
pub(super) fn of_environment(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    match text.strip_prefix("${").and_then(|it| it.strip_suffix('}')) {
        Some(name) => environment(name).ok_or_else(|| format!("the environment has no {name}")),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert!(Settings::parse("").is_ok());
        let error = Settings::parse("public_url: https://a.example\nretention: 3\n").unwrap_err();
        assert!(error.contains("retention") && error.contains("line 2"), "{error}");
        assert!(Settings::parse("public_url: https://a.example/path").unwrap_err().contains("without a path"));
    }

    #[test]
    fn local_users_stay_outside_where_an_identity_provider_is_set_unless_told_otherwise() {
        let oidc = "oidc: {issuer: 'https://id.example', client_id: policy}\n";
        assert!(Settings::parse("local_sign_in: false").unwrap().local_sign_in(), "there is no other way");
        assert!(!Settings::parse(oidc).unwrap().local_sign_in());
        assert!(Settings::parse(&format!("{oidc}local_sign_in: true")).unwrap().local_sign_in());
    }

    #[test]
    fn secrets_come_from_the_environment_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        std::fs::write(&path, "postgres://a:b@c/d\n").unwrap();
        let of_file = Settings::parse(&format!("store: 'file:{}'", path.display())).unwrap();
        assert_eq!(of_file.store.as_deref(), Some("postgres://a:b@c/d"));
        assert!(Settings::parse("store: 'file:/missing'").unwrap_err().contains("cannot read /missing"));
        let text = "oidc: {issuer: 'https://id.example', client_id: policy, client_secret: '${SECRET}'}";
        assert!(Settings::parse(text).unwrap_err().contains("the environment has no SECRET"));
        let settings = Settings::parse_with(text, &|name| (name == "SECRET").then(|| "made up".to_owned())).unwrap();
        assert!(!format!("{settings:?}").contains("made up"));
        assert_eq!(settings.oidc.unwrap().client_secret.unwrap().expose(), "made up");
    }
}
