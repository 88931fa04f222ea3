//! `control:` who tells this gateway what it runs on: nobody but this file, a policy server, or one in its own process.

use std::time::Duration;

use super::keys;
use super::parse::set_flag;
use super::reader::{Field, Reader, Section};
use super::units;
use super::{File, UpstreamUrl};

const SERVER: &str = "an address like `https://policy.company.com`, without a path; `http://` for this machine only";
const SECOND: Duration = Duration::from_secs(1);
const POLL_MAX: Duration = Duration::from_secs(3600);

/// Who tells a gateway what it runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlPlane {
    /// `server:` and what belongs to it; `None`: this file is all there is.
    pub server: Option<PolicyServer>,
    /// `embedded:` run the control plane in this process. Default false.
    pub embedded: bool,
    /// `settings:` the file with the settings of the one in this process: `policy-server.yaml`. None by default.
    pub settings: Option<String>,
}

/// The policy server that a gateway follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyServer {
    /// `server:` scheme, host and port.
    pub url: UpstreamUrl,
    /// `ca_file:` PEM roots that replace the system's for it.
    pub ca_file: Option<String>,
    /// `poll:` how often it is asked, from 1 s to 1 h. Default 5 s.
    pub poll: Duration,
}

impl PolicyServer {
    /// How often a policy server is asked where nothing else is said.
    pub const POLL: Duration = Duration::from_secs(5);

    /// The server at this address, as the command line gives it.
    ///
    /// # Errors
    /// Text that is no address of a policy server: what is wrong, and what is expected.
    pub fn at(text: &str) -> Result<PolicyServer, String> {
        let url = address(text).map_err(|what| format!("{what}: expected {SERVER}"))?;
        Ok(PolicyServer { url, ca_file: None, poll: PolicyServer::POLL })
    }
}

impl ControlPlane {
    /// Whether upstreams, teams and policies come from elsewhere than the file.
    pub fn governs(&self) -> bool {
        self.server.is_some() || self.embedded
    }
}

pub(super) fn read(reader: &mut Reader<'_>, top: &Section<'_>) -> ControlPlane {
    let mut control = ControlPlane::default();
    let Some(field) = top.find("control") else { return control };
    let Some(section) = reader.section(field, keys::CONTROL) else { return control };
    set_flag(reader, &section, "embedded", &mut control.embedded);
    let ca_file = section.find("ca_file").and_then(|it| reader.text(it));
    let poll = section.find("poll").and_then(|it| reader.duration(it, SECOND..=POLL_MAX));
    control.settings = section.find("settings").and_then(|it| reader.text(it));
    if let Some(field) = section.find("settings").filter(|_| !control.embedded) {
        reader.warn(
            field,
            "this is about a control plane in this process, and there is none",
            "`embedded: true` beside it",
        );
    }
    let Some(server) = section.find("server") else {
        if let Some(field) = section.find("ca_file").or(section.find("poll")) {
            reader.reject(field, "this is about a policy server, and none is named", "`server:` beside it");
        }
        return control;
    };
    if control.embedded {
        let what = "`server` and `embedded` stand side by side";
        reader.reject(server, what, "one of them: a policy server elsewhere, or the one in this process");
    }
    let Some(url) = reader.text(server).and_then(|text| checked(reader, server, &text)) else { return control };
    if ca_file.is_some() && !url.tls {
        reader.reject(server, "`ca_file:` stands beside an address without TLS", "an `https://` address");
    }
    control.server = Some(PolicyServer { url, ca_file, poll: poll.unwrap_or(PolicyServer::POLL) });
    control
}

fn checked(reader: &mut Reader<'_>, field: &Field<'_>, text: &str) -> Option<UpstreamUrl> {
    match address(text) {
        Ok(url) => Some(url),
        Err(what) => {
            reader.reject(field, what, SERVER);
            None
        }
    }
}

fn address(text: &str) -> Result<UpstreamUrl, &'static str> {
    let url = units::url(text)?;
    match (url.path.is_empty(), url.tls || units::loopback(&url.host)) {
        (false, _) => Err("this address has a path"),
        (_, false) => Err("what this gateway is told would travel to this host in clear"),
        (true, true) => Ok(url),
    }
}

/// What the server decides has no place beside it.
pub(super) fn check(reader: &mut Reader<'_>, top: &Section<'_>, file: &File) {
    if !file.control.governs() {
        return;
    }
    for key in GOVERNED {
        if let Some(field) = top.find(key) {
            let what = format!("the control plane decides about `{key}`: this changes nothing");
            reader.warn(field, what, "leave it out, or leave `control` out");
        }
    }
}

