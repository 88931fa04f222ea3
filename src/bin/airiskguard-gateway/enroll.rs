//! `enroll`: a one-time token of a policy server becomes this gateway's own.

use airiskguard_gateway::config::{Overrides, PolicyServer};
use airiskguard_gateway::control::agent::{self, Enrolment};
use airiskguard_gateway::domain::Secret;
use airiskguard_gateway::store::Directory;

use crate::arguments::Enroll;
use crate::{configuration, records};

/// Enrols the gateway with this configuration; what to do next.
pub(crate) fn run(enroll: &Enroll) -> Result<String, String> {
    // Before the first TLS handshake of this process.
    drop(rustls::crypto::ring::default_provider().install_default());
    let (file, _) = configuration::load(enroll.config.path(), &Overrides::default())?;
    let configured = file.control.server.clone();
    let server = match (&enroll.server, configured) {
        (None, None) => {
            return Err("which server? Name it with --server, or under `control:` in gateway.yaml".to_owned());
        }
        (None, Some(it)) => it,
        (Some(text), configured) => {
            let named = PolicyServer::at(text).map_err(|error| format!("--server: {error}"))?;
            // Its roots hold for it, too, where it is the same one.
            configured.filter(|it| it.url == named.url).unwrap_or(named)
        }
    };
    let folder = records::directory(&file);
    let directory = Directory::open(&folder)
        .map_err(|error| format!("{error}\nIf it is this gateway that runs: stop it, enroll it, and start it again"))?;
    if enroll.unless_enrolled
        && let Some(it) = Enrolment::load(directory.path())?
    {
        return Ok(format!("{} is a gateway of {} already", it.name, it.server));
    }
    let token = token(enroll)?;
    let enrolment = records::block_on(agent::enrol(&directory, &server, &token))??;
    let mut text = format!(
        "enrolled: {} is a gateway of {}, group `{}`; what it is known by is kept in {}\n",
        enrolment.name,
        enrolment.server,
        enrolment.group,
        folder.display()
    );
    if file.control.server.is_none() {
        text.push_str(&format!("put this into gateway.yaml:\ncontrol:\n  server: {}\n", enrolment.server));
    }
    Ok(text)
}

fn token(enroll: &Enroll) -> Result<Secret, String> {
    match (&enroll.token, &enroll.token_file) {
        (Some(token), _) => Ok(Secret::new(token.clone())),
        (None, Some(path)) => {
            let text = configuration::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            Ok(Secret::new(text.trim().to_owned()))
        }
        (None, None) => Err("which token? Give it with --token or --token-file".to_owned()),
    }
}
