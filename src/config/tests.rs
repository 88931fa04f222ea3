//! What the configuration means. What is said about its mistakes stands in `mistakes.txt`, case by case.
use std::time::Duration;

use super::*;
use crate::domain::{Action, Checker, Direction, Risk, Secret, Source, Stamp};

const QUICK_START: &str = include_str!("../../conf/gateway.yaml");
const FULL: &str = include_str!("../../conf/gateway-full.yaml");
const MISTAKES: &str = include_str!("mistakes.txt");

/// References of tests: a few variables and one file.
fn resolve(reference: &Reference) -> Result<String, String> {
    match reference {
        Reference::Environment(name) if name == "PROVIDER_KEY" => Ok("made-up-provider-key".to_owned()),
        Reference::Environment(name) if name == "PORT" => Ok("9443".to_owned()),
        Reference::Environment(name) if name == "WORD" => Ok("surely-unseen".to_owned()),
        Reference::Environment(name) if name == "EMPTY" => Ok(String::new()),
        Reference::File(path) if path == "/run/key" => Ok("key-from-a-file\n".to_owned()),
        Reference::File(path) if path == "/run/long-key" => Ok("sixteen-characters, and then sixteen more".to_owned()),
        Reference::File(path) if path == "/run/lines" => Ok("two\nlines".to_owned()),
        Reference::File(path) if path == "/run/secrets/anthropic_api_key" => Ok("made-up".to_owned()),
        Reference::File(path) if path == "/etc/gateway/rules/house.yaml" => Ok("house".to_owned()),
        Reference::File(path) if path == "/wrong.yaml" => Ok("wrong".to_owned()),
        Reference::File(path) if path == "/long.yaml" => Ok("x".repeat((1 << 20) + 1)),
        Reference::Environment(_) => Err("it is not set".to_owned()),
        Reference::Fingerprints(path) if path == "/etc/gateway/known-secrets.txt" => Ok("lines".to_owned()),
        Reference::File(_) | Reference::Fingerprints(_) => Err("no such file".to_owned()),
    }
}

/// Rule files of tests: one word, which is the checker that they bring.
fn read_rules(files: &[RuleFile]) -> Result<Vec<Checker>, Vec<RuleMistake>> {
    match files.iter().position(|it| it.text == "wrong") {
        Some(file) => Err(vec![RuleMistake { file, what: "/wrong.yaml:1: all of it".to_owned() }]),
        None => Ok(files.iter().map(|it| Checker::new(&it.text)).collect()),
    }
}

fn read(text: &str) -> Result<(File, Warnings), Mistakes> {
    read_with(text, &Checker::BUILT_IN)
}

fn read_with(text: &str, known_checkers: &[&str]) -> Result<(File, Warnings), Mistakes> {
    Reading { origin: "gateway.yaml", resolve: &resolve, known_checkers, read_rules: &read_rules }.read(text)
}

/// A file that must be right, below a loopback upstream.
#[track_caller]
fn file(rest: &str) -> File {
    let text = format!("upstream:\n  anthropic: http://127.0.0.1:1\n{rest}");
    read(&text).unwrap_or_else(|it| panic!("{it}")).0
}

/// What is doubtful about a file.
#[track_caller]
fn warnings(text: &str) -> Vec<String> {
    let (_, warnings) = read(text).unwrap_or_else(|it| panic!("{it}"));
    warnings.items.into_iter().map(|it| it.what).collect()
}

/// The full reference with everything in it that is commented out.
fn uncommented() -> String {
    let line = |line: &str| {
        let (before, after) = line.split_at(line.len() - line.trim_start().len());
        match after.strip_prefix('#').filter(|it| !it.is_empty() && !it.starts_with(' ')) {
            Some(setting) => format!("{before}{setting}\n"),
            None => format!("{line}\n"),
        }
    };
    FULL.lines().map(line).collect()
}

