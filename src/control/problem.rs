//! Why the control plane did not do what it was asked, and the only file of it that names a status code.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::{CommitError, StoreError};

/// A refusal: what, where and what to do about it. Nothing in it is secret.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Which kind of refusal.
    pub kind: ProblemKind,
    /// One sentence for the person who asked.
    pub detail: String,
    /// Where several things are wrong: each of them.
    pub mistakes: Vec<String>,
}

/// The kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The request cannot be read.
    Unreadable,
    /// Nobody is signed in, or the credential is not known.
    Unauthenticated,
    /// Signed in, but not allowed.
    Forbidden,
    /// There is no such thing, or not for this one who asks.
    NotFound,
    /// The path is there, the method is not.
    NoSuchMethod,
    /// It was changed meanwhile, or the name is taken, or the state does not allow it.
    Conflict,
    /// The request is larger than it may be.
    TooLarge,
    /// The request can be read, but what it says cannot be done.
    Invalid,
    /// Too often.
    TooOften,
    /// A part of the server is away; the same request may work later.
    Unavailable,
    /// A mistake of the server's own.
    Internal,
}

impl ProblemKind {
    const ALL: [ProblemKind; 11] = [
        ProblemKind::Unreadable,
        ProblemKind::Unauthenticated,
        ProblemKind::Forbidden,
        ProblemKind::NotFound,
        ProblemKind::NoSuchMethod,
        ProblemKind::Conflict,
        ProblemKind::TooLarge,
        ProblemKind::Invalid,
        ProblemKind::TooOften,
        ProblemKind::Unavailable,
        ProblemKind::Internal,
    ];

    /// The machine-readable name.
    pub fn name(self) -> &'static str {
        self.parts().0
    }

    fn parts(self) -> (&'static str, StatusCode) {
        match self {
            ProblemKind::Unreadable => ("unreadable", StatusCode::BAD_REQUEST),
            ProblemKind::Unauthenticated => ("unauthenticated", StatusCode::UNAUTHORIZED),
            ProblemKind::Forbidden => ("forbidden", StatusCode::FORBIDDEN),
            ProblemKind::NotFound => ("not_found", StatusCode::NOT_FOUND),
            ProblemKind::NoSuchMethod => ("no_such_method", StatusCode::METHOD_NOT_ALLOWED),
            ProblemKind::Conflict => ("conflict", StatusCode::CONFLICT),
            ProblemKind::TooLarge => ("too_large", StatusCode::PAYLOAD_TOO_LARGE),
            ProblemKind::Invalid => ("invalid", StatusCode::UNPROCESSABLE_ENTITY),
            ProblemKind::TooOften => ("too_often", StatusCode::TOO_MANY_REQUESTS),
            ProblemKind::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
            ProblemKind::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// Its status, as a number.
    pub fn status(self) -> u16 {
        self.parts().1.as_u16()
    }

    /// The kind that this status stands for.
    pub(super) fn of_status(status: u16) -> Option<ProblemKind> {
        Self::ALL.into_iter().find(|it| it.status() == status)
    }

    /// Whether this status says that nothing has changed.
    pub(super) fn is_unchanged(status: u16) -> bool {
        status == StatusCode::NOT_MODIFIED
    }

    /// Every status that a refusal can have, with its name: for the description of the API.
    pub(super) fn statuses() -> impl Iterator<Item = (u16, &'static str)> {
        Self::ALL.into_iter().map(|it| (it.status(), it.name()))
    }
}

/// A refusal as JSON (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct ProblemBody {
    /// Always `about:blank`: the kind stands in `title`.
    #[serde(rename = "type")]
    about: &'static str,
    /// The machine-readable kind.
    title: String,
    /// The status.
    status: u16,
    /// One sentence for the person who asked.
    detail: String,
    /// Each mistake, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mistakes: Vec<String>,
}

impl Problem {
    /// Of this kind, for this reason.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Problem {
        Problem { kind, detail: detail.into(), mistakes: Vec::new() }
    }

    /// There is nothing of this kind and name, as far as the one who asks may know.
    pub fn not_found(what: &str, id: &str) -> Problem {
        let shown: String = id.chars().filter(|it| !it.is_control()).take(80).collect();
        Problem::new(ProblemKind::NotFound, format!("there is no {what} `{shown}`"))
    }

    /// What was asked cannot be done as it is.
    pub fn invalid(detail: impl Into<String>) -> Problem {
        Problem::new(ProblemKind::Invalid, detail)
    }

    /// The one who asks may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Problem {
        Problem::new(ProblemKind::Forbidden, detail)
    }

    /// The state does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Problem {
        Problem::new(ProblemKind::Conflict, detail)
    }

    /// With each of several mistakes.
    pub fn with(mut self, mistakes: Vec<String>) -> Problem {
        self.mistakes = mistakes;
        self
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the control plane's store did not answer");
        match error {
            StoreError::Unavailable(_) => {
                Problem::new(ProblemKind::Unavailable, "the store does not answer at the moment; try again")
            }
            StoreError::Damaged(_) | StoreError::Unfit(_) => {
                Problem::new(ProblemKind::Internal, "the store cannot be read; the server's log says more")
            }
        }
    }
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Store(error) => error.into(),
            other => Problem::conflict(other.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (title, status) = self.kind.parts();
        let body = ProblemBody {
            about: "about:blank",
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail.clone(),
            mistakes: self.mistakes.clone(),
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.kind {
            ProblemKind::Unauthenticated => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            ProblemKind::TooOften | ProblemKind::Unavailable => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        // For pages, which show the same refusal to people.
        response.extensions_mut().insert(self);
        response
    }
}

/// Something was made.
pub(super) struct Created<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

/// It is done, and there is nothing to tell.
pub(super) struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

/// The condition of a poll holds: nothing has changed.
pub(super) struct Unchanged;

impl IntoResponse for Unchanged {
    fn into_response(self) -> Response {
        StatusCode::NOT_MODIFIED.into_response()
    }
}

/// A page about a refusal, with its status.
pub(super) fn page(problem: &Problem, html: String) -> Response {
    (problem.kind.parts().1, axum::response::Html(html)).into_response()
}
