//! Limits of teams, prices, addresses and keys of one provider, as they are written and as they are not.
use std::time::Duration;

use super::{File, TeamLimits};

fn read(text: &str) -> Result<File, String> {
    File::parse(text, "gateway.yaml", &|_| Err("none".into())).map_err(|it| it.to_string())
}

fn upstream(settings: &str) -> Result<File, String> {
    read(&format!("upstream: {{anthropic: {{{settings}}}}}\nteams: {{a: {{api_keys: [a-gateway-key]}}}}\n"))
}

#[test]
fn limits_of_a_team_stand_before_those_of_all() {
    let file = read(
        "upstream: {anthropic: https://a.b}\n\
         team_limits: {requests_per_minute: 60, cost_per_month: 12.5}\n\
         teams: {a: {api_keys: [a-gateway-key], limits: {requests_per_minute: 5, tokens_per_day: 1000}}}\n",
    );
    let file = file.unwrap();
    let limits = file.teams[0].limits.or(file.team_limits);
    let expected = TeamLimits {
        requests_per_minute: Some(5),
        tokens_per_day: Some(1000),
        cost_per_month: "12.5".parse().ok(),
        ..TeamLimits::default()
    };
    assert_eq!(limits, expected);
    assert_eq!(limits.amount("cost_per_month"), "$12.50");
    assert!(file.effective().contains("team_limits.cost_per_month=12.50"), "{}", file.effective());
    assert!(super::explain(&file).contains("requests per minute 5, tokens per day 1000, cost per month 12.50"));
}

#[test]
fn prices_of_the_file_come_first() {
    let file =
        read("upstream: {anthropic: https://a.b}\nprices: [{model: 'claude-*', input: 1, output: 2}]\n").unwrap();
    let first = &file.prices[0];
    assert_eq!((first.model.as_str(), first.cache_read), ("claude-*", "1".parse().unwrap()));
    assert!(file.prices.len() > 10, "the table of the program comes after it");
    for (price, part) in [
        ("{model: m, input: 1}", "output"),
        ("{model: m, input: -1, output: 1}", "dollars"),
        ("{model: m, input: 1, output: 1, cached: 1}", "cache_read"),
    ] {
        let mistake = read(&format!("upstream: {{anthropic: https://a.b}}\nprices: [{price}]\n")).unwrap_err();
        assert!(mistake.contains(part), "{mistake}");
    }
}

#[test]
fn several_addresses_and_keys() {
    let several = "urls: [https://a.b/x, 'https://c.d:8443/x'], api_keys: [one-made-up-key, two-made-up-keys], circuit: {failures_max: 2, open: 1m}";
    let file = upstream(several).unwrap();
    let it = &file.upstreams[0];
    assert_eq!((it.url.host.as_str(), it.more_urls[0].port), ("a.b", 8443));
    assert_eq!((it.more_api_keys.len(), it.circuit.failures_max, it.circuit.open), (1, 2, Duration::from_secs(60)));
    let line = file.effective();
    assert!(line.contains("https://c.d:8443/x") && line.contains("2 keys=***") && !line.contains("made-up"), "{line}");
    for (settings, part) in [
        ("urls: []", "from 1 to 16"),
        ("url: https://a.b, urls: [https://c.d]", "side by side"),
        ("urls: [https://a.b, https://a.b]", "second time"),
        ("urls: [https://a.b/x, https://c.d/y]", "scheme or path"),
        ("url: https://a.b, api_key: one-made-up-key, api_keys: [two-made-up-keys]", "stands beside"),
        ("url: https://a.b, api_keys: []", "from 1 to 16"),
        ("url: https://a.b, circuit: {failures: 3}", "failures_max"),
    ] {
        let mistake = upstream(settings).unwrap_err();
        assert!(mistake.contains(part) && !mistake.contains("made-up"), "{settings}: {mistake}");
    }
}
