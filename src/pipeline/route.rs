//! From a request path to an upstream and its endpoint: explicit prefixes first, then the dialect's own paths.

use std::sync::Arc;

use super::{Head, Snapshot, Upstream};
use crate::config::Dialect;
use crate::providers::{self, Endpoint, RefusalKind, Route};

/// Where a request goes.
pub(super) struct Destination {
    pub(super) upstream: Arc<Upstream>,
    pub(super) route: Route,
    /// Whether the request has a model work, so that it says which.
    pub(super) names_model: bool,
}

impl Destination {
    /// Whether the answer is a list of what was asked for with the configured key, whoever did. Ids of its entries cannot be
    /// guessed; such a list gives them away.
    pub(super) fn lists_for_all(&self, method: &str) -> bool {
        let Destination { upstream, route, .. } = self;
        let is_list = method == "GET" && route.endpoint == Endpoint::Batches && route.kept_answer().is_none();
        is_list && upstream.api_key.is_some()
    }
}

/// How much of a method or a path is repeated in a refusal.
const SHOWN_BYTES_MAX: usize = 200;

/// Why it goes nowhere, and in whose shape to say so.
pub(super) struct Nowhere {
    pub(super) dialect: Dialect,
    pub(super) kind: RefusalKind,
    pub(super) message: String,
}

/// Finds upstream and endpoint for a request.
pub(super) fn destination(snapshot: &Snapshot, head: &Head<'_>) -> Result<Destination, Nowhere> {
    let (named, path) = match prefix(snapshot, head.path) {
        Some((upstream, rest)) if !is_azure_path(snapshot, upstream, rest, head) => (Some(upstream), rest),
        _ => (None, head.path),
    };
    let dialect = named.map(|upstream| upstream.dialect).or_else(|| detect(head)).unwrap_or(Dialect::OpenAi);
    let nowhere = |kind, message| Nowhere { dialect, kind, message };
    let unknown = || {
        let (method, path) = (shortened(head.method), shortened(path));
        let message = format!("this gateway does not pass on {method} {path}: it is no path whose text it can scan");
        nowhere(RefusalKind::UnknownPath, message)
    };
    let route = providers::for_dialect(dialect).route(head.method, path).ok_or_else(unknown)?;
    let upstream = named.or_else(|| snapshot.upstream_for(dialect)).ok_or_else(|| {
        let message =
            format!("no upstream is configured for {}: add one under `upstream:` in gateway.yaml", name(dialect));
        nowhere(RefusalKind::NoUpstream, message)
    })?;
    let names_model = head.method == "POST" && !route.path.ends_with("/cancel");
    Ok(Destination { upstream: upstream.clone(), route, names_model })
}

/// The beginning of what a client wrote: an answer is not made as long as what it answers.
fn shortened(written: &str) -> &str {
    &written[..written.floor_char_boundary(SHOWN_BYTES_MAX)]
}

/// The path and query to ask the provider for.
pub(super) fn path_and_query(destination: &Destination, query: Option<&str>) -> String {
    let base = destination.upstream.url.path.as_str();
    let path = destination.route.path.as_str();
    // A base that already ends in the version must not double it.
    let path = if base.ends_with("/v1") { path.strip_prefix("/v1").unwrap_or(path) } else { path };
    match query {
        Some(query) => format!("{base}{path}?{query}"),
        None => format!("{base}{path}"),
    }
}

/// An upstream whose name is the first path segment, or whose dialect has that name, and the rest of the path.
fn prefix<'a, 's>(snapshot: &'s Snapshot, path: &'a str) -> Option<(&'s Arc<Upstream>, &'a str)> {
    let inner = path.strip_prefix('/')?;
    let length = inner.find('/')?;
    let (first, rest) = inner.split_at(length);
    let by_dialect = || match first {
        "anthropic" => snapshot.upstream_for(Dialect::Anthropic),
        "openai" => snapshot.upstream_for(Dialect::OpenAi),
        "azure" => snapshot.upstream_for(Dialect::Azure),
        _ => None,
    };
    Some((snapshot.upstream_named(first).or_else(by_dialect)?, rest))
}

/// `/openai/…` is also how Azure's own paths begin.
fn is_azure_path(snapshot: &Snapshot, upstream: &Upstream, rest: &str, head: &Head<'_>) -> bool {
    upstream.dialect != Dialect::Azure
        && head.path.starts_with("/openai/")
        && snapshot.upstream_for(Dialect::Azure).is_some()
        && (rest.starts_with("/deployments/") || detect(head) == Some(Dialect::Azure))
}

fn detect(head: &Head<'_>) -> Option<Dialect> {
    let has_header = |name: &str| head.headers.iter().any(|(it, _)| *it == name);
    providers::detect(head.path, head.query, &has_header)
}

fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "Anthropic",
        Dialect::OpenAi => "OpenAI",
        Dialect::Azure => "Azure OpenAI",
    }
}
