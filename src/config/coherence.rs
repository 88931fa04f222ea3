//! What no single setting shows: settings that contradict each other, or open a door together.

use super::File;
use super::keys;
use super::mistake::Mistake;
use super::reader::{Reader, Section};
use super::units;

pub(super) fn check(reader: &mut Reader<'_>, top: &Section<'_>, file: &File) {
    open_access(reader, top, file);
    provider_key_as_gateway_key(reader, top, file);
    secrets_only_logged(reader, top, file);
    checkers_that_run_nowhere(reader, top, file);
    super::known::check(reader, top, file);
    super::exceptions::check(reader, top, file);
    super::audit::check(reader, top, file);
    super::siem::check(reader, top, file);
    super::control::check(reader, top, file);
    budget_without_record(reader, top, file);
    if let Some(field) = top.find("audit_enabled").filter(|_| !file.audit_enabled) {
        reader.warn(field, "no exchange is recorded", "leave it out or write `audit_enabled: true`");
    }
    if let Some(field) = top.find("port").filter(|_| file.port == 0) {
        reader.warn(field, "the system picks a free port at each start", "name a port, such as 8080");
    }
    let in_clear = !file.teams.is_empty() && file.tls.is_none() && !units::loopback(&file.host);
    if let Some(field) = top.find("teams").filter(|_| in_clear) {
        let help = "add `tls:`, bind to 127.0.0.1 behind a proxy that ends TLS, or trust the network between";
        reader.warn(field, "gateway keys travel to this host in clear", help);
    }
}

/// A provider's key without teams would let everyone who reaches the port spend it.
fn open_access(reader: &mut Reader<'_>, top: &Section<'_>, file: &File) {
    let field = top.find("upstream");
    let keyed = file.upstreams.iter().find(|it| {
        let header = |(name, _): &(String, _)| keys::CREDENTIAL_HEADERS.contains(&name.as_str());
        it.api_key.is_some() || it.headers.iter().any(header)
    });
    match keyed {
        Some(upstream) if file.teams.is_empty() && !file.open_access => {
            let what = format!(
                "the upstream `{}` has a provider key, but no team is configured: everyone who reaches the port could spend it",
                upstream.name
            );
            let mistake = Mistake::new("upstream", field.map(|it| it.node.span), what);
            let help = "add `teams:` with gateway keys, or say `open_access: true` if that is what you want";
            reader.mistakes.push(mistake.expected("teams with gateway keys").help(help));
        }
        _ => {}
    }
    if let Some(field) = top.find("open_access").filter(|_| file.open_access) {
        match (keyed, file.teams.is_empty()) {
            (Some(_), true) => {
                let what = "everyone who reaches the port can spend the provider's key";
                reader.warn(field, what, "add `teams:` with gateway keys");
            }
            (_, false) => reader.warn(field, "with teams configured this changes nothing", "leave it out"),
            (None, true) => reader.warn(field, "without a provider key this changes nothing", "leave it out"),
        }
    }
}

/// Who holds that gateway key would hold the provider's key.
fn provider_key_as_gateway_key(reader: &mut Reader<'_>, top: &Section<'_>, file: &File) {
    let Some(field) = top.find("teams") else { return };
    for upstream in &file.upstreams {
        let Some(key) = &upstream.api_key else { continue };
        let digest = super::GatewayKey::Clear(key.clone()).digest();
        if let Some(team) = file.teams.iter().find(|it| it.api_keys.iter().any(|key| key.digest() == digest)) {
            let what =
                format!("the team `{}` has the provider key of `{}` as its gateway key", team.name, upstream.name);
            reader.reject(field, what, "gateway keys of your own making");
        }
    }
}

/// Rules whose checker nobody names are read and never used.
fn checkers_that_run_nowhere(reader: &mut Reader<'_>, top: &Section<'_>, file: &File) {
    let Some(field) = top.find("rules") else { return };
    let of_teams = file.teams.iter().flat_map(|it| [&it.outbound_checks, &it.inbound_checks]).flatten();
    let running: Vec<_> = [&file.checks.outbound, &file.checks.inbound].into_iter().chain(of_teams).flatten().collect();
    for checker in file.rules.checkers.iter().filter(|it| !running.contains(it)) {
        let what = format!("the checker `{checker}` of these rules runs nowhere");
        reader.warn(field, what, "name it in `checks.outbound`, `checks.inbound` or in the checks of a team");
    }
}

fn secrets_only_logged(reader: &mut Reader<'_>, top: &Section<'_>, file: &File) {
    let Some(field) = top.find("block_on_secrets") else { return };
    if !file.block_on_secrets && !file.redact_secrets {
        let what = "secrets are only logged, and go to the provider";
        reader.warn(field, what, "set `redact_secrets: true` to replace them, or `block_on_secrets: true`");
    }
}

/// A budget is counted from the records after a restart.
fn budget_without_record(reader: &mut Reader<'_>, top: &Section<'_>, file: &File) {
    const MONTH_DAYS: u32 = 31;
    let teams = file.teams.iter().map(|it| it.limits);
    let limits: Vec<_> = teams.chain([file.team_limits]).filter(|it| it.has_budget()).collect();
    let Some(field) = top.find("team_limits").or(top.find("teams")).filter(|_| !limits.is_empty()) else { return };
    let monthly = limits.iter().any(|it| it.tokens_per_month.is_some() || it.cost_per_month.is_some());
    let days = file.audit.retention_days;
    if !file.audit_enabled {
        reader.warn(field, "without records, each restart begins budgets anew", "write `audit_enabled: true`");
    } else if monthly && days > 0 && days < MONTH_DAYS {
        let what = format!("records are kept for {days} days, so that a restart forgets a part of the month's budget");
        reader.warn(field, what, "set `audit.retention_days` to 31 or more");
    }
}
