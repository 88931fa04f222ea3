//! Where the one who is signed in is signed in, and how that ends elsewhere.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::layout::{Said, Shell, on_to, shown};
use crate::control::Problem;
use crate::control::http::{Access, Granted, Path, Query, Route, page, submit};
use crate::control::server::Control;
use crate::control::sign_in::{self, SessionView};

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    shell: Shell,
    sessions: Vec<SessionView>,
}

pub(super) fn routes() -> Vec<Route> {
    const OWN: Access = Access::SignedIn;
    vec![
        page("pages.account", "/account", OWN, list).says("Where the one who asks is signed in"),
        submit("pages.end_session", "/account/sessions/{id}/end", OWN, end).says("Ends a session of the one who asks"),
    ]
}

async fn list(State(control): State<Control>, granted: Granted, Query(said): Query<Said>) -> Result<Response, Problem> {
    let mut sessions = sign_in::own_sessions(&control, &granted).await?;
    sessions.sort_by_key(|it| std::cmp::Reverse(it.used_ms));
    let shell = Shell::of(&control, &granted, "Your sessions", "/account").after(&said);
    shown(&Account { shell, sessions })
}

async fn end(State(control): State<Control>, granted: Granted, Path(id): Path<String>) -> Result<Response, Problem> {
    sign_in::end_session(&control, &granted, &id).await?;
    on_to("/account", "session-ended")
}
