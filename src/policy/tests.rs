//! Every key, operator, action and default, as tables: findings in, actions out.
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::{Day, File};
use crate::domain::{
    Action, Checker, Direction, Finding, Fingerprint, Place, Risk, RuleInfo, Score, Source, Sources, Stamp,
};

/// A finding from `rule.id risk score`, with marks after it: `+` redactable, `~` flag only, `@source`.
fn finding(text: &str) -> Finding {
    let mut words = text.split(' ');
    let id = words.next().unwrap();
    let risk: Risk = words.next().unwrap().parse().unwrap();
    let score = Score::new(words.next().unwrap().parse().unwrap()).unwrap();
    let marks: Vec<&str> = words.collect();
    let source = marks.iter().find_map(|it| it.strip_prefix('@')).map_or(Source::User, |it| it.parse().unwrap());
    let rule = RuleInfo {
        id: id.to_owned(),
        checker: Checker::new(id.split('.').next().unwrap()),
        title: String::new(),
        label: id.rsplit('.').next().unwrap().to_uppercase(),
        risk,
        score,
        why: String::new(),
        advice: None,
        cwe: None,
        sources: Sources::ALL,
        directions: Vec::new(),
        redactable: marks.contains(&"+"),
        flag_only: marks.contains(&"~"),
    };
    Finding { rule: Arc::new(rule), source, place: Place::default(), span: 0..1, value: None }
}

const AWS: &str = "secrets.aws_access_key critical 0.9 +";
const PASSWORD: &str = "secrets.hardcoded_password medium 0.5 +";
const SSN: &str = "compliance.ssn high 0.8 +";
const EMAIL: &str = "compliance.email medium 0.4 +";
const SQL: &str = "vuln.sql_injection high 0.8";
const MD5: &str = "vuln.weak_hash medium 0.5 ~";
const TOOL: &str = "agent.injection high 0.7 @tool_result";

/// A text flow under some policies.
struct Case {
    policies: Policies,
    team: &'static str,
    model: Option<&'static str>,
    direction: Direction,
    fingerprints: Vec<Option<Fingerprint>>,
    now: Stamp,
    redact_secrets: bool,
    block_on_secrets: bool,
}

/// Policies as they stand in the file: `{condition…} action[, redact: …]`, one a line.
fn under(policies: &str) -> Case {
    configured("", policies)
}

fn file(rest: &str, policies: &str) -> File {
    let mut text = rest.to_owned()
        + "upstream: {anthropic: 'https://127.0.0.1'}\nteams: {red: {api_keys: [gw-red-team-key]}, blue: {api_keys: [gw-blue-team-key], model_allowlist: ['claude-*']}}\npolicies:\n";
    for (count, line) in policies.lines().map(str::trim).filter(|it| !it.is_empty()).enumerate() {
        let (condition, action) = line.split_at(line.rfind('}').unwrap() + 1);
        text.push_str(&format!("  - {{name: p{count}, condition: {condition}, action: {}}}\n", action.trim()));
    }
    File::parse(&text, "test", &|_| Err("none".to_owned())).unwrap_or_else(|it| panic!("{it}"))
}

fn configured(rest: &str, policies: &str) -> Case {
    Case {
        policies: Policies::compile(&file(rest, policies)),
        team: "red",
        model: Some("claude-opus-4-6"),
        direction: Direction::Outbound,
        fingerprints: Vec::new(),
        now: Stamp::default(),
        redact_secrets: false,
        block_on_secrets: true,
    }
}

/// Exceptions and policies: `scope until day`, one a line, and then the policies of [`under`].
fn excepting(exceptions: &str, policies: &str) -> Case {
    let mut text = String::from("exceptions:\n");
    for (count, line) in exceptions.lines().map(str::trim).filter(|it| !it.is_empty()).enumerate() {
        let (scope, day) = line.split_once(" until ").unwrap();
        text.push_str(&format!("  - {{name: e{count}, reason: r, expires: {day}, scope: {scope}}}\n"));
    }
    text.push_str("known_secrets: {key: a-key-of-tests-which-is-long-enough}\n");
    configured(&text, policies)
}

impl Case {
    fn on(mut self, day: &str) -> Self {
        let days = day.parse::<Day>().unwrap().since("1970-01-01".parse().unwrap());
        self.now = Stamp { unix: Duration::from_secs((u64::from(days) + 1) * 24 * 3600 - 1), ..Stamp::default() };
        self
    }

    fn redacting(mut self) -> Self {
        self.redact_secrets = true;
        self
    }

