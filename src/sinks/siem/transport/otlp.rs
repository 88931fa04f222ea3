//! OpenTelemetry logs over HTTP, as JSON.

use serde_json::Value;

use super::super::Message;
use super::super::encode::otel;
use super::http::{Form, address};
use crate::config::{Siem, UpstreamUrl};
use crate::sinks::Failure;

pub(super) struct Otlp {
    name: String,
    address: String,
}

impl Otlp {
    pub(super) fn new(siem: &Siem, url: &UpstreamUrl) -> Self {
        Otlp { name: siem.name.clone(), address: address(url, "/v1/logs") }
    }
}

impl Form for Otlp {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn kind(&self) -> (&'static str, &'static str) {
        ("application/json", "Bearer")
    }

    fn body(&self, messages: &[Message]) -> String {
        let records: Vec<&str> = messages.iter().map(|it| it.text.as_str()).collect();
        otel::export(&records)
    }

    /// Partial success must not be repeated, and does not say which records were dropped.
    fn accepted(&self, answer: &[u8]) -> Result<(), Failure> {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let rejected = &answer["partialSuccess"]["rejectedLogRecords"];
        let count = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0);
        if count > 0 {
            tracing::warn!(siem = self.name, count, "the receiver rejected log records of a batch that it took");
        }
        Ok(())
    }
}
