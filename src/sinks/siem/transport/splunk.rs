//! Splunk's HTTP Event Collector.

use serde_json::{Value, json};

use super::super::Message;
use super::http::{Form, address};
use crate::config::{Siem, SiemFormat, UpstreamUrl};
use crate::sinks::Failure;

pub(super) struct Splunk {
    address: String,
    index: Option<String>,
    format: SiemFormat,
}

impl Splunk {
    pub(super) fn new(siem: &Siem, url: &UpstreamUrl) -> Self {
        let address = address(url, "/services/collector/event");
        Splunk { address, index: siem.index.clone(), format: siem.format }
    }

    fn event(&self, message: &Message) -> String {
        let seconds = format!("{}.{:03}", message.written_ms / 1000, message.written_ms % 1000);
        let mut event = json!({
            "time": seconds,
            "host": &*message.gateway,
            "source": "airiskguard-gateway",
            "sourcetype": format!("airiskguard:{}", self.format.name()),
        });
        if let Some(index) = &self.index {
            event["index"] = index.as_str().into();
        }
        // What is JSON stays JSON, so that its fields can be searched; anything else is a text.
        let text = match self.format {
            SiemFormat::Cef | SiemFormat::Leef => Value::from(message.text.as_str()).to_string(),
            _ => message.text.clone(),
        };
        let mut event = event.to_string();
        event.pop();
        event + ",\"event\":" + &text + "}"
    }
}

impl Form for Splunk {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn kind(&self) -> (&'static str, &'static str) {
        ("application/json", "Splunk")
    }

    fn body(&self, messages: &[Message]) -> String {
        messages.iter().map(|it| self.event(it)).collect()
    }

    fn accepted(&self, answer: &[u8]) -> Result<(), Failure> {
        match code(answer) {
            Some(0) => Ok(()),
            Some(code) => Err(Failure::later(format!("taken with code {code} instead of 0"))),
            None => Err(Failure::later("the answer is none of an event collector")),
        }
    }

    fn refused(&self, status: u16, answer: &[u8]) -> Option<Failure> {
        Some(match (status, code(answer)?) {
            (_, code @ 1..=4) => Failure::later(format!("the token is not accepted (code {code}): see `token`")),
            (_, 7) => Failure::later("the token may not write to this index (code 7): see `index`"),
            (_, 9) => Failure::later("the collector is busy (code 9)"),
            (_, code @ (10 | 11 | 14)) => {
                Failure::later(format!("the token asks for acknowledgements, which are not used here (code {code})"))
            }
            (400, code) => Failure::never(format!("the event is refused (code {code})")),
            (status, code) => Failure::later(format!("status {status} (code {code})")),
        })
    }
}

fn code(answer: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Value>(answer).ok()?.get("code")?.as_u64()
}