/// The keys whose values come from the control plane.
const GOVERNED: [&str; 12] = [
    "upstream",
    "teams",
    "checks",
    "rules",
    "policies",
    "exceptions",
    "team_limits",
    "prices",
    "block_on_secrets",
    "redact_secrets",
    "on_unscannable",
    "open_access",
];

impl File {
    /// This file with what a control plane says in the place of its own: upstreams, teams, checks, rules, policies,
    /// exceptions, redaction, limits of teams, prices. Listeners, logs, the audit log and who is notified stay.
    pub fn governed_by(&self, told: File) -> File {
        File {
            upstreams: told.upstreams,
            checks: told.checks,
            rules: told.rules,
            policies: told.policies,
            exceptions: told.exceptions,
            teams: told.teams,
            team_limits: told.team_limits,
            prices: told.prices,
            block_on_secrets: told.block_on_secrets,
            redact_secrets: told.redact_secrets,
            quarantine: told.quarantine,
            redaction: super::Redaction {
                restore: told.redaction.restore,
                key: told.redaction.key.or_else(|| self.redaction.key.clone()),
            },
            known_secrets: match told.known_secrets.key {
                Some(_) => told.known_secrets,
                None => self.known_secrets.clone(),
            },
            open_access: told.open_access,
            on_unscannable: told.on_unscannable,
            ..self.clone()
        }
    }

    /// This file as long as its control plane has said nothing: nobody is served.
    pub fn ungoverned(&self) -> File {
        self.governed_by(File::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<File, String> {
        File::parse(text, "test", &|_| Err("nothing".to_owned())).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn with_a_server_the_file_names_no_upstream() {
        let file = read("control: {server: 'https://policy.example:8443', ca_file: ca.pem, poll: 2s}").unwrap();
        let server = file.control.server.clone().unwrap();
        assert_eq!((server.url.to_string().as_str(), server.poll.as_secs()), ("https://policy.example:8443", 2));
        assert_eq!(server.ca_file.as_deref(), Some("ca.pem"));
        assert!(file.upstreams.is_empty() && file.effective().contains("control.server=https://policy.example:8443"));
        assert_eq!(read("control: {server: 'http://[::1]:1'}").unwrap().control.server.unwrap().poll.as_secs(), 5);
        assert!(read("control: {embedded: true}").unwrap().control.governs());
        assert!(read("control: {embedded: false}").unwrap_err().contains("no upstream"));
    }

    #[test]
    fn what_cannot_be_followed_is_a_mistake_with_its_place() {
        for (setting, part) in [
            ("server: 'http://policy.example'", "in clear"),
            ("server: 'https://policy.example/path'", "path"),
            ("server: policy.example", "https://"),
            ("server: 'https://policy.example', poll: 100ms", "control.poll"),
            ("server: 'https://policy.example', poll: 2h", "control.poll"),
            ("server: 'https://policy.example', embedded: true", "side by side"),
            ("server: 'http://127.0.0.1:1', ca_file: a.pem", "without TLS"),
            ("embedded: true, poll: 3s", "none is named"),
            ("sever: x", "server"),
        ] {
            let error = read(&format!("control: {{{setting}}}")).unwrap_err();
            assert!(error.contains("test:1:") && error.contains(part), "{setting}: {error}");
        }
        assert!(PolicyServer::at("ftp://x").unwrap_err().contains("https://policy.company.com"));
    }

    #[test]
    fn what_is_told_takes_the_place_of_policies_and_leaves_listeners_alone() {
        let local = read(
            "control: {server: 'https://policy.example'}\nport: 9\nlimits: {findings_max: 7}\n\
             upstream: {anthropic: 'https://local.example'}\nredact_secrets: true\n",
        )
        .unwrap();
        let told = read("upstream: {openai: 'https://told.example'}\nport: 10\nblock_on_secrets: false\n").unwrap();
        let file = local.governed_by(told);
        assert_eq!((file.port, file.limits.findings_max, file.upstreams.len()), (9, 7, 1));
        assert_eq!(file.upstreams[0].url.host, "told.example");
        assert!(!file.redact_secrets && !file.block_on_secrets && file.control.governs());
        assert!(local.ungoverned().upstreams.is_empty());
    }
}