    fn not_blocking(mut self) -> Self {
        self.block_on_secrets = false;
        self
    }

    fn inbound(mut self) -> Self {
        self.direction = Direction::Inbound;
        self
    }

    fn model(mut self, model: Option<&'static str>) -> Self {
        self.model = model;
        self
    }

    fn verdict(&self, findings: &[&str]) -> crate::domain::Verdict {
        let findings: Vec<Finding> = findings.iter().map(|it| finding(it)).collect();
        let checkers: Vec<Checker> = ["secrets", "compliance", "agent", "vuln"].map(Checker::new).to_vec();
        self.policies.decide(&Input {
            direction: self.direction,
            team: self.team,
            model: self.model,
            findings: &findings,
            fingerprints: &self.fingerprints,
            now: self.now,
            checkers: &checkers,
            redact_secrets: self.redact_secrets,
            block_on_secrets: self.block_on_secrets,
        })
    }

    /// The actions over the findings, and over the whole when it is more than theirs: `block log / block`.
    #[track_caller]
    fn gives(&self, findings: &[&str], expected: &str) -> &Self {
        let verdict = self.verdict(findings);
        let mut shown = verdict.dispositions.iter().map(|it| it.name()).collect::<Vec<_>>().join(" ");
        if Some(verdict.action) != verdict.dispositions.iter().copied().max() {
            shown = format!("{shown} / {}", verdict.action).trim().to_owned();
        }
        assert_eq!(shown, expected, "{findings:?}");
        self
    }
}

#[test]
fn defaults_follow_the_tables() {
    under("")
        .gives(&[], "/ allow")
        .gives(&[AWS, SSN, SQL, TOOL], "block block block block")
        .gives(&[PASSWORD, EMAIL, MD5], "log log flag")
        .gives(&["vuln.path low 0.1", "security.override low 0.2", "pii.phone_us low 0.2 +"], "block block log")
        .gives(&["house.codename high 0.9", "house.codename low 0.1", "house.name high 0.9 ~"], "block log flag");
    under("").redacting().gives(&[AWS, SSN, SQL, PASSWORD], "redact redact block log");
    under("").redacting().inbound().gives(&[AWS, SQL], "redact block");
    under("").not_blocking().gives(&[AWS, SSN, SQL], "log block block");
    under("").not_blocking().redacting().gives(&[AWS, SSN], "redact redact");
}

#[test]
fn findings_without_a_policy_are_logged_but_not_secrets() {
    let case = under("{checker: vuln, risk: critical} block");
    case.gives(&[SSN, SQL, TOOL, MD5], "log log log log").gives(&[AWS, PASSWORD], "block log");
    under("{checker: vuln} block").redacting().gives(&[AWS], "redact");
    under("{checker: vuln} block").not_blocking().gives(&[AWS], "log");
    under("{checker: secrets} log").gives(&[AWS], "log");
}

#[test]
fn quick_start_and_full_reference() {
    let quick = "{checker: secrets, risk: '>= high'} block\n{checker: vuln, risk: '>= high'} block";
    under(quick).redacting().gives(&[AWS, PASSWORD, SQL, MD5], "redact log block log");
    let full = "{checker: secrets, risk: '>= medium'} block\n{checker: vuln, risk: '>= critical'} block\n{checker: vuln, risk: '>= medium'} review";
    under(full).redacting().gives(&[PASSWORD, SQL, MD5, "vuln.rce critical 1"], "redact review review block");
}

#[test]
fn each_key_decides() {
    let rows: [(&str, &[&str], &str); 12] = [
        ("{checker: compliance} block", &[SSN, SQL], "block log"),
        ("{risk: high} review", &[SSN, EMAIL], "review log"),
        ("{score: '> 0.75'} review", &[SSN, TOOL], "review log"),
        ("{contains_flag: SSN} flag", &[SSN, EMAIL], "flag log"),
        ("{contains_flag: compliance.email} flag", &[SSN, EMAIL], "log flag"),
        ("{type: ssn} flag", &[SSN, EMAIL], "flag log"),
        ("{rule: compliance.*} flag", &[SSN, SQL], "flag log"),
        ("{rule: vuln.sql_injection} flag", &[MD5, SQL], "log flag"),
        ("{source: tool_result} flag", &[TOOL, SQL], "flag log"),
        ("{overall_risk: '>= high'} flag", &[SSN, EMAIL], "flag flag"),
        ("{overall_score: '>= 0.8'} flag", &[SSN, EMAIL], "flag flag"),
        ("{checkers_above: {risk: high, count: 2}} flag", &[SSN, SQL, EMAIL], "flag flag flag"),
    ];
    for (policy, findings, expected) in rows {
        under(policy).gives(findings, expected);
    }
    under("{overall_risk: '>= high'} flag").gives(&[EMAIL], "log").gives(&[], "/ allow");
    under("{overall_score: '>= 0.8'} flag").gives(&[EMAIL], "log").gives(&[], "/ allow");
    let above = under("{checkers_above: {risk: high, score: 0.8, count: 2}} flag");
    above.gives(&[SSN, TOOL], "log log").gives(&[SSN, SSN], "log log").gives(&[SSN, SQL], "flag flag");
    under("{checkers_above: {score: 0.5}} flag").gives(&[EMAIL], "log").gives(&[SSN], "flag");
}

