//! Anthropic Messages.

mod completion;
mod ending;
mod leaf;
mod refusal;
#[cfg(test)]
mod stream_tests;

use super::{Completion, Endpoint, Leaf, Provider, Refusal, Route, Scope, segments};
use crate::config::Dialect;
use crate::wire::json::Path;

/// The dialect of `/v1/messages`.
pub(super) struct Anthropic;

impl Provider for Anthropic {
    fn dialect(&self) -> Dialect {
        Dialect::Anthropic
    }

    fn route(&self, method: &str, path: &str) -> Option<Route> {
        let parts = segments::parse(path)?;
        let parts = segments::without_version(&parts);
        let endpoint = match (method, parts) {
            ("POST", ["messages"]) => Endpoint::Messages,
            ("POST", ["messages", "count_tokens"]) => Endpoint::CountTokens,
            ("POST" | "GET", ["messages", "batches"]) => Endpoint::Batches,
            ("GET" | "DELETE", ["messages", "batches", _id]) => Endpoint::Batches,
            ("POST", ["messages", "batches", _id, "cancel"]) => Endpoint::Batches,
            ("GET", ["messages", "batches", _id, "results"]) => Endpoint::Batches,
            ("GET", ["models"] | ["models", _]) => Endpoint::Models,
            _ => return None,
        };
        Some(Route { endpoint, path: format!("/v1/{}", parts.join("/")), model: None })
    }

    fn credential(&self, key: &str) -> (&'static str, String) {
        ("x-api-key", key.to_owned())
    }

    fn leaf(&self, path: &Path, scopes: &[Scope]) -> Leaf {
        leaf::classify(path.steps(), scopes)
    }

    fn refusal(&self, refusal: &Refusal) -> Vec<u8> {
        refusal::body(refusal)
    }

    fn completion(&self, _endpoint: Endpoint) -> Box<dyn Completion> {
        Box::new(completion::MessageEvents::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, path: &str, expected: Option<(Endpoint, &str)>) {
        let route = Anthropic.route(method, path);
        let expected = expected.map(|(endpoint, path)| Route { endpoint, path: path.to_owned(), model: None });
        assert_eq!(route, expected, "{method} {path}");
    }

    #[test]
    fn routes() {
        let messages = Some((Endpoint::Messages, "/v1/messages"));
        for path in ["/v1/messages", "/messages", "/v1/v1/messages", "/v1/messages/"] {
            check("POST", path, messages);
        }
        check("GET", "/v1/messages", None);
        check("POST", "/v1/messages/count_tokens", Some((Endpoint::CountTokens, "/v1/messages/count_tokens")));
        check("POST", "/v1/messages/batches", Some((Endpoint::Batches, "/v1/messages/batches")));
        check("GET", "/messages/batches", Some((Endpoint::Batches, "/v1/messages/batches")));
        check("GET", "/v1/messages/batches/b1", Some((Endpoint::Batches, "/v1/messages/batches/b1")));
        check("DELETE", "/v1/messages/batches/b1", Some((Endpoint::Batches, "/v1/messages/batches/b1")));
        check("POST", "/v1/messages/batches/b1/cancel", Some((Endpoint::Batches, "/v1/messages/batches/b1/cancel")));
        check("GET", "/v1/messages/batches/b1/results", Some((Endpoint::Batches, "/v1/messages/batches/b1/results")));
        check("GET", "/v1/models", Some((Endpoint::Models, "/v1/models")));
        check("GET", "/v1/models/claude-x", Some((Endpoint::Models, "/v1/models/claude-x")));
    }

    #[test]
    fn hostile_paths_have_no_route() {
        for path in ["/v1/messages/batches/..", "/v1/messages/batches/%2e%2e", "/v1/messages/batches/a%2fcancel"] {
            check("GET", path, None);
            check("POST", path, None);
        }
        check("POST", "/v1/messages/batches/b1/delete", None);
        check("POST", "/v1//messages", None);
        check("POST", "/v1/files", None);
        check("POST", "/v1", None);
    }

    #[test]
    fn credential_header() {
        assert_eq!(Anthropic.credential("k"), ("x-api-key", "k".to_owned()));
    }
}
