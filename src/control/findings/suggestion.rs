//! An exception for what was judged a false positive, as text for the policy: narrow, with a reason and an end.

use std::time::Duration;

use serde::Serialize;

use crate::config::Day;

/// How long a suggested exception holds.
const DAYS: u32 = 30;
/// The keys of `exceptions:` in `gateway.yaml`.
#[derive(Serialize)]
struct Exception<'a> {
    name: String,
    reason: String,
    expires: String,
    scope: Scope<'a>,
}

#[derive(Serialize)]
struct Scope<'a> {
    rule: &'a str,
    team: &'a str,
    source: &'a str,
}

/// A list for `exceptions:`, one for each rule and source of text; empty without any. `record` is the id of the record
/// that was judged.
pub(super) fn exceptions(
    found: &[(String, String)],
    team: &str,
    record: &str,
    by: &str,
    note: &str,
    now_ms: u64,
) -> String {
    let last = Duration::from_millis(now_ms) + Duration::from_secs(u64::from(DAYS) * 24 * 3600);
    let expires = Day::of(last).to_string();
    let short: String = record.chars().filter(char::is_ascii_alphanumeric).collect();
    let short = &short[short.len().saturating_sub(12)..];
    let all: Vec<Exception<'_>> = found
        .iter()
        .enumerate()
        .map(|(at, (rule, source))| Exception {
            name: format!("reviewed_{short}_{}", at + 1),
            reason: format!("{note} (judged a false positive by {by} in the record {record})"),
            expires: expires.clone(),
            scope: Scope { rule, team, source },
        })
        .collect();
    match all.is_empty() {
        true => String::new(),
        false => serde_yaml::to_string(&all).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::File;

    #[test]
    fn the_gateways_own_loader_takes_what_is_suggested() {
        let found = [("secrets.aws.access_key".to_owned(), "user".to_owned())];
        let note = "a sample: of \"docs\"\n- not a key";
        let text = exceptions(&found, "red", "0192-aaaa-bbbb-cccc", "user:rita", note, 1_800_000_000_000);
        let indented: String = text.lines().map(|it| format!("  {it}\n")).collect();
        let yaml = format!(
            "upstream: {{anthropic: {{url: https://one.example, api_key: company-key}}}}\n\
             teams: {{red: {{api_keys: [gw-red-key]}}}}\nexceptions:\n{indented}"
        );
        let file = File::parse(&yaml, "gateway.yaml", &|_| Err("none".into())).unwrap_or_else(|it| panic!("{it}"));
        let it = &file.exceptions[0];
        assert_eq!((it.name.as_str(), it.scope.team.as_deref()), ("reviewed_aaaabbbbcccc_1", Some("red")));
        assert_eq!(it.expires.to_string(), "2027-02-14");
        assert!(it.reason.starts_with(note.split('\n').next().unwrap()));
        assert_eq!(exceptions(&[], "red", "r", "b", "n", 0), "");
    }
}