#[test]
fn keys_of_the_exchange_decide() {
    under("{team: red} flag").gives(&[SSN], "flag").gives(&[], "/ flag");
    under("{team: blue} flag").gives(&[SSN], "log").gives(&[], "/ allow");
    under("{direction: inbound} flag").inbound().gives(&[SSN], "flag");
    under("{direction: inbound} flag").gives(&[SSN], "log");
    under("{model: 'claude-*'} flag").gives(&[SSN], "flag");
    under("{model: 'claude-*'} flag").model(Some("gpt-4o")).gives(&[SSN], "log");
    under("{model: '*'} flag").model(None).gives(&[SSN], "log");
    // A block of the exchange is not softened by redaction of what was found in it.
    under("{model: 'claude-*'} block").redacting().gives(&[SSN], "redact / block").gives(&[], "/ block");
    under("{team: red} redact").gives(&[SSN, SQL], "redact block").gives(&[], "/ log");
}

#[test]
fn passed_is_about_a_checker_as_a_whole() {
    under("{checker: compliance, passed: false} flag").gives(&[SSN, SQL], "flag log").gives(&[SQL], "log");
    let passed = under("{checker: compliance, passed: true} flag");
    passed.gives(&[SQL], "flag").gives(&[SSN], "log").gives(&[], "/ flag");
    // A checker that did not run has not passed.
    under("{checker: pii, passed: true} flag").gives(&[SQL], "log").gives(&[], "/ allow");
}

#[test]
fn keys_are_anded_over_the_same_finding() {
    let policy = "{checker: compliance, risk: '>= high', source: user, team: red, direction: outbound} block";
    under(policy).gives(&[SSN, EMAIL], "block log").gives(&[EMAIL, SQL], "log log");
    under(policy).gives(&["compliance.ssn high 0.8 + @document"], "log");
    under("{checker: compliance, overall_risk: critical} block").gives(&[SSN], "log").gives(&[SSN, AWS], "block block");
}

#[test]
fn every_operator_compares() {
    let levels = ["vuln.a low 0.1", "vuln.b medium 0.5", "vuln.c high 0.8", "vuln.d critical 0.9"];
    let rows = [
        (">= high", "log log flag flag"),
        ("<= medium", "flag flag log log"),
        ("> high", "log log log flag"),
        ("< medium", "flag log log log"),
        ("== high", "log log flag log"),
        ("high", "log log flag log"),
        ("!= high", "flag flag log flag"),
    ];
    for (risk, expected) in rows {
        under(&format!("{{risk: '{risk}'}} flag")).gives(&levels, expected);
    }
    let rows = [
        (">= 0.8", "log log flag flag"),
        ("<= 0.5", "flag flag log log"),
        ("> 0.8", "log log log flag"),
        ("< 0.5", "flag log log log"),
        ("== 0.8", "log log flag log"),
        ("0.8", "log log flag log"),
        ("!= 0.8", "flag flag log flag"),
    ];
    for (score, expected) in rows {
        under(&format!("{{score: '{score}'}} flag")).gives(&levels, expected);
    }
}

#[test]
fn every_action_and_the_most_severe_wins() {
    let order = ["log", "flag", "review", "redact", "block"];
    for (index, action) in order.into_iter().enumerate() {
        under(&format!("{{checker: compliance}} {action}")).gives(&[SSN], action);
        for milder in &order[..index] {
            let both = format!("{{checker: compliance}} {milder}\n{{risk: high}} {action}");
            under(&both).gives(&[SSN], action);
            let turned = format!("{{risk: high}} {action}\n{{checker: compliance}} {milder}");
            under(&turned).gives(&[SSN], action);
        }
    }
}

