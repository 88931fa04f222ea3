//! The first run: whoever has the token becomes the first owner.

use askama::Template;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::forms::Mistakes;
use super::layout::{again, shown};
use crate::control::Problem;
use crate::control::http::{Access, Caller, Form, Query, Route, page, submit};
use crate::control::server::Control;
use crate::control::sign_in::{self, FirstOwner};

const REASON: Access = Access::Open("before there is anyone who could sign in");

#[derive(Default, Template)]
#[template(path = "setup.html")]
struct Setup {
    token: String,
    name: String,
    mistakes: Mistakes,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    token: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Typed {
    token: String,
    name: String,
    password: String,
    again: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        page("pages.setup", "/setup", REASON, ask).says("Where the first owner is made"),
        submit("pages.setting_up", "/setup", REASON, make).says("Makes the first owner"),
    ]
}

async fn ask(State(control): State<Control>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    if !sign_in::is_needed(&control).await? {
        return Ok(Redirect::to("/sign-in").into_response());
    }
    shown(&Setup { token: asked.token, ..Setup::default() })
}

async fn make(State(control): State<Control>, caller: Caller, Form(typed): Form<Typed>) -> Result<Response, Problem> {
    const PLACES: [(&str, &str); 4] =
        [("name", "the name of"), ("password", "a password has"), ("again", "twice"), ("token", "the setup token")];
    let Typed { token, name, password, again: repeated } = typed;
    let name = name.trim().to_owned();
    let made = match password == repeated {
        true => {
            let owner = FirstOwner { token: token.trim().to_owned(), name: name.clone(), password };
            sign_in::first_owner(&control, &caller, owner).await
        }
        false => Err(Problem::invalid("type the same password twice")),
    };
    match made {
        Ok(cookie) => {
            let mut response = Redirect::to("/start?said=welcome").into_response();
            response.headers_mut().append(SET_COOKIE, cookie);
            Ok(response)
        }
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &PLACES)?;
            again(&problem, &Setup { token, name, mistakes })
        }
    }
}
