//! Alerts: people are told of what was stopped. Each channel reads the audit log by itself, behind every request.

mod alert;
mod announcer;
mod carrier;
mod email;
mod pagerduty;
mod rate;
#[cfg(test)]
mod samples;
mod slack;
mod text;
mod webhook;
mod windows;
mod worth;

use crate::config::{Channel, Notifications};
use crate::domain::Risk;

use super::Outlet;

use self::alert::{Alert, Key, Occasion};
use self::announcer::Announcer;
use self::carrier::Carrier;

/// The channels that are configured, as consumers of the audit log. The error names the channel and no secret.
pub fn outlets(notifications: &Notifications) -> Result<Vec<Box<dyn Outlet>>, String> {
    let deduplicate_ms = u64::try_from(notifications.deduplicate_for.as_millis()).unwrap_or(u64::MAX);
    let outlet = |(name, channel, carrier)| -> Box<dyn Outlet> {
        let dashboard = notifications.dashboard_url.as_ref().map(|it| it.trim_end_matches('/').to_owned());
        Box::new(Announcer::new(name, channel, carrier, deduplicate_ms, dashboard))
    };
    Ok(carriers(notifications)?.into_iter().map(outlet).collect())
}

/// What came back from one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The channel: `slack`, `webhook`, `pagerduty`, `email`.
    pub name: &'static str,
    /// Why the alert did not arrive, without secrets.
    pub answer: Result<(), String>,
}

/// Sends one made-up alert through each channel, whatever its minimum risk, one after the other.
pub async fn test(notifications: &Notifications, gateway: &str, now_ms: u64) -> Result<Vec<Tested>, String> {
    let event = format!("test-{now_ms}");
    let key = Key::new(&["test", gateway, &event]);
    let alert = Alert::new(Occasion::Act("alerts.tested".to_owned()), event, key, gateway, now_ms, Risk::High);
    let mut tested = Vec::new();
    for (name, _, carrier) in carriers(notifications)? {
        let answer = carrier.send(&alert, now_ms).await.map_err(|it| it.what);
        tested.push(Tested { name, answer });
    }
    Ok(tested)
}

type Named = (&'static str, Channel, Box<dyn Carrier>);

fn carriers(it: &Notifications) -> Result<Vec<Named>, String> {
    let proxy = it.proxy.as_ref();
    let mut carriers: Vec<Named> = Vec::new();
    if let Some(it) = &it.slack {
        carriers.push(("slack", it.channel, Box::new(named("slack", slack::Slack::new(it, proxy))?)));
    }
    if let Some(it) = &it.webhook {
        carriers.push(("webhook", it.channel, Box::new(named("webhook", webhook::Webhook::new(it, proxy))?)));
    }
    if let Some(it) = &it.pagerduty {
        carriers.push(("pagerduty", it.channel, Box::new(named("pagerduty", pagerduty::PagerDuty::new(it, proxy))?)));
    }
    if let Some(it) = &it.email {
        carriers.push(("email", it.channel, Box::new(named("email", email::Email::new(it))?)));
    }
    Ok(carriers)
}

fn named<T>(name: &str, made: Result<T, String>) -> Result<T, String> {
    made.map_err(|what| format!("notifications.{name}: {what}"))
}
