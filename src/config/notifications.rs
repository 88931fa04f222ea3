//! `notifications:` who is told of what was stopped: the options, and how they are read.

use std::time::Duration;

use super::keys;
use super::mistake::Mistake;
use super::node::Value;
use super::reader::{Field, Reader, Section};
use super::smtp::{self, Smtp};
use super::units;
use crate::domain::{Risk, Secret};

/// Recipients of e-mail.
const RECIPIENTS_MAX: usize = 50;
/// Fewer characters than this can be guessed.
const SECRET_CHARS_MIN: usize = 16;
/// Where PagerDuty takes events, unless `url:` says otherwise.
const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";
const WEBHOOK: &str = "the address of a webhook: `https://host/path`";
const RISKS: [(&str, Risk); 4] =
    [("low", Risk::Low), ("medium", Risk::Medium), ("high", Risk::High), ("critical", Risk::Critical)];

/// Who is told of what was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notifications {
    /// `slack:` an incoming webhook.
    pub slack: Option<Slack>,
    /// `webhook:` any receiver of JSON.
    pub webhook: Option<Webhook>,
    /// `pagerduty:` or `pagerduty_key:` Events v2.
    pub pagerduty: Option<PagerDuty>,
    /// `email:` over SMTP.
    pub email: Option<Email>,
    /// `deduplicate_for:` how long repeats of an alert are only counted; zero for never. Default 1 h.
    pub deduplicate_for: Duration,
    /// `dead_letter_after:` how long a receiver that is away is tried for. Default 7 days.
    pub dead_letter_after: Duration,
    /// `dashboard_url:` what links in alerts begin with; no links without.
    pub dashboard_url: Option<String>,
    /// `proxy:` the HTTP proxy to reach receivers through; none by default, whatever the environment says.
    pub proxy: Option<Secret>,
}

/// What is sent to one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// `minimum_risk:` less is no alert. Default high for PagerDuty, medium for others.
    pub minimum_risk: Risk,
    /// `refusals:` also refusals without findings: models that are not allowed, unknown keys. Default false.
    pub refusals: bool,
    /// `rate_per_minute:` messages; what is more is summed up in one. Default 60.
    pub rate_per_minute: u32,
}

/// An incoming webhook of Slack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slack {
    /// `url:` the address, which is the credential.
    pub url: Secret,
    /// What is sent there.
    pub channel: Channel,
}

/// A receiver of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// `url:` the address.
    pub url: Secret,
    /// `secret:` what bodies are signed with; unsigned without.
    pub secret: Option<Secret>,
    /// What is sent there.
    pub channel: Channel,
}

/// A service of PagerDuty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagerDuty {
    /// `key:` the routing key.
    pub key: Secret,
    /// `url:` where events go. Default the service of the US region.
    pub url: Secret,
    /// What is sent there.
    pub channel: Channel,
}

/// Mail to a few people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// `smtp:` the server and the account there.
    pub smtp: Smtp,
    /// `from:` the sender.
    pub from: String,
    /// `to:` the recipients, at least one.
    pub to: Vec<String>,
    /// What is sent there.
    pub channel: Channel,
}

impl Default for Notifications {
    fn default() -> Self {
        Notifications {
            slack: None,
            webhook: None,
            pagerduty: None,
            email: None,
            deduplicate_for: Duration::from_secs(3600),
            dead_letter_after: Duration::from_secs(7 * 24 * 3600),
            dashboard_url: None,
            proxy: None,
        }
    }
}

impl Notifications {
    /// The channels that are configured, with their names for people and for settings.
    pub fn channels(&self) -> impl Iterator<Item = (&'static str, &'static str, Channel)> {
        let all = [
            ("Slack", "slack", self.slack.as_ref().map(|it| it.channel)),
            ("a webhook", "webhook", self.webhook.as_ref().map(|it| it.channel)),
            ("PagerDuty", "pagerduty", self.pagerduty.as_ref().map(|it| it.channel)),
            ("e-mail", "email", self.email.as_ref().map(|it| it.channel)),
        ];
        all.into_iter().filter_map(|(shown, name, channel)| Some((shown, name, channel?)))
    }
}