#[test]
fn allow_settles_what_it_matches() {
    let case = under("{type: EMAIL} allow\n{checker: compliance} block");
    case.gives(&[EMAIL], "allow").gives(&[EMAIL, SSN], "allow block");
    // What an earlier policy did stands.
    under("{checker: compliance} flag\n{type: EMAIL} allow\n{checker: compliance} block").gives(&[EMAIL], "flag");
    // An allowed secret is no cover for another one.
    under("{rule: secrets.hardcoded_password} allow").gives(&[PASSWORD, AWS], "allow block");
    // What is settled no longer counts for conditions over everything.
    under("{type: SSN} allow\n{overall_risk: high} block").gives(&[SSN, EMAIL], "allow log");
    // Nor does it lift what holds for the exchange.
    under("{type: EMAIL} allow\n{model: 'claude-*'} block").gives(&[EMAIL], "allow / block");
    let team = under("{team: red} allow\n{team: red} block");
    team.gives(&[AWS, SQL], "allow allow").gives(&[], "/ allow");
}

#[test]
fn redaction_where_it_is_possible() {
    under("{checker: compliance} block").redacting().gives(&[SSN], "redact");
    under("{checker: compliance} block, redact: false").redacting().gives(&[SSN], "block");
    under("{checker: compliance} block, redact: true").gives(&[SSN], "redact");
    under("{checker: vuln} block, redact: true").gives(&[SQL], "block");
    under("{checker: compliance} redact").gives(&[SSN], "redact");
    // Nothing to cut out: it must not pass.
    under("{risk: high} redact").gives(&[SSN, SQL], "redact block");
    under("{checker: compliance} block, redact: false\n{type: SSN} block")
        .redacting()
        .gives(&[SSN, EMAIL], "block block");
    // What rules only flag by default follows a policy that names it.
    under("{checker: vuln} block").gives(&[MD5], "block");
}

#[test]
fn secrets_are_only_logged_when_both_are_off() {
    let case = under("{risk: '>= medium'} block").not_blocking();
    case.gives(&[AWS, PASSWORD, SSN], "log log block");
    under("{checker: secrets} block, redact: false").not_blocking().gives(&[AWS], "block");
    under("{checker: secrets} block, redact: true").not_blocking().gives(&[AWS], "redact");
    under("{checker: secrets} redact").not_blocking().gives(&[AWS], "redact");
    under("{checker: secrets} review").not_blocking().gives(&[AWS], "review");
    under("{checker: secrets} block").gives(&[AWS], "block");
}

#[test]
fn verdict_names_risk_score_and_policies() {
    let verdict =
        under("{checker: compliance} flag\n{checker: agent} block\n{risk: high} log").verdict(&[EMAIL, SQL, SSN]);
    assert_eq!(verdict.policies, ["p0", "p2"]);
    assert_eq!((verdict.risk, verdict.score.value(), verdict.action), (Some(Risk::High), 0.8, Action::Flag));
    let clean = under("{checker: compliance} flag").verdict(&[]);
    assert_eq!(clean, crate::domain::Verdict::default());
}

#[test]
fn many_findings_cost_linear_time() {
    let findings = vec![EMAIL; 10_000];
    let verdict = under("{type: SSN} allow\n{type: EMAIL} allow\n{checker: compliance} block").verdict(&findings);
    assert_eq!(verdict.dispositions, vec![Action::Allow; 10_000]);
}

#[test]
fn patterns_match_whole_names() {
    let rows = [
        ("gpt-4o", "gpt-4o", true),
        ("gpt-4o", "gpt-4o-mini", false),
        ("gpt-*", "gpt-4o", true),
        ("gpt-*", "my-gpt-4o", false),
        ("*", "", true),
        ("*-mini", "gpt-4o-mini", true),
        ("*-mini", "gpt-4o-minis", false),
        ("a*b*c", "axxbyyc", true),
        ("a*b*c", "axxcyyb", false),
        ("a*a", "a", false),
        ("a**a", "aa", true),
        ("a*bb*b", "abb", false),
        ("", "", true),
        ("", "a", false),
    ];
    for (pattern, name, expected) in rows {
        assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern} {name}");
    }
}

