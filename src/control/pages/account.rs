//! One's own account: where one is signed in and how that ends elsewhere, and another password.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::forms::Mistakes;
use super::layout::{Said, Shell, again, on_to, shown};
use crate::control::Problem;
use crate::control::http::{Access, Form, Granted, Path, Query, Route, page, submit};
use crate::control::server::Control;
use crate::control::sign_in::{self, NewPassword, SessionView};
use crate::control::users::User;

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    shell: Shell,
    sessions: Vec<SessionView>,
    /// Whether there is a password here that could be another.
    has_password: bool,
    mistakes: Mistakes,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Typed {
    current: String,
    password: String,
}

pub(super) fn routes() -> Vec<Route> {
    const OWN: Access = Access::SignedIn;
    vec![
        page("pages.account", "/account", OWN, list).says("Where the one who asks is signed in"),
        submit("pages.change_password", "/account/password", OWN, renew)
            .says("Sets another password of the one who asks"),
        submit("pages.end_session", "/account/sessions/{id}/end", OWN, end).says("Ends a session of the one who asks"),
    ]
}

async fn list(State(control): State<Control>, granted: Granted, Query(said): Query<Said>) -> Result<Response, Problem> {
    let mut template = draw(&control, &granted).await?;
    template.shell = template.shell.after(&said);
    shown(&template)
}

async fn draw(control: &Control, granted: &Granted) -> Result<Account, Problem> {
    let mut sessions = sign_in::own_sessions(control, granted).await?;
    sessions.sort_by_key(|it| std::cmp::Reverse(it.used_ms));
    Ok(Account {
        shell: Shell::of(control, granted, "Your sessions", "/account"),
        sessions,
        has_password: control.shelf.need::<User>(granted.user()?).await?.password.is_some(),
        mistakes: Mistakes::default(),
    })
}

async fn renew(
    State(control): State<Control>,
    granted: Granted,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    let new = NewPassword { current: typed.current, password: typed.password };
    match sign_in::renewed(&control, &granted, new).await {
        Ok(()) => on_to("/account", "password-changed"),
        Err(problem) => {
            let places = [("current", "the current password"), ("password", "a password has")];
            let mistakes = Mistakes::of(&problem, &places)?;
            again(&problem, &Account { mistakes, ..draw(&control, &granted).await? })
        }
    }
}

async fn end(State(control): State<Control>, granted: Granted, Path(id): Path<String>) -> Result<Response, Problem> {
    sign_in::end_session(&control, &granted, &id).await?;
    on_to("/account", "session-ended")
}
