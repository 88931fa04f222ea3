//! Which dialect a request without an explicit prefix speaks.

use super::segments;
use crate::config::Dialect;

/// Tells the dialect from the path and, where two vendors share one, from headers and query.
/// `query` comes without its question mark; `has_header` is asked lower-case names.
/// `None`: nothing tells. A dialect does not mean that it has that path: ask its `route`.
///
/// `/openai/deployments/…` is Azure's own path, not the prefix `/openai` of an upstream: it is to be asked here before
/// prefixes are removed (or given to Azure without it, which its `route` understands as well).
pub fn detect(path: &str, query: Option<&str>, has_header: &dyn Fn(&str) -> bool) -> Option<Dialect> {
    let parts = segments::parse(path)?;
    let speaks_azure = || has_header("api-key") || has_query(query, "api-version");
    match segments::without_version(&parts) {
        ["messages", ..] => Some(Dialect::Anthropic),
        ["openai", "deployments", ..] | ["deployments", ..] => Some(Dialect::Azure),
        ["openai", ..] => speaks_azure().then_some(Dialect::Azure),
        _ if has_header("anthropic-version") => Some(Dialect::Anthropic),
        _ if speaks_azure() => Some(Dialect::Azure),
        ["chat" | "completions" | "embeddings" | "responses" | "models", ..] => Some(Dialect::OpenAi),
        _ => None,
    }
}

fn has_query(query: Option<&str>, name: &str) -> bool {
    query.unwrap_or_default().split('&').any(|pair| pair.split('=').next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, query: Option<&str>, header: &str, expected: Option<Dialect>) {
        assert_eq!(detect(path, query, &|name| name == header), expected, "{path} {query:?} {header}");
    }

    #[test]
    fn by_path() {
        check("/v1/messages", Some("beta=true"), "", Some(Dialect::Anthropic));
        check("/messages/batches", None, "", Some(Dialect::Anthropic));
        check("/v1/chat/completions", None, "", Some(Dialect::OpenAi));
        check("/v1/v1/responses", None, "", Some(Dialect::OpenAi));
        check("/v1/models", None, "", Some(Dialect::OpenAi));
        check("/openai/deployments/gpt/chat/completions", None, "", Some(Dialect::Azure));
        check("/v1/files", None, "", None);
        check("/openai/v1/responses", None, "", None);
        check("/v1/../messages", None, "", None);
    }

    #[test]
    fn by_header_and_query() {
        check("/v1/models", None, "anthropic-version", Some(Dialect::Anthropic));
        check("/v1/files", None, "anthropic-version", Some(Dialect::Anthropic));
        check("/openai/v1/responses", None, "api-key", Some(Dialect::Azure));
        check("/openai/responses", Some("x=1&api-version=2024"), "", Some(Dialect::Azure));
        check("/openai/responses", Some("x-api-version=2024"), "", None);
        check("/v1/chat/completions", None, "api-key", Some(Dialect::Azure));
    }
}