#[test]
fn quick_start_reads_without_a_warning() {
    let (file, warnings) = read(QUICK_START).unwrap_or_else(|it| panic!("{it}"));
    assert_eq!(warnings.to_string(), "");
    let urls: Vec<String> = file.upstreams.iter().map(|it| it.url.to_string()).collect();
    assert_eq!(urls, ["https://api.anthropic.com", "https://api.openai.com"]);
    assert_eq!(file.checks, Checks::default());
    let policies: Vec<&str> = file.policies.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(policies, ["block_secrets", "block_vuln_code"]);
    assert!(file.redact_secrets && file.block_on_secrets && file.audit_enabled && file.teams.is_empty());
    assert_eq!((file.host.as_str(), file.port), ("0.0.0.0", 8080));
}

#[test]
fn full_reference_shows_the_defaults() {
    let (file, _) = read(FULL).unwrap_or_else(|it| panic!("{it}"));
    let defaults = File { upstreams: file.upstreams.clone(), ..File::default() };
    assert_eq!(format!("{file:?}"), format!("{defaults:?}"));
    assert_eq!(file.upstreams[0].timeouts, UpstreamTimeouts::default());
}

#[test]
fn full_reference_names_every_key() {
    let text = uncommented();
    let (file, _) = read(&text).unwrap_or_else(|it| panic!("{it}"));
    let (root, _) = node::read(&text).unwrap();
    let mut seen = Vec::new();
    names(&root, &mut seen);
    for key in keys::EVERY.iter().flat_map(|it| it.iter()) {
        assert!(seen.contains(key), "conf/gateway-full.yaml does not show `{key}`");
    }
    assert_eq!((file.teams.len(), file.policies.len(), file.upstreams.len()), (2, 7, 5));
    assert_eq!(file.upstreams[2].timeouts, UpstreamTimeouts::default());
    assert!(file.tls.is_some() && file.admin.listen.is_some() && file.redaction.key.is_some());
}

fn names<'n>(node: &'n node::Node, seen: &mut Vec<&'n str>) {
    match &node.value {
        node::Value::Null | node::Value::Scalar(_) => {}
        node::Value::Sequence(items) => items.iter().for_each(|it| names(it, seen)),
        node::Value::Mapping(entries) => entries.iter().for_each(|(key, value)| {
            seen.push(&key.name);
            names(value, seen);
        }),
    }
}

