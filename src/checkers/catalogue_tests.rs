//! Every rule of the catalogue: its id is its path, its hits hit, its misses miss.

use std::collections::HashSet;

use super::reference_matcher::{Matcher, lives_after};
use super::{ALL, Entry, LoadError, Reason, entries, parse};
use crate::domain::Checker;
use crate::scan::{Pattern, Trigger};

fn catalogue() -> Vec<Entry> {
    entries().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn ids_are_paths_and_unique() {
    for family in ALL {
        let path = family.path.strip_suffix(".yaml").unwrap().replace('/', ".");
        for entry in parse(family.text, family.path).unwrap_or_else(|error| panic!("{error}")) {
            let id = entry.rule.info.id;
            assert!(id.strip_prefix(&path).is_some_and(|rest| rest.starts_with('.')), "{id} stands in {}", family.path);
        }
    }
    let mut seen = HashSet::new();
    for entry in catalogue() {
        assert!(seen.insert(entry.rule.info.id.clone()), "{} twice", entry.rule.info.id);
    }
}

#[test]
fn every_built_in_checker_has_rules() {
    let listed: HashSet<String> =
        catalogue().into_iter().map(|entry| entry.rule.info.checker.name().to_owned()).collect();
    let built_in: HashSet<String> = Checker::BUILT_IN.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(listed, built_in);
}

#[test]
fn pii_is_compliance_under_another_name() {
    let ids = |checker: &str| -> Vec<String> {
        let all = catalogue().into_iter().map(|entry| entry.rule.info.id);
        all.filter_map(|id| id.strip_prefix(checker).map(str::to_owned)).collect()
    };
    assert!(!ids("pii.").is_empty());
    assert_eq!(ids("pii."), ids("compliance."));
}

/// Types that redaction labels have always named; configurations and dashboards rely on them.
const LABELS: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GOOGLE_AI_KEY",
    "COHERE_API_KEY",
    "HUGGINGFACE_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "GCP_SERVICE_ACCOUNT",
    "AZURE_CONNECTION_STRING",
    "GITHUB_TOKEN",
    "GITLAB_TOKEN",
    "BITBUCKET_TOKEN",
    "PRIVATE_KEY_PEM",
    "PRIVATE_KEY_P12",
    "DB_CONNECTION_STRING",
    "JWT_TOKEN",
    "STRIPE_SECRET_KEY",
    "STRIPE_RESTRICTED_KEY",
    "HARDCODED_PASSWORD",
    "HARDCODED_BEARER",
    "SSN",
    "EMAIL",
    "CREDIT_CARD",
    "PHONE_US",
    "IP_ADDRESS",
];

