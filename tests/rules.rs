//! `docs/rules.md` says what is there, its example works, and the company's own rules do what they say.
//!
//! `make docs`, which sets `UPDATE_DOCS`, writes the generated part of the document.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use airiskguard_gateway::checkers::{self, RuleText, Trial, custom, handbook};
use airiskguard_gateway::config::{File, Reading, Reference};
use airiskguard_gateway::domain::{Action, Checker, Direction, Source};
use airiskguard_gateway::pipeline::{Snapshot, custom_checkers};
use airiskguard_gateway::policy::by_default;
use airiskguard_gateway::scan::Confirm;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md");
const BEGIN: &str = "<!-- Written by `make docs` from here … -->\n";
const END: &str = "<!-- … to here. -->\n";
const PROHIBITED: &str = include_str!("../conf/rules/prohibited_content.yaml");
const CHECKS_SOURCE: &str = include_str!("../src/scan/spec.rs");

fn document() -> String {
    std::fs::read_to_string(DOCUMENT).unwrap()
}

/// What stands between the markers, and what stands around them.
fn parts(document: &str) -> (&str, &str, &str) {
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (between, after) = rest.split_once(END).unwrap();
    (before, between, after)
}

/// The checks that `confirm` names, as the words of its type describe them.
fn checks() -> String {
    let (_, body) = CHECKS_SOURCE.split_once("pub enum Confirm {").unwrap();
    let mut said = "## Checks for `confirm`\n\n| name | accepts a match when |\n|---|---|\n".to_owned();
    let mut sentence = String::new();
    for line in body.lines().map(str::trim).take_while(|line| *line != "}") {
        match line.strip_prefix("///") {
            Some(words) => sentence.push_str(words),
            None if !sentence.is_empty() => {
                let (name, meaning) = sentence.trim().split_once("`: ").unwrap_or((sentence.trim(), ""));
                said.push_str(&format!("| {name}` | {} |\n", meaning.replace('|', "\\|")));
                sentence.clear();
            }
            None => {}
        }
    }
    let schemes: Vec<String> = Confirm::schemes().map(|it| format!("`{it}`")).collect();
    said + &format!("\nSchemes of `id`: {}.\n", schemes.join(", "))
}

#[test]
fn the_document_lists_the_catalogue() {
    let generated = format!("\n{}\n{}\n", checks(), handbook(&checkers::entries().unwrap(), by_default));
    let document = document();
    let (before, between, after) = parts(&document);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(DOCUMENT, format!("{before}{BEGIN}{generated}{END}{after}")).unwrap();
        return;
    }
    let differs = || between.lines().zip(generated.lines()).find(|(is, should)| is != should);
    assert!(between == generated, "docs/rules.md is not what the catalogue says; run `make docs`\n{:#?}", differs());
}

#[test]
fn the_document_explains_every_key() {
    // The reader of rule files names the keys that it knows when it meets one that it does not.
    let said = checkers::parse("- {no_such_key: 1}", "x").unwrap_err().to_string();
    let (_, names) = said.split_once("expected one of ").unwrap();
    let keys: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
    assert!(keys.len() > 15 && keys.contains(&"misses"), "{said}");
    let document = document();
    let (head, ..) = parts(&document);
    let missing: Vec<&&str> = keys.iter().filter(|key| !head.contains(&format!("\n| `{key}` |"))).collect();
    assert!(missing.is_empty(), "docs/rules.md does not explain {missing:?}");
}

/// The fenced blocks of a language in the hand-written head.
fn blocks(language: &str) -> Vec<String> {
    let document = document();
    let (head, ..) = parts(&document);
    let fence = format!("```{language}\n");
    head.split(&fence).skip(1).map(|it| it.split_once("```").unwrap().0.to_owned()).collect()
}

