//! OpenAI: Chat Completions, Responses, legacy Completions, Embeddings.

mod chat;
mod chat_ending;
#[cfg(test)]
mod chat_tests;
mod item;
mod leaf;
mod refusal;
mod responses;
mod responses_ending;
#[cfg(test)]
mod responses_tests;

use super::{Completion, Endpoint, Leaf, Provider, Refusal, Route, Scope, segments};
use crate::config::Dialect;
use crate::wire::json::Path;

pub(super) use refusal::{body, filter_body};

/// The dialect of `/v1/chat/completions` and `/v1/responses`.
pub(super) struct OpenAi;

impl Provider for OpenAi {
    fn dialect(&self) -> Dialect {
        Dialect::OpenAi
    }

    fn route(&self, method: &str, path: &str) -> Option<Route> {
        let parts = segments::parse(path)?;
        let parts = segments::without_version(&parts);
        let endpoint = endpoint(method, parts)?;
        Some(Route { endpoint, path: format!("/v1/{}", parts.join("/")), model: None })
    }

    fn credential(&self, key: &str) -> (&'static str, String) {
        ("authorization", format!("Bearer {key}"))
    }

    fn leaf(&self, path: &Path, scopes: &[Scope]) -> Leaf {
        leaf::classify(path.steps(), scopes)
    }

    fn refusal(&self, refusal: &Refusal) -> Vec<u8> {
        body(refusal)
    }

    fn completion(&self, endpoint: Endpoint) -> Box<dyn Completion> {
        match endpoint {
            Endpoint::Responses => Box::new(responses::ResponseEvents::default()),
            Endpoint::Completions => Box::new(chat::ChatEvents::legacy()),
            _ => Box::new(chat::ChatEvents::default()),
        }
    }
}

/// What the parts behind `/v1` are for.
pub(super) fn endpoint(method: &str, parts: &[&str]) -> Option<Endpoint> {
    match (method, parts) {
        ("POST", ["chat", "completions"]) => Some(Endpoint::ChatCompletions),
        ("GET" | "DELETE", ["chat", "completions", _id]) => Some(Endpoint::ChatCompletions),
        ("POST", ["completions"]) => Some(Endpoint::Completions),
        ("POST", ["embeddings"]) => Some(Endpoint::Embeddings),
        ("POST", ["responses"] | ["responses", "compact" | "input_tokens"]) => Some(Endpoint::Responses),
        ("GET" | "DELETE", ["responses", _id]) => Some(Endpoint::Responses),
        ("POST", ["responses", _id, "cancel"]) => Some(Endpoint::Responses),
        ("GET", ["responses", _id, "input_items"]) => Some(Endpoint::Responses),
        ("GET", ["models"] | ["models", _]) => Some(Endpoint::Models),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, path: &str, expected: Option<(Endpoint, &str)>) {
        let route = OpenAi.route(method, path);
        let expected = expected.map(|(endpoint, path)| Route { endpoint, path: path.to_owned(), model: None });
        assert_eq!(route, expected, "{method} {path}");
    }

    #[test]
    fn a_path_names_the_answer_that_is_kept() {
        let kept = |method, path| OpenAi.route(method, path).unwrap().kept_answer().map(String::from);
        assert_eq!(kept("GET", "/v1/responses/resp_1").as_deref(), Some("resp_1"));
        assert_eq!(kept("POST", "/v1/responses/resp_1/cancel").as_deref(), Some("resp_1"));
        assert_eq!(kept("GET", "/v1/chat/completions/chatcmpl_1").as_deref(), Some("chatcmpl_1"));
        for path in ["/v1/responses", "/v1/responses/compact", "/v1/chat/completions", "/v1/completions"] {
            assert_eq!(kept("POST", path), None, "{path}");
        }
    }

    #[test]
    fn routes() {
        let chat = Some((Endpoint::ChatCompletions, "/v1/chat/completions"));
        for path in ["/v1/chat/completions", "/chat/completions", "/v1/v1/chat/completions", "/chat/completions/"] {
            check("POST", path, chat);
        }
        check("GET", "/v1/chat/completions/c1", Some((Endpoint::ChatCompletions, "/v1/chat/completions/c1")));
        check("POST", "/completions", Some((Endpoint::Completions, "/v1/completions")));
        check("POST", "/v1/embeddings", Some((Endpoint::Embeddings, "/v1/embeddings")));
        check("POST", "/responses", Some((Endpoint::Responses, "/v1/responses")));
        check("POST", "/v1/responses/compact", Some((Endpoint::Responses, "/v1/responses/compact")));
        check("POST", "/v1/responses/input_tokens", Some((Endpoint::Responses, "/v1/responses/input_tokens")));
        check("GET", "/v1/responses/r1", Some((Endpoint::Responses, "/v1/responses/r1")));
        check("DELETE", "/v1/responses/r1", Some((Endpoint::Responses, "/v1/responses/r1")));
        check("POST", "/v1/responses/r1/cancel", Some((Endpoint::Responses, "/v1/responses/r1/cancel")));
        check("GET", "/v1/responses/r1/input_items", Some((Endpoint::Responses, "/v1/responses/r1/input_items")));
        check("GET", "/v1/models", Some((Endpoint::Models, "/v1/models")));
        check("GET", "/models/ft%3Agpt", Some((Endpoint::Models, "/v1/models/ft%3Agpt")));
    }

    #[test]
    fn other_paths_have_no_route() {
        for path in ["/v1/files", "/v1/responses/../files", "/v1/responses/a%2Fcancel", "/v1/chat//completions", "/"] {
            check("POST", path, None);
            check("GET", path, None);
        }
        check("POST", "/v1/responses/r1", None);
        check("GET", "/v1/chat/completions", None);
        check("post", "/v1/chat/completions", None);
    }

    #[test]
    fn credential_header() {
        assert_eq!(OpenAi.credential("k"), ("authorization", "Bearer k".to_owned()));
    }
}