pub(super) fn read(reader: &mut Reader<'_>, top: &Section<'_>) -> Notifications {
    const HOUR: Duration = Duration::from_secs(3600);
    let mut read = Notifications::default();
    let Some(field) = top.find("notifications") else { return read };
    let Some(section) = reader.section(field, keys::NOTIFICATIONS) else { return read };
    read.slack = section.find("slack").and_then(|it| slack(reader, it));
    read.webhook = section.find("webhook").and_then(|it| webhook(reader, it));
    read.pagerduty = pagerduty(reader, &section);
    read.email = section.find("email").and_then(|it| email(reader, it));
    let times = [
        ("deduplicate_for", &mut read.deduplicate_for, Duration::ZERO..=HOUR * 24 * 7),
        ("dead_letter_after", &mut read.dead_letter_after, HOUR / 60..=HOUR * 24 * 90),
    ];
    for (key, time, range) in times {
        if let Some(value) = section.find(key).and_then(|it| reader.duration(it, range)) {
            *time = value;
        }
    }
    read.dashboard_url = section.find("dashboard_url").and_then(|it| dashboard(reader, it));
    read.proxy = section.find("proxy").and_then(|it| proxy(reader, it));
    read
}

fn slack(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Slack> {
    let (url, section) = long_or_short(reader, field, keys::SLACK)?;
    let channel = channel(reader, section.as_ref(), Risk::Medium);
    Some(Slack { url: url?, channel })
}

fn webhook(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Webhook> {
    let (url, section) = long_or_short(reader, field, keys::WEBHOOK)?;
    let secret = section.as_ref().and_then(|it| it.find("secret")).and_then(|it| {
        let secret = reader.secret(it)?;
        if secret.expose().len() < SECRET_CHARS_MIN {
            let expected = format!("at least {SECRET_CHARS_MIN} characters, made by a random generator");
            reader.reject(it, "this secret can be guessed", &expected);
        }
        Some(secret)
    });
    let channel = channel(reader, section.as_ref(), Risk::Medium);
    Some(Webhook { url: url?, secret, channel })
}

/// The address in short form, or in the key `url` of the long form, which is then returned beside it.
fn long_or_short<'n>(
    reader: &mut Reader<'_>,
    field: &Field<'n>,
    known: &[&str],
) -> Option<(Option<Secret>, Option<Section<'n>>)> {
    if !matches!(field.node.value, Value::Mapping(_)) {
        return Some((address(reader, field), None));
    }
    let section = reader.section(field, known)?;
    let url = required(reader, field, &section, "url", WEBHOOK).and_then(|it| address(reader, it));
    Some((url, Some(section)))
}

fn pagerduty(reader: &mut Reader<'_>, top: &Section<'_>) -> Option<PagerDuty> {
    const KEY: &str = "the routing key of a service, here or in `pagerduty_key`";
    let short = top.find("pagerduty_key");
    let long = top.find("pagerduty");
    let section = long.and_then(|it| reader.section(it, keys::PAGERDUTY));
    let key = match (short, section.as_ref().and_then(|it| it.find("key"))) {
        (Some(_), Some(field)) => {
            reader.reject(field, "`pagerduty_key` stands beside it", "one of them");
            None
        }
        (Some(field), None) | (None, Some(field)) => reader.secret(field),
        (None, None) => {
            if let (Some(field), Some(_)) = (long, &section) {
                reader.reject(field, "`key` is missing", KEY);
            }
            None
        }
    };
    let url = match section.as_ref().and_then(|it| it.find("url")) {
        Some(field) => address(reader, field),
        None => Some(Secret::new(PAGERDUTY_URL.to_owned())),
    };
    let channel = channel(reader, section.as_ref(), Risk::High);
    Some(PagerDuty { key: key?, url: url?, channel })
}

fn email(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Email> {
    let section = reader.section(field, keys::EMAIL)?;
    let smtp = required(reader, field, &section, "smtp", smtp::EXPECTED).and_then(|it| server(reader, it));
    let from = required(reader, field, &section, "from", smtp::MAILBOX).and_then(|it| mailbox(reader, it));
    let to = required(reader, field, &section, "to", "a list of addresses").and_then(|it| recipients(reader, it));
    let channel = channel(reader, Some(&section), Risk::Medium);
    Some(Email { smtp: smtp?, from: from?, to: to?, channel })
}

fn required<'s, 'n>(
    reader: &mut Reader<'_>,
    field: &Field<'n>,
    section: &'s Section<'n>,
    key: &str,
    expected: &str,
) -> Option<&'s Field<'n>> {
    let found = section.find(key);
    if found.is_none() {
        reader.reject(field, format!("`{key}` is missing"), expected);
    }
    found
}

fn channel(reader: &mut Reader<'_>, section: Option<&Section<'_>>, minimum_risk: Risk) -> Channel {
    let mut channel = Channel { minimum_risk, refusals: false, rate_per_minute: 60 };
    let Some(section) = section else { return channel };
    if let Some(risk) = section.find("minimum_risk").and_then(|it| reader.choice(it, &RISKS)) {
        channel.minimum_risk = risk;
    }
    if let Some(flag) = section.find("refusals").and_then(|it| reader.flag(it)) {
        channel.refusals = flag;
    }
    if let Some(rate) = section.find("rate_per_minute").and_then(|it| reader.integer(it, 1..=6000)) {
        channel.rate_per_minute = u32::try_from(rate).unwrap_or(channel.rate_per_minute);
    }
    channel
}

/// An address that may itself be the credential.
fn address(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Secret> {
    let secret = reader.secret(field)?;
    // Path and query of these addresses are free, and often the secret itself.
    let bare = secret.expose().split(['?', '#']).next().unwrap_or_default();
    let origin: String = bare.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    match units::url(&origin) {
        Ok(url) if url.tls || units::loopback(&url.host) => {}
        Ok(_) => reader.warn(field, "this address is reached without TLS", "use `https://`"),
        Err(reason) => {
            reader.reject(field, reason, WEBHOOK);
            return None;
        }
    }
    Some(secret)
}

fn dashboard(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    const EXPECTED: &str = "the address of the dashboard: `https://host/path`";
    let text = reader.text(field)?;
    if text.contains(['?', '#']) {
        reader.reject(field, "links begin with this address: it has no query and no fragment", EXPECTED);
        return None;
    }
    match units::url(&text) {
        Ok(url) => Some(url.to_string()),
        Err(reason) => {
            reader.reject(field, reason, EXPECTED);
            None
        }
    }
}

/// Between the scheme and the host there may stand a user and a password.
fn proxy(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Secret> {
    let secret = reader.secret(field)?;
    let bare = match secret.expose().split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host)),
        None => secret.expose().to_owned(),
    };
    if let Err(reason) = units::url(&bare) {
        reader.reject(field, reason, "the address of an HTTP proxy: `http://host:3128`");
        return None;
    }
    Some(secret)
}

fn server(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Smtp> {
    let secret = reader.secret(field)?;
    match smtp::read(secret.expose()) {
        Ok(server) => {
            if server.tls == smtp::SmtpTls::Off && !units::loopback(&server.host) {
                reader.warn(field, "alerts and the password go to this server in clear", "leave `?tls=off` out");
            }
            Some(server)
        }
        Err(reason) => {
            reader.reject(field, reason, smtp::EXPECTED);
            None
        }
    }
}

fn recipients(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Vec<String>> {
    let items = reader.list(field)?;
    if items.is_empty() || items.len() > RECIPIENTS_MAX {
        let what = format!("there are {} recipients here", items.len());
        reader.mistakes.push(
            Mistake::new(&field.path, Some(field.node.span), what)
                .expected(format!("from 1 to {RECIPIENTS_MAX} addresses")),
        );
        return None;
    }
    let read: Vec<Option<String>> = items.iter().map(|it| mailbox(reader, it)).collect();
    read.into_iter().collect()
}

fn mailbox(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    if smtp::mailbox(&text) {
        return Some(text);
    }
    reader.reject(field, "this is no address of e-mail", smtp::MAILBOX);
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{File, Reference, SmtpTls};

    #[track_caller]
    fn notifications(text: &str) -> Notifications {
        let resolve = |_: &Reference| Err("nothing is there".to_owned());
        let text = format!("upstream: {{anthropic: 'http://127.0.0.1:1'}}\nnotifications:\n{text}");
        File::parse(&text, "gateway.yaml", &resolve).unwrap_or_else(|it| panic!("{it}")).notifications
    }

    #[test]
    fn short_forms_have_the_defaults() {
        let read =
            notifications("  slack: https://a.example/x\n  webhook: https://b.example/y?z=1\n  pagerduty_key: k\n");
        let channel = Channel { minimum_risk: Risk::Medium, refusals: false, rate_per_minute: 60 };
        let (slack, webhook, pagerduty) = (read.slack.unwrap(), read.webhook.unwrap(), read.pagerduty.unwrap());
        assert_eq!((slack.url.expose(), slack.channel), ("https://a.example/x", channel));
        assert_eq!((webhook.url.expose(), webhook.channel), ("https://b.example/y?z=1", channel));
        assert!(
            webhook.secret.is_none() && read.email.is_none() && read.proxy.is_none() && read.dashboard_url.is_none()
        );
        assert_eq!((pagerduty.key.expose(), pagerduty.url.expose()), ("k", PAGERDUTY_URL));
        assert_eq!(pagerduty.channel, Channel { minimum_risk: Risk::High, ..channel });
        let times = [read.deduplicate_for, read.dead_letter_after].map(|it| it.as_secs());
        assert_eq!(times, [3600, 7 * 24 * 3600]);
    }

    #[test]
    fn long_forms_read_every_option() {
        let read = notifications(
            "  slack: {url: 'https://a.example/x', minimum_risk: low, refusals: true, rate_per_minute: 1}
  webhook: {url: 'https://b.example', secret: sixteen-characters, minimum_risk: critical}
  pagerduty: {key: k, url: 'https://eu.example/enqueue', minimum_risk: medium}
  email: {smtp: 'smtps://a%40b:p%3aw@mail.example', from: 'A <a@b.example>', to: [c@d.example, e@f.example],
    refusals: true}
  deduplicate_for: 0s
  dead_letter_after: 2d
  dashboard_url: https://dash.example:8443/x/
  proxy: http://user:word@proxy.example:3128
",
        );
        let slack = read.slack.unwrap().channel;
        assert_eq!(slack, Channel { minimum_risk: Risk::Low, refusals: true, rate_per_minute: 1 });
        let webhook = read.webhook.unwrap();
        assert_eq!(webhook.secret.unwrap().expose(), "sixteen-characters");
        assert_eq!(webhook.channel.minimum_risk, Risk::Critical);
        let pagerduty = read.pagerduty.unwrap();
        assert_eq!((pagerduty.key.expose(), pagerduty.url.expose()), ("k", "https://eu.example/enqueue"));
        assert_eq!(pagerduty.channel.minimum_risk, Risk::Medium);
        let email = read.email.unwrap();
        let account = Some((Secret::new("a@b".to_owned()), Secret::new("p:w".to_owned())));
        let server = Smtp { tls: SmtpTls::Wrapped, host: "mail.example".to_owned(), port: 465, account };
        assert_eq!((email.smtp, email.from.as_str(), email.to.len()), (server, "A <a@b.example>", 2));
        assert!(email.channel.refusals && read.deduplicate_for.is_zero());
        assert_eq!(read.dead_letter_after.as_secs(), 2 * 24 * 3600);
        assert_eq!(read.dashboard_url.as_deref(), Some("https://dash.example:8443/x"));
        assert_eq!(read.proxy.unwrap().expose(), "http://user:word@proxy.example:3128");
    }

    #[test]
    fn mail_servers_and_mailboxes_read() {
        let read = |text: &str| smtp::read(text).map(|it| (it.tls, it.host, it.port, it.account.is_some()));
        assert_eq!(read("smtp://mail.example"), Ok((SmtpTls::Started, "mail.example".to_owned(), 587, false)));
        assert_eq!(read("smtp://[::1]:25/?tls=off"), Ok((SmtpTls::Off, "::1".to_owned(), 25, false)));
        assert_eq!(read("smtps://u:p@h:1"), Ok((SmtpTls::Wrapped, "h".to_owned(), 1, true)));
        for wrong in ["h", "http://h", "smtp://", "smtp://u@h", "smtp://u:%zz@h", "smtp://h/x", "smtps://h?tls=off"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        for right in ["a@b.example", "Ä B <a.b+c@d-e.example>"] {
            assert!(smtp::mailbox(right), "{right}");
        }
        for wrong in ["a", "@b", "a@", "a@b, c@d", "A <a@b", "a@b\r\nBcc: c@d", "a b@c", "a@b@c", "A <a@b> x"] {
            assert!(!smtp::mailbox(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_holds_is_told_without_secrets() {
        let resolve = |_: &Reference| Err("nothing is there".to_owned());
        let text = "upstream: {anthropic: 'http://127.0.0.1:1'}
notifications:
  webhook: {url: 'https://unseen.example/unseen', secret: unseen-sixteen-characters, minimum_risk: low, refusals: true}
  email: {smtp: 'smtp://unseen:unseen@mail.example', from: a@b.example, to: [c@d.example], rate_per_minute: 7}
  deduplicate_for: 0s
  proxy: http://unseen.example:1
";
        let file = File::parse(text, "gateway.yaml", &resolve).unwrap_or_else(|it| panic!("{it}"));
        let (line, said) = (file.effective(), crate::config::explain(&file));
        assert!(!line.contains("unseen") && !said.contains("unseen") && !format!("{file:?}").contains("unseen"));
        for part in [
            " notifications.webhook=***(low,refusals=true,60/min) notifications.email=***(medium,refusals=false,7/min)",
            " notifications.deduplicate_for=0s notifications.dead_letter_after=7d notifications.dashboard_url=none",
            " notifications.proxy=***",
        ] {
            assert!(line.contains(part), "{part}\n{line}");
        }
        for part in [
            "  blocks are announced to a webhook, e-mail\n    a webhook: risk low or more, and refusals without findings, 60",
            "    e-mail: risk medium or more, 7 messages a minute\n  repeats are announced each time",
        ] {
            assert!(said.contains(part), "{part}\n{said}");
        }
    }
}
