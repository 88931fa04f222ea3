//! `policy-server.yaml`: how the control plane itself is set up. What administrators decide while it runs stands in the
//! store.

use serde::Deserialize;

/// The settings. Unknown keys are mistakes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where people and gateways reach it: `https://policy.company.com`. Cookies and sign-in rest on it.
    pub public_url: String,
    /// `sqlite:PATH` or `postgres://…`; a file in the data folder by default.
    pub store: Option<String>,
    /// Days that records are kept. Default 30.
    pub retention_days: u32,
    /// Whether local users may sign in beside an identity provider. Without one, they always may.
    pub local_sign_in: bool,
    /// Whether a policy is published only after another person approved it.
    pub approvals: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            public_url: "http://localhost:8090".to_owned(),
            store: None,
            retention_days: 30,
            local_sign_in: true,
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
        if text.trim().is_empty() {
            return Ok(Settings::default());
        }
        let settings: Settings = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        let url = &settings.public_url;
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        if host.is_none_or(|it| it.is_empty() || it.contains(['/', '?', '#', '@'])) {
            return Err(format!("public_url: `{url}` is no address like https://policy.company.com, without a path"));
        }
        Ok(settings)
    }

    /// Whether name and password let anyone in.
    pub(super) fn local_sign_in(&self) -> bool {
        self.local_sign_in
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
}
