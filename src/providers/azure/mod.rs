//! Azure OpenAI: OpenAI's bodies and streams behind deployment paths and another credential header.

use super::openai::{self, OpenAi};
use super::{Completion, Endpoint, Leaf, Provider, Refusal, Route, Scope, segments};
use crate::config::Dialect;
use crate::wire::json::Path;

/// The dialect of `/openai/deployments/{deployment}/…` and `/openai/v1/…`.
pub(super) struct Azure;

impl Provider for Azure {
    fn dialect(&self) -> Dialect {
        Dialect::Azure
    }

    /// `/openai` in front may be missing: a gateway prefix of that name may have been taken off.
    fn route(&self, method: &str, path: &str) -> Option<Route> {
        let parts = segments::parse(path)?;
        let parts = segments::without_version(&parts);
        let (named, parts) = match parts {
            ["openai", rest @ ..] => (true, rest),
            _ => (false, parts),
        };
        if let ["deployments", deployment, rest @ ..] = parts {
            return deployed(method, deployment, rest);
        }
        if (method, parts) == ("GET", &["deployments"]) {
            return Some(Route { endpoint: Endpoint::Models, path: "/openai/deployments".to_owned(), model: None });
        }
        let unversioned = segments::without_version(parts);
        let endpoint = openai::endpoint(method, unversioned)?;
        // Only these exist without a version in the path, with `api-version` in the query instead.
        let dated = named && unversioned.len() == parts.len() && matches!(parts, ["responses" | "models", ..]);
        let version = if dated { "" } else { "v1/" };
        Some(Route { endpoint, path: format!("/openai/{version}{}", unversioned.join("/")), model: None })
    }

    fn credential(&self, key: &str) -> (&'static str, String) {
        ("api-key", key.to_owned())
    }

    fn leaf(&self, path: &Path, scopes: &[Scope]) -> Leaf {
        OpenAi.leaf(path, scopes)
    }

    fn refusal(&self, refusal: &Refusal) -> Vec<u8> {
        openai::filter_body(refusal)
    }

    fn completion(&self, endpoint: Endpoint) -> Box<dyn Completion> {
        OpenAi.completion(endpoint)
    }
}

fn deployed(method: &str, deployment: &str, rest: &[&str]) -> Option<Route> {
    let endpoint = match (method, rest) {
        ("POST", ["chat", "completions"] | ["completions"] | ["embeddings"] | ["responses"]) => {
            openai::endpoint(method, rest)?
        }
        _ => return None,
    };
    let path = format!("/openai/deployments/{deployment}/{}", rest.join("/"));
    Some(Route { endpoint, path, model: Some(segments::decoded(deployment)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, path: &str, expected: Option<(Endpoint, &str, Option<&str>)>) {
        let route = Azure.route(method, path);
        let expected = expected.map(|(endpoint, path, model)| Route {
            endpoint,
            path: path.to_owned(),
            model: model.map(str::to_owned),
        });
        assert_eq!(route, expected, "{method} {path}");
    }

    #[test]
    fn deployments() {
        let chat = "/openai/deployments/gpt-4.1/chat/completions";
        check("POST", chat, Some((Endpoint::ChatCompletions, chat, Some("gpt-4.1"))));
        check(
            "POST",
            "/deployments/gpt-4.1/chat/completions/",
            Some((Endpoint::ChatCompletions, chat, Some("gpt-4.1"))),
        );
        let embeddings = "/openai/deployments/my%20model/embeddings";
        check("POST", embeddings, Some((Endpoint::Embeddings, embeddings, Some("my model"))));
        check("GET", "/openai/deployments", Some((Endpoint::Models, "/openai/deployments", None)));
        check("GET", chat, None);
        check("POST", "/openai/deployments/gpt/models", None);
        check("POST", "/openai/deployments/../chat/completions", None);
        check("POST", "/openai/deployments/a%2fb/chat/completions", None);
        check("POST", "/openai/deployments//chat/completions", None);
    }

    #[test]
    fn versions() {
        check("POST", "/openai/v1/responses", Some((Endpoint::Responses, "/openai/v1/responses", None)));
        check("POST", "/v1/responses", Some((Endpoint::Responses, "/openai/v1/responses", None)));
        check("POST", "/openai/responses", Some((Endpoint::Responses, "/openai/responses", None)));
        check("POST", "/responses", Some((Endpoint::Responses, "/openai/v1/responses", None)));
        check("GET", "/openai/models", Some((Endpoint::Models, "/openai/models", None)));
        check(
            "POST",
            "/openai/v1/v1/chat/completions",
            Some((Endpoint::ChatCompletions, "/openai/v1/chat/completions", None)),
        );
        check(
            "POST",
            "/openai/chat/completions",
            Some((Endpoint::ChatCompletions, "/openai/v1/chat/completions", None)),
        );
        check("POST", "/openai/files", None);
    }

    #[test]
    fn credential_header() {
        assert_eq!(Azure.credential("k"), ("api-key", "k".to_owned()));
    }
}