#[test]
fn allowlist_holds_per_team() {
    let allows = |team: &str, model: &str| {
        let overlays = Overlay::all(&file("", ""));
        overlays.iter().any(|it| it.team == team && it.allowlist.allows(model))
    };
    assert!(allows("blue", "claude-opus-4-6") && allows("red", "gpt-4o"));
    assert!(!allows("blue", "gpt-4o") && !allows("green", "gpt-4o"));
    let list = Allowlist::new(Some(&["claude-haiku-4-5".to_owned(), "gpt-4o".to_owned()]));
    let allowed = ["claude-haiku-4-5", "claude-haiku-4-5-20251001", "gpt-4o", "gpt-4o-2024-08-06"];
    let refused = ["", "claude-haiku-4-5-x", "claude-haiku-4", "gpt-4o-mini", "gpt-4o-2024-0806", "gpt-4o-é0240806"];
    assert!(allowed.iter().all(|it| list.allows(it)));
    assert!(!refused.iter().any(|it| list.allows(it)));
    assert!(!Allowlist::new(Some(&[])).allows("gpt-4o"));
}

#[test]
fn overlay_falls_back_to_the_common_settings() {
    let text = "upstream: {anthropic: 'https://127.0.0.1'}\nredact_secrets: true\nteams:\n  a: {api_keys: [gw-team-a-key], outbound_checks: [pii], redact_secrets: false}\n  b: {api_keys: [gw-team-b-key], inbound_checks: []}\n";
    let file = File::parse(text, "test", &|_| Err("none".to_owned())).unwrap();
    let [a, b] = Overlay::all(&file).try_into().unwrap();
    assert_eq!(a.checkers(Direction::Outbound), [Checker::new("pii")]);
    assert_eq!(a.checkers(Direction::Inbound), file.checks.inbound);
    assert_eq!(b.checkers(Direction::Outbound), file.checks.outbound);
    assert!(b.checkers(Direction::Inbound).is_empty());
    assert!(!a.redact_secrets && b.redact_secrets);
    let [default] = Overlay::all(&File::default()).try_into().unwrap();
    assert_eq!((default.team.as_str(), default.redact_secrets), ("default", false));
}

#[test]
fn an_exception_takes_a_finding_out_of_the_decision() {
    let case = excepting("{rule: 'secrets.aws_*'} until 2030-12-31", "");
    case.gives(&[AWS], "allow").gives(&[AWS, SSN, AWS], "allow block allow");
    let verdict = case.verdict(&[SSN, AWS]);
    let excepted: Vec<(usize, &str)> = verdict.excepted.iter().map(|it| (it.finding, &*it.exception)).collect();
    assert_eq!((excepted, verdict.risk), (vec![(1, "e0")], Some(Risk::High)));
    assert_eq!(case.verdict(&[AWS]).risk, None);
    // No policy sees it: neither one of its own kind, nor one over all findings, nor one about a checker that passed.
    let policies = "{checker: secrets} block
        {overall_risk: critical} block
        {checker: secrets, passed: true} review";
    excepting("{rule: 'secrets.aws_*'} until 2030-12-31", policies).gives(&[AWS], "allow / review");
    // A policy about the exchange still holds.
    excepting("{type: aws_access_key} until 2030-12-31", "{team: red} block").gives(&[AWS], "allow / block");
}

#[test]
fn an_exception_ends_with_its_day() {
    let case = || excepting("{checker: secrets} until 2026-02-28", "");
    case().on("2026-02-28").gives(&[AWS], "allow");
    case().on("2026-03-01").gives(&[AWS], "block");
}

#[test]
fn an_exception_is_as_narrow_as_its_scope() {
    for (scope, holds) in [
        ("{checker: agent}", true),
        ("{checker: secrets}", false),
        ("{rule: agent.injection}", true),
        ("{rule: 'agent.x*'}", false),
        ("{type: INJECTION}", true),
        ("{type: SSN}", false),
        ("{checker: agent, team: red}", true),
        ("{checker: agent, team: blue}", false),
        ("{checker: agent, model: 'claude-*'}", true),
        ("{checker: agent, model: 'gpt-*'}", false),
        ("{checker: agent, direction: outbound}", true),
        ("{checker: agent, direction: inbound}", false),
        ("{checker: agent, source: tool_result}", true),
        ("{checker: agent, source: user}", false),
    ] {
        let expected = if holds { "allow" } else { "block" };
        excepting(&format!("{scope} until 2030-12-31"), "").gives(&[TOOL], expected);
    }
}

#[test]
fn an_exception_of_one_value_leaves_its_kind_alone() {
    let mut case = excepting("{fingerprint: 00000000000000000000000000000001} until 2030-12-31", "");
    case.gives(&[AWS, AWS], "block block");
    let fingerprint = |last: u8| Some(Fingerprint::new([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]));
    case.fingerprints = vec![fingerprint(2), fingerprint(1)];
    case.gives(&[AWS, AWS], "block allow").gives(&[AWS], "block");
    assert!(case.policies.ask_fingerprints());
    assert!(!under("").policies.ask_fingerprints());
}
