//! JSON posted to any address: as lines, or as one array.

use super::super::Message;
use super::http::Form;
use crate::config::{Siem, SiemFraming, UpstreamUrl};
use crate::domain::Secret;

pub(super) struct Lines {
    address: Secret,
    array: bool,
}

impl Lines {
    pub(super) fn new(siem: &Siem, origin: &UpstreamUrl, path: &Secret) -> Self {
        let address = Secret::new(format!("{origin}{}", path.expose()));
        Lines { address, array: siem.framing == SiemFraming::Array }
    }
}

impl Form for Lines {
    fn address(&self) -> String {
        self.address.expose().to_owned()
    }

    fn kind(&self) -> (&'static str, &'static str) {
        (if self.array { "application/json" } else { "application/x-ndjson" }, "Bearer")
    }

    fn body(&self, messages: &[Message]) -> String {
        let texts: Vec<&str> = messages.iter().map(|it| it.text.as_str()).collect();
        match self.array {
            true => format!("[{}]", texts.join(",")),
            false => texts.join("\n") + "\n",
        }
    }
}