#[test]
fn every_promised_label_has_a_rule() {
    let labels: HashSet<String> = catalogue().into_iter().map(|entry| entry.rule.info.label).collect();
    let without: Vec<_> = LABELS.iter().filter(|label| !labels.contains(**label)).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn rules_are_told_to_people() {
    for entry in catalogue() {
        let info = &entry.rule.info;
        assert!(info.why.ends_with('.') && info.why.len() > 30, "{}: why", info.id);
        assert!(!info.title.is_empty() && !info.title.ends_with('.'), "{}: title", info.id);
        assert!(entry.hits.len() >= 2 && entry.misses.len() >= 2, "{}: two hits and two misses", info.id);
        if info.checker.name() == "vuln" {
            assert!(info.advice.is_some() && info.cwe.is_some(), "{}: advice and cwe", info.id);
        }
        if let Trigger::Keywords(words) = &entry.rule.trigger {
            let shadowed = |word: &String| {
                words.iter().any(|it| it != word && word.to_ascii_lowercase().starts_with(&it.to_ascii_lowercase()))
            };
            assert!(!words.iter().any(shadowed), "{}: a keyword begins with another: {words:?}", info.id);
        }
    }
}

#[test]
fn every_hit_hits() {
    let mut missed = Vec::new();
    for entry in catalogue() {
        let matcher = Matcher::new(&entry.rule);
        for text in entry.hits.iter().filter(|text| matcher.find(text).is_empty()) {
            missed.push(format!("{} does not find {text:?}", entry.rule.info.id));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn every_miss_misses() {
    let mut found = Vec::new();
    for entry in catalogue() {
        let matcher = Matcher::new(&entry.rule);
        for text in &entry.misses {
            if let Some(span) = matcher.find(text).first() {
                found.push(format!("{} finds {:?} in {text:?}", entry.rule.info.id, &text[span.clone()]));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_keyword_can_begin_a_match() {
    // The engine looks at keywords only: one that its pattern cannot begin with is misspelt.
    for entry in catalogue() {
        let (Trigger::Keywords(words), None) = (&entry.rule.trigger, &entry.rule.lead) else { continue };
        let pattern = match &entry.rule.pattern {
            Pattern::Regex(pattern) | Pattern::Region { begin: pattern, .. } => pattern,
            Pattern::Assigned(_) => continue,
        };
        for word in words {
            let cases = [word.clone(), word.to_lowercase(), word.to_uppercase()];
            assert!(cases.iter().any(|it| lives_after(pattern, it)), "{}: {word}", entry.rule.info.id);
        }
    }
}

const RULE: &str = "\
- id: custom.own.key
  title: Our own key
  risk: high
  score: 0.9
  type: OWN_KEY
  keywords: [own-]
  pattern: 'own-[a-z]{8}'
  why: It opens our own doors, so it must not leave.
  hits: [own-abc¦defgh]
  misses: [own-goal]
";

fn error_with(from: &str, to: &str) -> LoadError {
    assert!(RULE.contains(from), "{from}");
    parse(&RULE.replace(from, to), "own.yaml").unwrap_err()
}

#[test]
fn a_rule_file_is_read() {
    let entries = parse(RULE, "own.yaml").unwrap();
    assert_eq!(entries[0].hits, ["own-abcdefgh"], "the cut mark is taken out");
    assert_eq!(entries[0].rule.info.checker, Checker::new("custom"));
    assert!(!entries[0].rule.info.redactable);
}

#[test]
fn mistakes_are_told_with_their_place() {
    let error = error_with("risk: high", "risk: extreme");
    assert_eq!((error.line, error.id.as_deref()), (1, Some("custom.own.key")));
    assert_eq!(
        error.to_string(),
        "own.yaml:1: rule `custom.own.key`: `risk`: unknown name `extreme`, expected one of low, medium, high, critical"
    );
    let error = error_with("  score: 0.9", "  scores: 0.9");
    assert_eq!(error.line, 4, "{error}");
    assert!(error.to_string().contains("scores"), "{error}");
}

#[test]
fn every_mistake_has_its_reason() {
    let reason = |from: &str, to: &str| error_with(from, to).reason;
    assert_eq!(reason("custom.own.key", "custom.key"), Reason::Id);
    assert_eq!(reason("OWN_KEY", "own_key"), Reason::Label("own_key".to_owned()));
    assert_eq!(reason("0.9", "1.9"), Reason::Score);
    assert_eq!(reason("[own-]", "[o]"), Reason::Keyword("o".to_owned()));
    assert_eq!(reason("[own-]", "[]"), Reason::OneTrigger);
    assert_eq!(reason("keywords: [own-]", "digits: 3"), Reason::Digits(3));
    assert_eq!(reason("  keywords: [own-]\n", ""), Reason::OneTrigger);
    assert_eq!(reason("  pattern: 'own-[a-z]{8}'\n", ""), Reason::OnePattern);
    assert!(matches!(reason("[a-z]{8}", "[a-z]+"), Reason::Length { key: "pattern", .. }));
    assert!(matches!(reason("own-[a-z]{8}", "(?:own)?"), Reason::Length { key: "pattern", .. }));
    assert!(matches!(reason("[a-z]{8}", "[a-z{8}"), Reason::Regex { key: "pattern", .. }));
    assert!(matches!(reason("[a-z]{8}", "[a-z]{8}\\z"), Reason::LookAround(_)));
    assert!(matches!(reason("  why", "  confirm: [luck]\n  why"), Reason::Unknown { key: "confirm", .. }));
    assert!(matches!(reason("  why", "  sources: [moon]\n  why"), Reason::Unknown { key: "sources", .. }));
    assert!(matches!(reason("  why", "  action: shout\n  why"), Reason::Unknown { key: "action", .. }));
    let twice = format!("{RULE}{RULE}");
    let error = parse(&twice, "own.yaml").unwrap_err();
    assert_eq!((error.line, error.reason), (11, Reason::Duplicate));
}
