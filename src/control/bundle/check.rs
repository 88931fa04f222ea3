//! What administrators enter is read by the gateway's own loader, so that nothing is accepted here and refused there.

use serde_json::{Value, json};

use crate::config::{Mistake, Reading, Reference};
use crate::control::providers::Provider;
use crate::control::teams::TeamSettings;
use crate::domain::Checker;
use crate::pipeline::custom_checkers;

/// Stands in for secrets where only the form is looked at.
const MADE_UP: &str = "made-up-for-checking";
/// The address of a provider for texts that need one.
pub(super) const ANY_URL: &str = "https://provider.invalid";

/// Whether these settings of a team can be used; what is wrong with them otherwise.
pub(crate) fn check_team(settings: &TeamSettings) -> Result<(), Vec<String>> {
    let mut team = serde_json::to_value(settings).unwrap_or_default();
    if let Some(fields) = team.as_object_mut() {
        fields.remove("description");
        fields.insert("api_keys".to_owned(), json!([format!("sha256:{}", "0".repeat(64))]));
    }
    // Checkers of the company's own are known when a policy is published, which is when this is read again.
    let own = settings.outbound_checks.iter().chain(&settings.inbound_checks).flatten();
    let checkers: Vec<&str> = Checker::BUILT_IN.into_iter().chain(own.map(String::as_str)).collect();
    let upstream = json!({"anthropic": {"url": ANY_URL, "api_key": MADE_UP}});
    read(&json!({"upstream": upstream, "teams": {"team": team}}), "teams.team.", &checkers)
}

/// Whether this provider can be used; what is wrong with it otherwise.
pub(crate) fn check_provider(provider: &Provider) -> Result<(), Vec<String>> {
    let Some((first, more)) = provider.settings.urls.split_first() else {
        return Err(vec!["`urls` is empty: a provider has at least one address".to_owned()]);
    };
    let mut upstream = json!({"url": first, "dialect": provider.settings.dialect});
    if !more.is_empty() {
        upstream["urls"] = json!(provider.settings.urls);
        if let Some(fields) = upstream.as_object_mut() {
            fields.remove("url");
        }
    }
    let around = format!("upstream.{}.", provider.name);
    read(&json!({"upstream": {provider.name.as_str(): upstream}}), &around, &Checker::BUILT_IN)
}

/// Reads a composed text; references stand for made-up values. `around` is what the names of settings begin with that
/// nobody has entered.
fn read(text: &Value, around: &str, checkers: &[&str]) -> Result<(), Vec<String>> {
    let resolve = |_: &Reference| Ok(MADE_UP.to_owned());
    let reading =
        Reading { origin: "these settings", resolve: &resolve, known_checkers: checkers, read_rules: &custom_checkers };
    let mistakes = reading.read(&text.to_string()).map(drop);
    let told = |it: &Mistake| match it.setting.strip_prefix(around).unwrap_or(&it.setting) {
        "" => it.what.clone(),
        setting => format!("{setting}: {}", it.what),
    };
    mistakes.map_err(|mistakes| mistakes.items.iter().map(told).collect())
}
