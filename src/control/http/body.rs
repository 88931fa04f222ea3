//! Bodies, queries and paths as typed values; what cannot be read is a problem that says where.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::control::{Problem, ProblemKind};

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

/// A form's body.
pub(crate) struct Form<T>(pub(crate) T);

/// What stands behind the `?`.
pub(crate) struct Query<T>(pub(crate) T);

/// What stands in the place of `{…}` in the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_of_type(&request, "application/json") {
            return Err(Problem::new(
                ProblemKind::Unreadable,
                "the body has to be JSON (content-type: application/json)",
            ));
        }
        let bytes = bytes(request, state).await?;
        let value = serde_json::from_slice(&bytes).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => Problem::invalid(error.to_string()),
            _ => Problem::new(ProblemKind::Unreadable, format!("the body is not JSON: {error}")),
        })?;
        Ok(Body(value))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_of_type(&request, "application/x-www-form-urlencoded") {
            return Err(Problem::new(ProblemKind::Unreadable, "the body has to be a form"));
        }
        let bytes = bytes(request, state).await?;
        serde_html_form::from_bytes(&bytes).map(Form).map_err(|error| Problem::invalid(error.to_string()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        serde_html_form::from_str(query).map(Query).map_err(|error| Problem::invalid(format!("the query: {error}")))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|it| Path(it.0)).map_err(|_| Problem::new(ProblemKind::NotFound, "there is nothing at this path"))
    }
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    // The guard has bounded it.
    let bytes = Bytes::from_request(request, state).await;
    bytes.map_err(|_| Problem::new(ProblemKind::Unreadable, "the body broke off"))
}

pub(super) fn is_of_type(request: &Request, kind: &str) -> bool {
    let value = request.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(kind)
}
