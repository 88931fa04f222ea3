//! What every request to the control plane goes through: routes that say who may call them, the guard, bodies, and the
//! description of the API.

mod actor;
mod body;
mod guard;
mod listen;
mod offered;
mod openapi;
mod route;

pub(super) use self::actor::{Actor, Caller, Granted};
pub(super) use self::body::{Body, Form, Path, Query};
pub(super) use self::guard::router;
pub(super) use self::listen::listen;
pub use self::offered::{Offered, Whom, offered};
pub use self::openapi::openapi;
pub(super) use self::route::{Access, Route, delete, get, page, patch, post, put, submit};
pub(super) use super::problem::{Created, Done};
pub(super) use axum::Json;
