//! The configuration in words, for the administrator who runs `airiskguard-gateway check`.

use std::fmt::{self, Write};

use super::effective::checkers;
use super::units::{duration_text, size_text};
use super::{AuditStore, Durability, OnAuditFailure, SiemInclude};
use super::{Compare, Condition, File, OnUnscannable, Operator, Policy, Scope, Team};
use crate::domain::{Action, Checker};

/// Upstreams, teams, policies and defaults in plain words; several lines, no secret in them.
pub fn explain(file: &File) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut text, file);
    text
}

fn write_all(out: &mut String, file: &File) -> fmt::Result {
    let tls = if file.tls.is_some() { "with TLS" } else { "without TLS" };
    writeln!(out, "Listens on {} port {}, {tls}.", file.host, file.port)?;
    match &file.admin.listen {
        Some(address) => writeln!(out, "Metrics and readiness on {address}.")?,
        None => writeln!(out, "No metrics listener (`admin.listen` is not set).")?,
    }
    match &file.control.server {
        Some(it) => writeln!(out, "Runs on what {} says; until it has said something, nobody is served.", it.url)?,
        None if file.control.embedded => writeln!(out, "Runs on what the control plane in its own process says.")?,
        None => {}
    }
    upstreams(out, file)?;
    rules(out, file)?;
    teams(out, file)?;
    policies(out, file)?;
    exceptions(out, file)?;
    quarantine(out, file)?;
    by_default(out, file)?;
    rest(out, file)
}

fn upstreams(out: &mut String, file: &File) -> fmt::Result {
    writeln!(out, "\nUpstreams")?;
    for it in &file.upstreams {
        let header = |(name, _): &(String, _)| super::keys::CREDENTIAL_HEADERS.contains(&name.as_str());
        let key = match it.api_key.is_some() || it.headers.iter().any(header) {
            true => "the gateway's own provider key is swapped in",
            false if file.teams.is_empty() => "the client's own provider key passes through",
            false => "no provider key is configured: requests are refused, gateway keys never leave",
        };
        writeln!(out, "  {}: {} ({}), path prefix /{}/; {key}", it.name, it.url, it.dialect.name(), it.name)?;
        for url in &it.more_urls {
            writeln!(out, "    where that fails: {url}")?;
        }
        match it.more_api_keys.len() {
            0 => {}
            more => writeln!(out, "    {} provider keys: the next where one is over its limits", more + 1)?,
        }
    }
    Ok(())
}

fn rules(out: &mut String, file: &File) -> fmt::Result {
    if file.rules.files.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nOwn rules")?;
    for it in &file.rules.files {
        writeln!(out, "  {}", it.path)?;
    }
    match file.rules.checkers.as_slice() {
        [] => writeln!(out, "  they belong to built-in checkers"),
        names => writeln!(out, "  they bring the checkers {}", checkers(names)),
    }
}

fn teams(out: &mut String, file: &File) -> fmt::Result {
    writeln!(out, "\nTeams")?;
    if file.teams.is_empty() {
        writeln!(out, "  none configured: everyone is the team `default`, without a gateway key")?;
        return checks_of(out, file, None);
    }
    for team in &file.teams {
        let keys = match team.api_keys.len() {
            0 => "no gateway key, so nobody can be in it".to_owned(),
            1 => "1 gateway key".to_owned(),
            many => format!("{many} gateway keys"),
        };
        writeln!(out, "  {}: {keys}", team.name)?;
        match team.model_allowlist.as_deref() {
            None => writeln!(out, "    models: all")?,
            Some([]) => writeln!(out, "    models: none")?,
            Some(models) => writeln!(out, "    models: {}", models.join(", "))?,
        }
        checks_of(out, file, Some(team))?;
    }
    Ok(())
}

fn checks_of(out: &mut String, file: &File, team: Option<&Team>) -> fmt::Result {
    let limits = team.map_or(file.team_limits, |it| it.limits.or(file.team_limits)).set();
    if !limits.is_empty() {
        let limits: Vec<String> = limits.iter().map(|(key, it)| format!("{} {it}", key.replace('_', " "))).collect();
        writeln!(out, "    limits: {}", limits.join(", "))?;
    }
    let outbound = team.and_then(|it| it.outbound_checks.as_ref()).unwrap_or(&file.checks.outbound);
    let inbound = team.and_then(|it| it.inbound_checks.as_ref()).unwrap_or(&file.checks.inbound);
    writeln!(out, "    prompts are checked for: {}", checkers(outbound))?;
    writeln!(out, "    completions are checked for: {}", checkers(inbound))?;
    if let Some(redact) = team.and_then(|it| it.redact_secrets).filter(|it| *it != file.redact_secrets) {
        let what = if redact { "secrets are redacted, not blocked" } else { "secrets are blocked, not redacted" };
        writeln!(out, "    {what}")?;
    }
    Ok(())
}