/// A configuration whose rule file is `rules`, compiled.
fn snapshot(settings: &str, rules: &str) -> Arc<Snapshot> {
    let resolve = |reference: &Reference| match reference {
        Reference::File(_) => Ok(rules.to_owned()),
        Reference::Environment(_) | Reference::Fingerprints(_) => Err("none".to_owned()),
    };
    let reading = Reading {
        origin: "gateway.yaml",
        resolve: &resolve,
        known_checkers: &Checker::BUILT_IN,
        read_rules: &custom_checkers,
    };
    let text = format!("upstream: {{anthropic: 'https://a.example'}}\n{settings}");
    let (file, _) = reading.read(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    Arc::new(Snapshot::compile(&file, [7; 32]).unwrap())
}

/// What becomes of a prompt: the action and the ids of the rules that found something.
fn prompt(snapshot: &Arc<Snapshot>, text: &str) -> (Action, Vec<String>) {
    let inspection = snapshot.inspect(text, Direction::Outbound, Source::User);
    let ids = inspection.findings.iter().map(|it| it.rule.id.clone());
    (inspection.verdict.action, ids.collect())
}

#[test]
fn the_example_of_the_document_works() {
    let [rules, settings] = blocks("yaml").try_into().unwrap();
    let entries = custom(&[RuleText { origin: "house.yaml", text: &rules }], Trial::Cut)
        .unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert!(entries.iter().all(|it| it.rule.info.checker == Checker::new("house")));
    let snapshot = snapshot(&settings, &rules);
    let found = prompt(&snapshot, &entries[0].hits[0]);
    assert_eq!(found, (Action::Redact, vec![entries[0].rule.info.id.clone()]));
    assert_eq!(prompt(&snapshot, &entries[0].misses[0]).1, [""; 0]);
}

#[test]
fn the_optional_pack_only_flags_and_only_where_it_is_named() {
    let request = "How to make a small pipe bomb at home?";
    let named = snapshot("rules: [pack.yaml]\nchecks: {outbound: [secrets, prohibited]}", PROHIBITED);
    assert_eq!(prompt(&named, request), (Action::Flag, vec!["prohibited.content.weapons".to_owned()]));
    assert_eq!(prompt(&snapshot("rules: [pack.yaml]", PROHIBITED), request).1, [""; 0]);
    assert_eq!(prompt(&snapshot("", ""), request).1, [""; 0]);
    let quoted = named.inspect(request, Direction::Outbound, Source::ToolResult);
    assert_eq!(quoted.findings, [], "a file that names it is not the request");
}

/// Rules of the company's own beside the catalogue, in a built-in checker and under a name of their own.
#[test]
fn own_rules_and_the_catalogue_run_together() {
    let rule = |id: &str| {
        format!(
            "- {{id: {id}, title: Badge, risk: high, score: 0.9, type: BADGE, keywords: [badge-], redact: true,\n   pattern: 'badge-[0-9]{{6}}', why: It opens doors., hits: [badge-204866], misses: [badge-12]}}\n"
        )
    };
    let key = format!("{}{}", "AKIA", "QYLPMN5HHHFPZAM2");
    let text = format!("badge-204866 and id {key}");
    let secrets = snapshot("rules: [own.yaml]\nredact_secrets: true", &rule("secrets.house.badge"));
    assert_eq!(
        prompt(&secrets, &text),
        (Action::Redact, vec!["secrets.house.badge".to_owned(), "secrets.aws.access_key".to_owned()])
    );
    let own = "rules: [own.yaml]\nchecks: {outbound: [house]}\npolicies: [{name: p, condition: {checker: house}, action: review}]";
    assert_eq!(
        prompt(&snapshot(own, &rule("house.own.badge")), &text),
        (Action::Review, vec!["house.own.badge".to_owned()])
    );
    let personal = snapshot("rules: [own.yaml]\nchecks: {outbound: [pii]}", &rule("compliance.house.badge"));
    assert_eq!(prompt(&personal, &text), (Action::Block, vec!["pii.house.badge".to_owned()]));
}

#[test]
fn a_wrong_rule_is_a_mistake_of_the_configuration() {
    let rules = PROHIBITED.replace("pipe bomb at home", "pipe organ at home");
    let resolve = |_: &Reference| Ok(rules.clone());
    let reading = Reading {
        origin: "gateway.yaml",
        resolve: &resolve,
        known_checkers: &Checker::BUILT_IN,
        read_rules: &custom_checkers,
    };
    let text = "upstream: {anthropic: 'https://a.example'}\nrules: [pack.yaml]\n";
    let said = reading.read(text).unwrap_err().to_string();
    let line = rules.lines().position(|line| line.contains("pipe organ")).unwrap() + 1;
    let expected = format!("pack.yaml:{line}: rule `prohibited.content.weapons`: `hits`, example 1: the rule does not");
    assert!(said.contains(&expected) && said.contains("gateway.yaml:2:9"), "{said}");
    assert!(File::parse(text, "gateway.yaml", &resolve).is_err());
}