/// The full reference of the product's documentation, as an administrator pastes it.
#[test]
fn documented_reference_reads() {
    let text = "\
upstream:
  anthropic: https://api.anthropic.com   # Anthropic API base URL
  openai: https://api.openai.com         # OpenAI API base URL
tls:
  cert: /etc/gateway/fullchain.pem
  key: /etc/gateway/privkey.pem
checks:
  outbound: [secrets, compliance, agent]
  inbound: [vuln, agent]
policies:
  - name: block_any_secret
    condition: {checker: secrets, risk: \">= medium\"}
    action: block
  - name: block_critical_vuln
    condition: {checker: vuln, risk: \">= critical\"}
    action: block
  - name: flag_medium_vuln
    condition: {checker: vuln, risk: \">= medium\"}
    action: review
teams:
  contractors:
    model_allowlist: [claude-haiku-4-5]
    outbound_checks: [secrets, compliance, agent, security]
    inbound_checks: [vuln, agent]
    api_keys: [gw-contractor-key]
  engineers:
    model_allowlist: [claude-sonnet-4-6, gpt-4o]
    outbound_checks: [secrets, compliance]
    inbound_checks: [vuln]
    api_keys: [gw-engineer-key]
notifications:
  slack: https://hooks.slack.com/services/...
  webhook: https://siem.company.com/events
  pagerduty_key: your-routing-key
block_on_secrets: true     # Block (not just log) when secrets detected
redact_secrets: true       # Replace secrets before forwarding (vs hard block)
audit_enabled: true        # Log every evaluation to audit trail
host: 0.0.0.0
port: 8080
log_level: info            # debug | info | warning | error
";
    let (file, warnings) = read(text).unwrap_or_else(|it| panic!("{it}"));
    assert_eq!(warnings.to_string(), "");
    assert_eq!(file.policies[0].condition.risk, Some(Compare { operator: Operator::AtLeast, value: Risk::Medium }));
    assert_eq!(file.policies[2].action, Action::Review);
    assert_eq!(file.teams[0].name, "contractors");
    assert_eq!(file.teams[1].model_allowlist.as_deref().unwrap(), ["claude-sonnet-4-6", "gpt-4o"]);
    assert_eq!(file.teams[0].api_keys, [GatewayKey::Clear(Secret::new("gw-contractor-key".to_owned()))]);
    assert_eq!(file.tls.unwrap().cert, "/etc/gateway/fullchain.pem");
}

/// Each case: a name, the text, and all that is said about it.
#[test]
fn mistakes_are_told_as_written_down() {
    let mut cases = 0;
    for case in MISTAKES.split("\n==== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let (text, expected) = rest.split_once("---- says\n").unwrap();
        let said = match read(text) {
            Ok((_, warnings)) => format!("{warnings}accepted"),
            Err(mistakes) => mistakes.to_string(),
        };
        assert_eq!(said.trim(), expected.trim(), "\n==== {name}\nsays now:\n{said}\n");
        assert!(!said.contains("unseen"), "{name} shows a secret");
        cases += 1;
    }
    assert!(cases >= 40, "only {cases} cases were read");
}

#[test]
fn long_form_reads() {
    let file = file(
        "  azure: {url: 'https://Example.azure.com:8443/eu//', api_key: '${PROVIDER_KEY}'}
  mine:
    url: http://[::1]:9000/prefix/
    dialect: openai
    api_key_file: /run/key
    timeouts: {connect: 500ms, read: 5m, write: 2s, idle: 1h}
    headers: {X-Team: 'a ${PORT} b$$c', x-file: 'file:/run/key'}
open_access: true
",
    );
    let [_, azure, mine] = file.upstreams.try_into().unwrap();
    assert_eq!((azure.dialect, azure.url.host.as_str(), azure.url.port), (Dialect::Azure, "example.azure.com", 8443));
    assert_eq!(azure.url.path, "/eu");
    assert_eq!(azure.api_key.unwrap().expose(), "made-up-provider-key");
    assert_eq!(mine.url.to_string(), "http://[::1]:9000/prefix");
    assert_eq!(mine.api_key.unwrap().expose(), "key-from-a-file");
    let times = mine.timeouts;
    let expected = [500, 300_000, 2_000, 3_600_000].map(Duration::from_millis);
    assert_eq!([times.connect, times.read, times.write, times.idle], expected);
    let headers: Vec<(&str, &str)> = mine.headers.iter().map(|(name, it)| (name.as_str(), it.expose())).collect();
    assert_eq!(headers, [("x-team", "a 9443 b$c"), ("x-file", "key-from-a-file")]);
}

#[test]
fn every_setting_reads() {
    let file = file(
        "checks: {outbound: [pii], inbound: []}
block_on_secrets: false
redact_secrets: true
redaction: {restore: true, key: sixteen-characters-}
audit_enabled: false
open_access: true
on_unscannable: block
host: '::1'
port: ${PORT}
log_level: ${UNSET:-debug}
admin: {listen: '[::1]:9090'}
known_secrets: {key: 'file:/run/long-key', files: [/etc/gateway/known-secrets.txt]}
limits: {body_bytes_max: 1MiB, response_bytes_max: 2MB, held_bytes_max: 3GiB, header_bytes_max: 4096,
  decompression_ratio_max: 5, json_depth_max: 64, findings_max: 7, connections_max: 8, sockets_max: 9, team_sockets_max: 0,
  connections_per_client_max: 3, requests_max: 4, queue_timeout: 13s, body_rate_min: 14, send_timeout: 15s,
  send_rate_min: 16KiB, header_timeout: 9s, body_timeout: 10s, idle_timeout: 11s, total_timeout: 12m,
  socket_idle_timeout: 13s, socket_timeout: 14m, drain_timeout: 0s}
",
    );
    assert_eq!(file.checks, Checks { outbound: vec![Checker::new("pii")], inbound: Vec::new() });
    assert!(!file.block_on_secrets && file.redact_secrets && !file.audit_enabled && file.open_access);
    assert!(file.redaction.restore && file.redaction.key.is_some());
    assert_eq!(file.on_unscannable, OnUnscannable::Block);
    let known = &file.known_secrets;
    assert_eq!((known.files[0].path.as_str(), &*known.files[0].text), ("/etc/gateway/known-secrets.txt", "lines"));
    assert!(known.key.as_ref().is_some_and(|it| it.expose().starts_with("sixteen-")));
    assert_eq!((file.host.as_str(), file.port, file.log_level), ("::1", 9443, LogLevel::Debug));
    assert_eq!(file.admin.listen.as_deref(), Some("[::1]:9090"));
    let limits = Limits {
        body_bytes_max: 1 << 20,
        response_bytes_max: 2_000_000,
        held_bytes_max: 3 << 30,
        header_bytes_max: 4096,
        decompression_ratio_max: 5,
        json_depth_max: 64,
        findings_max: 7,
        connections_max: 8,
        connections_per_client_max: 3,
        requests_max: 4,
        queue_timeout: Duration::from_secs(13),
        body_rate_min: 14,
        send_timeout: Duration::from_secs(15),
        send_rate_min: 16 << 10,
        sockets_max: 9,
        team_sockets_max: 0,
        header_timeout: Duration::from_secs(9),
        body_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(11),
        total_timeout: Duration::from_secs(720),
        socket_idle_timeout: Duration::from_secs(13),
        socket_timeout: Duration::from_secs(840),
        drain_timeout: Duration::ZERO,
    };
    assert_eq!(file.limits, limits);
}

#[test]
fn gateway_keys_read_in_clear_and_as_digests() {
    let key = GatewayKey::Clear(Secret::new("gw-clear-team-key".to_owned()));
    let hex: String = key.digest().iter().map(|it| format!("{it:02X}")).collect();
    let ends = file(&format!("teams: {{a: {{api_keys: ['sha256:{hex} until 2026-12-31T12:00:00Z']}}}}\n"));
    let file = file(&format!("teams: {{a: {{api_keys: ['sha256:{hex}', 'file:/run/key', '${{PROVIDER_KEY}}']}}}}\n"));
    assert_eq!(ends.teams[0].api_keys[0].until().map(|it| it.to_string()).as_deref(), Some("2026-12-31T12:00:00Z"));
    let [digest, from_file, from_environment] = file.teams[0].api_keys.clone().try_into().unwrap();
    assert_eq!(digest, GatewayKey::Sha256 { digest: key.digest(), until: None });
    assert_eq!(from_file, GatewayKey::Clear(Secret::new("key-from-a-file".to_owned())));
    assert_eq!(from_environment, GatewayKey::Clear(Secret::new("made-up-provider-key".to_owned())));
}

#[test]
fn exceptions_read_and_grow_old() {
    let file = file(
        "exceptions:
  - {name: sample, reason: in our docs, expires: 2030-12-31, scope: {rule: 'secrets.aws.*', type: AWS_ACCESS_KEY,
     checker: secrets, fingerprint: 9F86d081884c7d659a2feaa0c55ad015, team: default, model: 'claude-*',
     direction: outbound, source: user}}
  - {name: other, reason: r, expires: '2031-01-01', scope: {type: SSN}}
known_secrets: {key: 'file:/run/long-key'}
",
    );
    let [sample, other] = file.exceptions.as_slice() else { panic!("{:?}", file.exceptions) };
    assert_eq!((sample.name.as_str(), sample.reason.as_str()), ("sample", "in our docs"));
    assert_eq!((sample.expires.to_string(), other.expires.since(sample.expires)), ("2030-12-31".to_owned(), 1));
    let scope = Scope {
        rule: Some("secrets.aws.*".to_owned()),
        label: Some("AWS_ACCESS_KEY".to_owned()),
        checker: Some(Checker::new("secrets")),
        fingerprint: Some("9f86d081884c7d659a2feaa0c55ad015".parse().unwrap()),
        team: Some("default".to_owned()),
        model: Some("claude-*".to_owned()),
        direction: Some(Direction::Outbound),
        source: Some(Source::User),
    };
    assert_eq!(sample.scope, scope);
    let said = |day: &str| {
        let days = day.parse::<Day>().unwrap().since("1970-01-01".parse().unwrap());
        let unix = Duration::from_secs(u64::from(days) * 24 * 3600);
        let now = Stamp { unix, ..Stamp::default() };
        file.doubtful_at(now).into_iter().map(|it| (it.line, it.what)).collect::<Vec<_>>()
    };
    assert_eq!(said("2030-12-31"), []);
    let expired = "the exception `sample` expired on 2030-12-31: what it excepted is stopped again";
    assert_eq!(said("2031-01-01"), [(Some(4), expired.to_owned())]);
    let [(_, first), (_, second)] = <[_; 2]>::try_from(said("2029-12-29")).unwrap();
    assert!(first.contains("until 2030-12-31: nobody will look") && second.contains("`other` holds until 2031-01-01"));
    let told = explain(&file);
    let expected = "  sample: what secrets finds, rule secrets.aws.*, type AWS_ACCESS_KEY, the value 9f86d081884c7d659a2feaa0c55ad015, for the team default, to the model claude-*, outbound only, in text of source user, until 2030-12-31\n     in our docs\n";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn anchors_serve_and_cannot_explode() {
    let file = file("checks: {outbound: &all [secrets, pii], inbound: *all}\n");
    assert_eq!(file.checks.outbound, file.checks.inbound);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(read(&bomb).unwrap_err().to_string().contains("too many values"));
    assert!(read(&"[".repeat(17)).unwrap_err().to_string().contains("nested too deeply"));
    assert!(read(&"[".repeat(100_000)).unwrap_err().to_string().contains("recursion limit"));
    assert!(read(&" ".repeat((1 << 20) + 1)).unwrap_err().to_string().contains("at most 1 MiB"));
}

#[test]
fn custom_checkers_must_be_handed_in() {
    let text = "upstream: {anthropic: 'https://a.example'}\nchecks: {outbound: [house]}\n";
    assert!(File::parse(text, "gateway.yaml", &resolve).is_err());
    assert_eq!(read_with(text, &["secrets", "house"]).unwrap().0.checks.outbound, [Checker::new("house")]);
}

#[test]
fn rule_files_bring_checkers_that_other_settings_name() {
    let file = file(
        "checks: {outbound: [house, secrets]}
policies: [{name: a, condition: {checker: house, rule: 'house.*'}, action: block}]
teams: {red: {inbound_checks: [house]}}
rules: [/etc/gateway/rules/house.yaml]
",
    );
    assert_eq!(file.rules.checkers, [Checker::new("house")]);
    assert_eq!(file.rules.files[0].text, "house");
    assert_eq!(file.teams[0].inbound_checks, Some(vec![Checker::new("house")]));
    let said = explain(&file);
    assert!(said.contains("Own rules\n  /etc/gateway/rules/house.yaml\n  they bring the checkers house\n"), "{said}");
    assert!(file.effective().contains(" rules=1 "));
    let flags = Overrides { outbound_checks: vec!["house".to_owned()], ..Overrides::default() };
    assert!(flags.apply(&mut file.clone(), &Checker::BUILT_IN).is_err());
    flags.apply(&mut file.clone(), &file.known_checkers()).unwrap();
}

#[test]
fn without_a_reader_rule_files_are_a_mistake() {
    let text = "upstream: {anthropic: 'https://a.example'}\nrules: [/etc/gateway/rules/house.yaml]\n";
    let said = File::parse(text, "gateway.yaml", &resolve).unwrap_err().to_string();
    assert!(said.contains("rule files are not read here"), "{said}");
}

#[test]
fn warnings_tell_what_is_doubtful() {
    let upstream = "upstream: {anthropic: 'https://a.example'}\n";
    let rows = [
        ("upstream: {anthropic: 'http://a.example'}\n", "prompts and keys go to this host in clear"),
        (
            "upstream: {anthropic: {url: 'https://a.example', api_key: unseen-key}}\nopen_access: true\n",
            "the provider's key stands in this file in clear",
        ),
        (&format!("{upstream}block_on_secrets: false\n"), "secrets are only logged, and go to the provider"),
        (&format!("{upstream}audit_enabled: false\n"), "no exchange is recorded"),
        (&format!("{upstream}port: 0\n"), "the system picks a free port at each start"),
        (&format!("{upstream}checks: {{outbound: []}}\n"), "no checker runs here"),
        (&format!("{upstream}teams: {{}}\n"), "no team is configured: everyone who reaches the port is let in"),
        (
            &format!("{upstream}host: localhost\nteams: {{a: {{model_allowlist: [x]}}}}\n"),
            "the team `a` has no gateway key, so nobody can be in it",
        ),
        (
            &format!("{upstream}teams: {{a: {{api_keys: [gw-long-enough]}}}}\n"),
            "gateway keys travel to this host in clear",
        ),
        (
            &format!("{upstream}host: ::1\nteams: {{a: {{api_keys: [gw-short]}}}}\n"),
            "this gateway key is short enough to be guessed",
        ),
        (
            &format!("{upstream}notifications: {{webhook: 'http://a.example/x?y=z'}}\n"),
            "this address is reached without TLS",
        ),
        (
            &format!("{upstream}rules: [/etc/gateway/rules/house.yaml]\n"),
            "the checker `house` of these rules runs nowhere",
        ),
        (&format!("{upstream}open_access: true\n"), "without a provider key this changes nothing"),
    ];
    for (text, expected) in rows {
        assert!(warnings(text).iter().any(|it| it == expected), "{text}\n{:?}", warnings(text));
    }
}

#[test]
fn flags_take_the_place_of_settings() {
    let mut file = file("tls: {cert: a, key: b}\nlog_level: error\n");
    let flags = Overrides {
        host: Some("127.0.0.1".to_owned()),
        port: Some(9000),
        log_level: Some("debug".to_owned()),
        outbound_checks: vec!["secrets,pii".to_owned(), "agent, pii".to_owned()],
        inbound_checks: vec!["vuln".to_owned()],
        no_tls: true,
    };
    flags.apply(&mut file, &Checker::BUILT_IN).unwrap();
    assert_eq!((file.host.as_str(), file.port, file.log_level), ("127.0.0.1", 9000, LogLevel::Debug));
    assert_eq!(file.checks.outbound, ["secrets", "pii", "agent"].map(Checker::new));
    assert_eq!((file.checks.inbound.as_slice(), file.tls.is_none()), (&[Checker::new("vuln")][..], true));
    let before = file.effective();
    Overrides::default().apply(&mut file, &Checker::BUILT_IN).unwrap();
    assert_eq!(file.effective(), before);
    let wrong = Overrides {
        host: Some("a b".to_owned()),
        log_level: Some("wraning".to_owned()),
        outbound_checks: vec!["secrt".to_owned()],
        ..Overrides::default()
    };
    let said = wrong.apply(&mut file, &Checker::BUILT_IN).unwrap_err().to_string();
    for expected in ["`a b` is no address", "did you mean `warning`?", "did you mean `secrets`?", "3 mistakes"] {
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(file.effective(), before);
}

#[test]
fn effective_line_and_explanation_hold_no_secret() {
    let text = "
upstream:
  anthropic: {url: https://a.example, api_key: unseen-provider-key, headers: {x-a: unseen-header}}
  azure: https://b.example
teams:
  red: {api_keys: [unseen-red-team-key], model_allowlist: [claude-*], redact_secrets: false}
  blue: {api_keys: [unseen-blue-team-key, 'unseen-other-key']}
notifications: {slack: 'https://hooks.example/unseen', pagerduty_key: unseen-routing-key}
redaction: {restore: true, key: unseen-redaction-key}
redact_secrets: true
policies:
  - {name: first, description: Why., condition: {checker: secrets, risk: '>= high', source: user}, action: block}
  - {name: second, condition: {checkers_above: {risk: high, count: 2}, team: red}, action: review}
";
    let (file, _) = read(text).unwrap_or_else(|it| panic!("{it}"));
    let line = file.effective();
    let said = explain(&file);
    assert!(!line.contains("unseen") && !said.contains("unseen") && !format!("{file:?}").contains("unseen"));
    assert!(!line.contains('\n'));
    for part in [
        "upstream.anthropic=https://a.example(anthropic,key=***,x-a=***,timeouts=10s/5m/30s/55s)",
        "team=\"blue\"(2 keys)",
        "notifications.slack=***",
        "limits.body_bytes_max=32MiB",
        "limits.total_timeout=1h",
        "admin.listen=off",
    ] {
        assert!(line.contains(part), "{part}\n{line}");
    }
    for part in [
        "anthropic: https://a.example (anthropic), path prefix /anthropic/; the gateway's own provider key is swapped in",
        "azure: https://b.example (azure), path prefix /azure/; no provider key is configured",
        "  red: 1 gateway key\n    models: claude-*\n    prompts are checked for: secrets,compliance,agent\n",
        "    secrets are blocked, not redacted\n",
        "1. first: when secrets finds something and its risk is high or more and its source is user, replace it",
        "     Why.\n",
        "2. second: when the team is red and at least 2 checkers find something of risk high or more, record it for review",
        "blocks are announced to Slack, PagerDuty",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let quick = explain(&read(QUICK_START).unwrap().0);
    assert!(quick.contains("no policy speaks of agent, compliance: what they find is only logged"), "{quick}");
}

#[test]
fn units_round_trip() {
    for text in ["500ms", "10s", "5m", "1h", "90s", "0s"] {
        assert_eq!(units::duration_text(units::duration(text).unwrap()), text);
    }
    assert_eq!(units::duration("7d"), units::duration("168h"));
    for text in ["1000", "64KiB", "32MiB", "1GiB"] {
        assert_eq!(units::size_text(units::size(text).unwrap()), text);
    }
    for text in ["", "10", "s", "1.5s", "-1s", "1w", "99999999999999999999s", "18446744073709551615h"] {
        assert_eq!(units::duration(text), None, "{text}");
    }
    for text in ["", "KiB", "1.5MiB", "-1", "1 XB", "18446744073709551615KiB"] {
        assert_eq!(units::size(text), None, "{text}");
    }
}

proptest::proptest! {
    /// Whatever is done to a file, it is read or told what is wrong, and nothing of its secrets is shown.
    #[test]
    fn damaged_files_are_told_and_show_no_secret(
        at in 0.0..1.0f64, cut in 0usize..40, put in "[\\x00-\\x7fäß…]{0,6}", garbage in "\\PC{0,200}"
    ) {
        let text = "upstream:\n  anthropic:\n    url: https://a.example\n    api_key: \"un-seen-key\"\n    headers: {x-a: un-seen-value}\nteams:\n  red:\n    api_keys: [un-seen-1, 'un-seen-2']\n    model_allowlist: [a]\nnotifications:\n  slack: https://un-seen.example/un-seen\npolicies:\n  - {name: a, condition: {checker: secrets}, action: block}\n";
        let cut_at = |at: usize| (at..=text.len()).find(|it| text.is_char_boundary(*it)).unwrap_or(text.len());
        let start = cut_at((at * text.len() as f64) as usize);
        let end = cut_at((start + cut).min(text.len()));
        for text in [format!("{}{put}{}", &text[..start], &text[end..]), garbage] {
            let said = match read(&text) {
                Ok((file, warnings)) => format!("{}{warnings}{}", file.effective(), explain(&file)),
                Err(mistakes) => mistakes.to_string(),
            };
            assert!(!said.contains("un-seen"), "{text}\n{said}");
        }
    }
}
