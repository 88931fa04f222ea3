//! API tokens of the one who is signed in.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::forms::{Mistakes, number};
use super::layout::{Said, Shell, again, on_to, shown};
use super::show::words;
use crate::control::Problem;
use crate::control::http::{Access, Form, Granted, Path, Query, Route, page, submit};
use crate::control::roles::Permission;
use crate::control::server::Control;
use crate::control::tokens::{self, NewToken, Token, TokenView};

#[derive(Template)]
#[template(path = "tokens.html")]
struct Tokens {
    shell: Shell,
    tokens: Vec<TokenView>,
    scopes: Vec<(String, String, bool)>,
    issued: Option<String>,
    name: String,
    days: String,
    mistakes: Mistakes,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Typed {
    name: String,
    days: String,
    scopes: Vec<Permission>,
}

pub(super) fn routes() -> Vec<Route> {
    const OWN: Access = Access::SignedIn;
    vec![
        page("pages.tokens", "/tokens", OWN, list).says("The tokens of the one who asks"),
        submit("pages.make_token", "/tokens", OWN, make).says("Makes a token; shown once"),
        submit("pages.revoke_token", "/tokens/{id}/revoke", OWN, revoke).says("Ends a token"),
    ]
}

async fn list(State(control): State<Control>, granted: Granted, Query(said): Query<Said>) -> Result<Response, Problem> {
    let mut template = draw(&control, &granted, &[]).await?;
    template.shell = template.shell.after(&said);
    shown(&template)
}

async fn draw(control: &Control, granted: &Granted, chosen: &[Permission]) -> Result<Tokens, Problem> {
    let tokens = control.shelf.of::<Token>(granted.user()?).await?;
    let scopes = Permission::ALL.into_iter().filter(|it| granted.reach_of(*it).is_some()).map(|it| {
        let name = it.name().to_owned();
        let shown = words(&name);
        (name, shown, chosen.contains(&it))
    });
    Ok(Tokens {
        shell: Shell::of(control, granted, "API tokens", "/tokens"),
        tokens: tokens.iter().map(|it| TokenView::from(&it.value)).collect(),
        scopes: scopes.collect(),
        issued: None,
        name: String::new(),
        days: "90".to_owned(),
        mistakes: Mistakes::default(),
    })
}

async fn make(State(control): State<Control>, granted: Granted, Form(typed): Form<Typed>) -> Result<Response, Problem> {
    let made = match number("days", &typed.days) {
        Ok(days) => {
            let name = typed.name.trim().to_owned();
            let new = NewToken { name, scopes: typed.scopes.clone(), days: days.unwrap_or_default() };
            tokens::issued(&control, &granted, new).await
        }
        Err(problem) => Err(problem),
    };
    match made {
        Ok(issued) => shown(&Tokens { issued: Some(issued.token), ..draw(&control, &granted, &[]).await? }),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[("name", "the name of"), ("days", "`days`")])?;
            let page = draw(&control, &granted, &typed.scopes).await?;
            again(&problem, &Tokens { name: typed.name, days: typed.days, mistakes, ..page })
        }
    }
}

async fn revoke(State(control): State<Control>, granted: Granted, Path(id): Path<String>) -> Result<Response, Problem> {
    tokens::revoked(&control, &granted, &id).await?;
    on_to("/tokens", "token-revoked")
}