fn policies(out: &mut String, file: &File) -> fmt::Result {
    writeln!(out, "\nPolicies")?;
    if file.policies.is_empty() {
        return writeln!(out, "  none: the defaults below hold");
    }
    for (index, policy) in file.policies.iter().enumerate() {
        writeln!(out, "  {}. {}: {}", index + 1, policy.name, sentence(file, policy))?;
        if let Some(description) = &policy.description {
            writeln!(out, "     {description}")?;
        }
    }
    writeln!(out, "  Where several apply to a finding, the most severe wins: block > redact > review > flag > log.")
}

fn exceptions(out: &mut String, file: &File) -> fmt::Result {
    if file.exceptions.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nExceptions, for which no policy holds")?;
    for it in &file.exceptions {
        writeln!(out, "  {}: {}, until {}", it.name, excepted(&it.scope), it.expires)?;
        writeln!(out, "     {}", it.reason)?;
    }
    Ok(())
}

fn quarantine(out: &mut String, file: &File) -> fmt::Result {
    if file.quarantine.rules.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nQuarantine")?;
    for it in &file.quarantine.rules {
        writeln!(out, "  {}: a {} is kept out after {}", it.name, it.per.name(), it.reason())?;
    }
    Ok(())
}

/// The scope in words.
fn excepted(it: &Scope) -> String {
    let parts = [
        it.checker.as_ref().map(|it| format!("what {it} finds")),
        it.rule.as_ref().map(|it| format!("rule {it}")),
        it.label.as_ref().map(|it| format!("type {it}")),
        it.fingerprint.map(|it| format!("the value {it}")),
        it.team.as_ref().map(|it| format!("for the team {it}")),
        it.model.as_ref().map(|it| format!("to the model {it}")),
        it.direction.map(|it| format!("{it} only")),
        it.source.map(|it| format!("in text of source {it}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn sentence(file: &File, policy: &Policy) -> String {
    let action = match policy.action {
        Action::Allow => "let it pass, and look at no later policy",
        Action::Log => "record it",
        Action::Flag => "record it with a flag",
        Action::Review => "record it for review",
        Action::Redact => "replace it, or block what cannot be replaced",
        Action::Block => match policy.redact {
            Some(false) => "block",
            Some(true) => "replace it, or block what cannot be replaced",
            None if file.redact_secrets => "replace it, or block what cannot be replaced (`redact_secrets`)",
            None => "block",
        },
    };
    format!("when {}, {action}", words(&policy.condition))
}

/// The condition as a sentence.
fn words(it: &Condition) -> String {
    let mut parts = Vec::new();
    if let Some(team) = &it.team {
        parts.push(format!("the team is {team}"));
    }
    if let Some(model) = &it.model {
        parts.push(format!("the model is {model}"));
    }
    if let Some(direction) = it.direction {
        parts.push(format!("the text is {direction}"));
    }
    match (&it.checker, it.passed) {
        (Some(checker), Some(true)) => parts.push(format!("{checker} ran and found nothing")),
        (Some(checker), _) => parts.push(format!("{checker} finds something")),
        (None, _) => {}
    }
    let mut of_finding = |name: &str, text: Option<String>| parts.extend(text.map(|it| format!("its {name} is {it}")));
    of_finding("risk", it.risk.map(|it| compare(&it)));
    of_finding("score", it.score.map(|it| compare(&it)));
    of_finding("type or rule", it.contains_flag.clone());
    of_finding("type", it.label.clone());
    of_finding("rule", it.rule.clone());
    of_finding("source", it.source.map(|it| it.to_string()));
    if let Some(risk) = it.overall_risk {
        parts.push(format!("the highest risk found is {}", compare(&risk)));
    }
    if let Some(score) = it.overall_score {
        parts.push(format!("the highest score found is {}", compare(&score)));
    }
    if let Some(above) = it.checkers_above {
        let risk = above.risk.map(|it| format!("risk {}", compare(&it)));
        let score = above.score.map(|it| format!("score {}", compare(&it)));
        let both: Vec<String> = [risk, score].into_iter().flatten().collect();
        parts.push(format!("at least {} checkers find something of {}", above.count, both.join(" and ")));
    }
    parts.join(" and ")
}

fn compare<T: fmt::Display>(it: &Compare<T>) -> String {
    let value = &it.value;
    match it.operator {
        Operator::AtLeast => format!("{value} or more"),
        Operator::AtMost => format!("{value} or less"),
        Operator::Above => format!("above {value}"),
        Operator::Below => format!("below {value}"),
        Operator::Equal => value.to_string(),
        Operator::Unequal => format!("not {value}"),
    }
}

fn by_default(out: &mut String, file: &File) -> fmt::Result {
    writeln!(out, "\nBy default")?;
    let secrets = match (file.redact_secrets, file.block_on_secrets) {
        (true, _) => "replaced",
        (false, true) => "blocked",
        (false, false) => "only logged, whatever a policy without `redact:` says",
    };
    writeln!(out, "  secrets of risk high or more are {secrets}; below that they are logged")?;
    if file.policies.is_empty() {
        let personal = if file.redact_secrets { "replaced" } else { "blocked" };
        writeln!(out, "  personal data (compliance, pii) of risk high or more is {personal}; below that it is logged")?;
        writeln!(out, "  vulnerable code and attacks (vuln, agent, security) are blocked, weak practices are flagged")?;
        return Ok(());
    }
    writeln!(out, "  other findings that no policy applies to are logged, because policies are configured")?;
    let unnamed: Vec<&str> = running(file).into_iter().filter(|it| !decided(file, it)).map(Checker::name).collect();
    match unnamed.as_slice() {
        [] => Ok(()),
        names => writeln!(out, "  no policy speaks of {}: what they find is only logged", names.join(", ")),
    }
}

/// Checkers that run for some team, other than `secrets`, which has its own settings.
fn running(file: &File) -> Vec<&Checker> {
    let of_teams = file.teams.iter().flat_map(|it| [&it.outbound_checks, &it.inbound_checks]).flatten();
    let lists = [&file.checks.outbound, &file.checks.inbound].into_iter().chain(of_teams);
    let mut checkers: Vec<&Checker> = lists.flatten().filter(|it| it.name() != "secrets").collect();
    checkers.sort_unstable();
    checkers.dedup();
    checkers
}

/// Whether some policy could apply to a finding of the checker.
fn decided(file: &File, checker: &Checker) -> bool {
    file.policies.iter().any(|it| {
        let first = it.condition.rule.as_deref().and_then(|it| it.split('.').next());
        it.condition.checker.as_ref().is_none_or(|it| it == checker)
            && first.is_none_or(|it| it.contains('*') || it == checker.name())
    })
}

fn recorded(out: &mut String, file: &File) -> fmt::Result {
    if !file.audit_enabled {
        return writeln!(out, "  no exchange is recorded");
    }
    let it = &file.audit;
    let store = match &it.store {
        None => "a SQLite file".to_owned(),
        Some(AuditStore::Sqlite(path)) => format!("SQLite, {path}"),
        Some(AuditStore::Postgres(_)) => "PostgreSQL".to_owned(),
    };
    let days = match it.retention_days {
        0 => "for ever".to_owned(),
        days => format!("for {days} days"),
    };
    writeln!(out, "  every exchange is recorded ({store}, {days})")?;
    if it.durability == Durability::Strict {
        writeln!(out, "  the decision over a prompt is on disk before the provider is contacted")?;
    }
    let failing = match it.on_failure {
        OnAuditFailure::Block => "are refused",
        OnAuditFailure::Allow => "go on, and are counted",
    };
    writeln!(out, "  requests that cannot be recorded {failing}")?;
    match it.full_text {
        true => writeln!(out, "  what was said is kept, redacted and encrypted"),
        false => Ok(()),
    }
}

fn rest(out: &mut String, file: &File) -> fmt::Result {
    let unscannable = match file.on_unscannable {
        OnUnscannable::Block => "is refused",
        OnUnscannable::Flag => "passes with a flag",
        OnUnscannable::Allow => "passes, and is counted",
    };
    writeln!(out, "  content that cannot be read (media and other files, encrypted, numbers of tokens) {unscannable}")?;
    match file.known_secrets.files.len() {
        0 => {}
        1 => writeln!(out, "  known secrets of 1 file are looked for wherever secrets are")?,
        many => writeln!(out, "  known secrets of {many} files are looked for wherever secrets are")?,
    }
    if file.redaction.restore {
        writeln!(out, "  replaced originals are put back into completions")?;
    }
    recorded(out, file)?;
    notifications(out, file)?;
    for it in &file.siem {
        let what = match it.include {
            SiemInclude::All => "every record",
            SiemInclude::Findings => "what was found, and acts,",
        };
        writeln!(out, "  {what} goes to `siem.{}`: {}", it.name, it.destination())?;
    }
    let it = &file.limits;
    let (body, held) = (size_text(it.body_bytes_max), size_text(it.held_bytes_max));
    let total = duration_text(it.total_timeout);
    writeln!(out, "  a request may have {body}, all together {held}; an exchange may take {total}")
}

fn notifications(out: &mut String, file: &File) -> fmt::Result {
    let it = &file.notifications;
    let named: Vec<&str> = it.channels().map(|(shown, ..)| shown).collect();
    if named.is_empty() {
        return writeln!(out, "  nobody is notified of a block");
    }
    writeln!(out, "  blocks are announced to {}", named.join(", "))?;
    for (shown, _, channel) in it.channels() {
        let refusals = if channel.refusals { ", and refusals without findings" } else { "" };
        let rate = channel.rate_per_minute;
        writeln!(out, "    {shown}: risk {} or more{refusals}, {rate} messages a minute", channel.minimum_risk)?;
    }
    let tried = duration_text(it.dead_letter_after);
    match it.deduplicate_for.is_zero() {
        true => writeln!(out, "  repeats are announced each time; who cannot be reached is tried for {tried}"),
        false => {
            let window = duration_text(it.deduplicate_for);
            writeln!(
                out,
                "  repeats within {window} are counted, not announced; who cannot be reached is tried for {tried}"
            )
        }
    }
}
