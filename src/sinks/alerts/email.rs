//! E-mail over SMTP, in plain text. Without TLS nothing is sent, unless the address of the server says so.

use std::error::Error;
use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::config::{self, Smtp, SmtpTls};
use crate::sinks::http::reason;

use super::alert::Alert;
use super::carrier::{Carrier, Refused};
use super::text::{clean, minute, timestamp};

/// For each answer of the server.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// For the whole conversation.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(20);
/// Findings that one message names; how many there are is told.
const FINDINGS_MAX: usize = 20;
const SUBJECT_CHARS_MAX: usize = 150;
const VALUE_CHARS_MAX: usize = 300;

/// A mail server, and who gets mail through it.
pub(super) struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Email {
    pub(super) fn new(it: &config::Email) -> Result<Self, String> {
        let mailbox =
            |text: &String| text.parse::<Mailbox>().map_err(|_| "an address of e-mail cannot be read".to_owned());
        Ok(Email {
            transport: transport(&it.smtp)?,
            from: mailbox(&it.from)?,
            to: it.to.iter().map(mailbox).collect::<Result<_, _>>()?,
        })
    }

    fn message(&self, alert: &Alert) -> Result<Message, Refused> {
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(format!("[airiskguard] {}", clean(&alert.headline(), SUBJECT_CHARS_MAX)))
            .date(UNIX_EPOCH + Duration::from_millis(alert.time_ms))
            // The same over retries, so that a mailbox can drop what came twice.
            .message_id(Some(format!("<{}@{}>", clean(&alert.event, 80).replace(' ', ""), self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            message = message.to(to.clone());
        }
        message.body(body(alert)).map_err(|_| Refused::never("the message cannot be built"))
    }
}

fn transport(smtp: &Smtp) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let parameters = || TlsParameters::new(smtp.host.clone()).map_err(|_| "no TLS for the mail server".to_owned());
    let tls = match smtp.tls {
        SmtpTls::Wrapped => Tls::Wrapper(parameters()?),
        SmtpTls::Started => Tls::Required(parameters()?),
        SmtpTls::Off => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(smtp.host.as_str())
        .port(smtp.port)
        .tls(tls)
        .timeout(Some(STEP_TIMEOUT));
    if let Some((user, password)) = &smtp.account {
        builder = builder.credentials(Credentials::new(user.expose().to_owned(), password.expose().to_owned()));
    }
    Ok(builder.build())
}

#[async_trait]
impl Carrier for Email {
    async fn send(&self, alert: &Alert, _now_ms: u64) -> Result<(), Refused> {
        let message = self.message(alert)?;
        match tokio::time::timeout(TOTAL_TIMEOUT, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(Refused::later("no answer in time")),
        }
    }
}

/// Of what the server said only the number is repeated: its text often holds addresses.
fn refused(error: &lettre::transport::smtp::Error) -> Refused {
    match error.status().map(u16::from) {
        // A password can be set right; the message is not at fault.
        Some(code @ (530 | 534 | 535 | 538)) => Refused::later(format!("the account was refused ({code})")),
        Some(code) if error.is_permanent() => Refused::never(format!("answered {code}")),
        Some(code) => Refused::later(format!("answered {code}")),
        None if error.is_timeout() => Refused::later("no answer in time"),
        None if error.is_tls() => Refused::later("the TLS handshake failed"),
        // Also a server that does not offer STARTTLS.
        None if error.is_client() => Refused::later("the server does not offer what is needed"),
        None if error.is_response() => Refused::later("the answer cannot be read"),
        None => {
            let reason = error.source().and_then(reason).map(|it| format!(": {it}")).unwrap_or_default();
            Refused::later(format!("no connection{reason}"))
        }
    }
}

fn body(alert: &Alert) -> String {
    let mut text = format!("{}\r\n\r\n", clean(&alert.headline(), 1000));
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{:<11} {}\r\n", format!("{name}:"), clean(value, VALUE_CHARS_MAX));
    };
    line("Time", &timestamp(alert.time_ms));
    line("Risk", &alert.severity());
    let named = [
        ("Team", &alert.team),
        ("Model", &alert.model),
        ("Action", &alert.action),
        ("Session", &alert.session),
        ("Request", &alert.request),
        ("Key", &alert.key_id),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            line(name, value);
        }
    }
    if !alert.policies.is_empty() {
        line("Policies", &alert.policies.join(", "));
    }
    if alert.count > 1 {
        let since = alert.since_ms.map(|it| format!(" since {}", minute(it))).unwrap_or_default();
        line("Count", &format!("{}{since}", alert.count));
    }
    line("Gateway", &alert.gateway);
    for (name, value) in &alert.details {
        line(&clean(name, 40), value);
    }
    for it in alert.findings.iter().take(FINDINGS_MAX) {
        let what = format!("{} ({}), {} risk, score {}, {}", it.rule, it.label, it.risk, it.score, it.checker);
        line("Found", &what);
        if !it.place.is_empty() {
            line("  in", &format!("{}, {}", it.direction, it.place));
        }
    }
    if alert.findings.len() > FINDINGS_MAX {
        line("Found", &format!("{} more, see the audit log", alert.findings.len() - FINDINGS_MAX));
    }
    if let Some(link) = &alert.link {
        let _ = write!(text, "\r\n{link}\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn bodies_are_as_written_down() {
        let said: String = samples::all().iter().map(|(name, it)| format!("==== {name}\n{}\n", body(it))).collect();
        let said = said.replace("\r\n", "\n");
        assert_eq!(said, include_str!("../../../tests/alerts/golden/email.txt"), "{said}");
    }

    #[test]
    fn hostile_names_cannot_write_headers() {
        let said = body(&samples::hostile());
        assert!(said.split("\r\n").all(|it| !it.contains(['\r', '\n'])), "{said}");
        assert!(!said.contains("\nBcc:"), "{said}");
    }
}
