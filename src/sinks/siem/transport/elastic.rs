//! Elasticsearch's bulk interface, into a data stream.

use serde_json::{Value, json};

use super::super::Message;
use super::super::encode::timestamp;
use super::http::{Form, address, word};
use crate::config::{Siem, SiemFormat, UpstreamUrl};
use crate::sinks::{Failure, Hope};

/// The data stream where none is named.
const INDEX: &str = "logs-airiskguard.audit-default";

pub(super) struct Elastic {
    address: String,
    format: SiemFormat,
}

impl Elastic {
    pub(super) fn new(siem: &Siem, url: &UpstreamUrl) -> Self {
        let index = siem.index.as_deref().unwrap_or(INDEX);
        // Of each item only what is looked at.
        let path = format!("/{index}/_bulk?filter_path=errors,items.*.status,items.*.error.type");
        Elastic { address: address(url, &path), format: siem.format }
    }
}

impl Elastic {
    /// A data stream takes no document without a time of its own.
    fn document(&self, message: &Message) -> String {
        match (self.format, message.text.strip_prefix('{')) {
            (SiemFormat::Ecs, _) | (_, None) => message.text.clone(),
            (_, Some(rest)) => format!("{{\"@timestamp\":\"{}\",{rest}", timestamp(message.written_ms)),
        }
    }
}

impl Form for Elastic {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn kind(&self) -> (&'static str, &'static str) {
        ("application/x-ndjson", "ApiKey")
    }

    /// The id makes a repetition a conflict, and a conflict counts as done.
    fn body(&self, messages: &[Message]) -> String {
        let item = |it: &Message| {
            let create = json!({"create": {"_id": format!("{}-{}", it.gateway, it.sequence)}});
            format!("{create}\n{}\n", self.document(it))
        };
        messages.iter().map(item).collect()
    }

    fn accepted(&self, answer: &[u8]) -> Result<(), Failure> {
        let answer: Value =
            serde_json::from_slice(answer).map_err(|_| Failure::later("the answer is none of a bulk request"))?;
        match &answer["errors"] {
            Value::Bool(false) => return Ok(()),
            Value::Bool(true) => {}
            _ => return Err(Failure::later("the answer is none of a bulk request")),
        }
        let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        match items.iter().map(item).enumerate().find_map(|(done, it)| it.err().map(|failure| failure.after(done))) {
            Some(failure) => Err(failure),
            None if items.is_empty() => Err(Failure::later("the answer tells of errors, but not where")),
            None => Ok(()),
        }
    }
}

/// What became of one document. The reason of an error may repeat the document; its type does not.
fn item(item: &Value) -> Result<(), Failure> {
    let result = &item["create"];
    let kind = word(result["error"]["type"].as_str().unwrap_or_default());
    let (hope, status) = match result["status"].as_u64() {
        Some(200..=299 | 409) => return Ok(()),
        Some(status @ 400) => (Hope::Never, status),
        Some(status) => (Hope::Later, status),
        None => (Hope::Later, 0),
    };
    Err(Failure { done: 0, hope, what: format!("the document is refused with status {status} {kind}") })
}
