//! `quarantine`: who is kept out by this gateway's own rules, and letting somebody in again, without stopping it. Those of a
//! fleet are released at its policy server.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use airiskguard_gateway::config::Overrides;
use airiskguard_gateway::domain::Held;
use airiskguard_gateway::store::Directory;
use jiff::Timestamp;

use crate::arguments::{ConfigFile, Quarantine};
use crate::{configuration, quarantined, records};

/// Between two looks whether a release was done.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Looks before it is left to the next start: a gateway that runs looks five times a second itself.
const LOOKS_MAX: usize = 100;
/// Longest reason that is kept.
const REASON_CHARS_MAX: usize = 500;

/// Lists or releases; the exit code.
pub(crate) fn run(command: &Quarantine, out: &mut dyn Write) -> Result<u8, String> {
    match command {
        Quarantine::List { json, config } => {
            let held = quarantined::held(used(config)?.path())?;
            crate::print(out, &if *json { in_json(&held)? } else { in_lines(&held) })
        }
        Quarantine::Release { references, reason, config } => {
            let folder = used(config)?;
            // Also refuses root in the service's folder: the gateway could not read what is asked there.
            let folder = Directory::prepare(folder.path())?;
            let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
            let said = release(folder.path(), references, &reason, LOOKS_MAX)?;
            crate::print(out, &said)
        }
    }
}

/// The folder of this configuration, which a gateway has used.
fn used(config: &ConfigFile) -> Result<Directory, String> {
    let (file, _) = configuration::load(config.path(), &Overrides::default())?;
    let folder = records::directory(&file);
    Directory::look(&folder).ok_or_else(|| format!("no gateway has used the folder {} yet", folder.display()))
}

fn release(folder: &Path, references: &[String], reason: &str, looks_max: usize) -> Result<String, String> {
    let held = quarantined::held(folder)?;
    let unknown = references.iter().find(|it| !held.iter().any(|held| held.reference == **it));
    if let Some(it) = unknown {
        let where_else = "see `quarantine list`; what the policy server keeps out is released there";
        return Err(format!("this gateway keeps nobody out under the reference {it}: {where_else}"));
    }
    quarantined::ask_for_release(folder, references, reason)?;
    let names = references.join(", ");
    for _ in 0..looks_max {
        if !quarantined::held(folder)?.iter().any(|it| references.contains(&it.reference)) {
            return Ok(format!("released: {names}"));
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
    Ok(format!("asked for: {names}; it is done as soon as the gateway runs"))
}

fn in_json(held: &[Held]) -> Result<String, String> {
    let lines: Result<Vec<_>, _> = held.iter().map(serde_json::to_string).collect();
    Ok(lines.map_err(|error| error.to_string())?.join("\n"))
}

fn in_lines(held: &[Held]) -> String {
    if held.is_empty() {
        return "nobody is kept out".to_owned();
    }
    let line = |it: &Held| {
        let team = it.team.as_ref().map_or_else(String::new, |team| format!(" of team {team}"));
        let until = it.until_ms.map_or_else(|| "somebody releases it".to_owned(), shown);
        let (reference, kind, value, reason) = (&it.reference, it.kind.name(), &it.value, &it.reason);
        format!("{reference}  {kind} {value}{team}, since {} until {until}: {reason}", shown(it.since_ms))
    };
    held.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn shown(unix_ms: u64) -> String {
    let at = i64::try_from(unix_ms).ok().and_then(|it| Timestamp::from_millisecond(it).ok());
    at.map_or_else(|| "an unknown time".to_owned(), |it| it.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use airiskguard_gateway::domain::HeldKind;

    fn held(reference: &str) -> Held {
        Held {
            reference: reference.into(),
            kind: HeldKind::Session,
            value: "abc".into(),
            team: Some("red".into()),
            reason: "3 findings".into(),
            contact: None,
            since_ms: 1_700_000_000_000,
            until_ms: None,
        }
    }

    #[test]
    fn a_line_says_who_since_when_and_why() {
        let text = in_lines(&[held("Q-ONE")]);
        assert_eq!(
            text,
            "Q-ONE  session abc of team red, since 2023-11-14T22:13:20Z until somebody releases it: 3 findings"
        );
        assert_eq!(in_lines(&[]), "nobody is kept out");
        assert!(in_json(&[held("Q-ONE"), held("Q-TWO")]).unwrap().lines().all(|it| it.starts_with("{\"reference\"")));
    }

    #[test]
    fn what_is_not_kept_out_cannot_be_released_and_without_a_gateway_it_waits() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["Q-ONE".to_owned()];
        let refused = release(folder.path(), &names, "a mistake", 0).unwrap_err();
        assert!(refused.contains("Q-ONE") && refused.contains("policy server"), "{refused}");
        let text = serde_json::to_string(&[held("Q-ONE")]).unwrap();
        std::fs::write(folder.path().join(quarantined::FILE), text).unwrap();
        let said = release(folder.path(), &names, "a mistake", 0).unwrap();
        assert!(said.contains("as soon as the gateway runs"), "{said}");
    }
}
