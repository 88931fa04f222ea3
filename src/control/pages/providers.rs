//! Providers and their keys, which go in and are never shown.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::forms::{Mistakes, entries};
use super::layout::{Said, Shell, again, on_to, shown};
use crate::control::Problem;
use crate::control::http::{Form, Granted, Path, Query, Route, page, submit};
use crate::control::providers::{self, NewProvider, NewProviderKey, Provider, ProviderSettings, ProviderView};
use crate::control::roles::Permission;
use crate::control::server::Control;

#[derive(Template)]
#[template(path = "providers.html")]
struct Providers {
    shell: Shell,
    providers: Vec<ProviderView>,
    manages: bool,
    typed: Typed,
    /// The provider that the form with a mistake is about; empty: a new one.
    about: String,
    mistakes: Mistakes,
}

/// A provider, as typed. Its key is never shown again.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    pub(super) name: String,
    pub(super) dialect: String,
    pub(super) urls: String,
    pub(super) key: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TypedKey {
    name: String,
    key: String,
}

/// Fields of a provider, as refusals name them.
pub(super) const PLACES: [(&str, &str); 4] =
    [("name", "the name of a provider"), ("name", "there is a"), ("key", "`key`"), ("urls", "`urls`")];

pub(super) fn routes() -> Vec<Route> {
    use Permission as P;
    vec![
        page("pages.providers", "/providers", P::ReadProviders, list).says("Providers"),
        submit("pages.add_provider", "/providers", P::ManageProviders, add).says("Adds a provider"),
        submit("pages.change_provider", "/providers/{provider}", P::ManageProviders, change).says("Sets where it is"),
        submit("pages.remove_provider", "/providers/{provider}/remove", P::ManageProviders, remove).says("Removes it"),
        submit("pages.add_provider_key", "/providers/{provider}/keys", P::ManageProviders, add_key).says("Keeps a key"),
        submit("pages.remove_provider_key", "/providers/{provider}/keys/{id}/remove", P::ManageProviders, remove_key)
            .says("Forgets a key"),
    ]
}

async fn list(State(control): State<Control>, granted: Granted, Query(said): Query<Said>) -> Result<Response, Problem> {
    let mut template = draw(&control, &granted).await?;
    template.shell = template.shell.after(&said);
    shown(&template)
}

async fn draw(control: &Control, granted: &Granted) -> Result<Providers, Problem> {
    let providers = control.shelf.all::<Provider>().await?;
    Ok(Providers {
        shell: Shell::of(control, granted, "Providers", "/providers"),
        providers: providers.iter().map(|it| ProviderView::from(&it.value)).collect(),
        manages: granted.reach_of(Permission::ManageProviders).is_some(),
        typed: Typed { dialect: "anthropic".to_owned(), ..Typed::default() },
        about: String::new(),
        mistakes: Mistakes::default(),
    })
}

/// Adds a provider, and its key where one was typed: both or neither as far as can be seen beforehand.
pub(super) async fn added(control: &Control, granted: &Granted, typed: &Typed) -> Result<(), Problem> {
    let settings = ProviderSettings { urls: entries(&typed.urls).unwrap_or_default(), dialect: typed.dialect.clone() };
    let name = typed.name.trim().to_owned();
    if typed.key.trim().bytes().any(|it| !it.is_ascii_graphic()) {
        return Err(Problem::invalid("`key` has visible ASCII characters only"));
    }
    providers::added(control, granted, NewProvider { name: name.clone(), settings }).await?;
    if !typed.key.trim().is_empty() {
        let key = NewProviderKey { name: "first".to_owned(), key: typed.key.clone() };
        providers::key_added(control, granted, &name, key).await?;
    }
    Ok(())
}

async fn add(State(control): State<Control>, granted: Granted, Form(typed): Form<Typed>) -> Result<Response, Problem> {
    match added(&control, &granted, &typed).await {
        Ok(()) => on_to("/providers", "provider-added"),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &PLACES)?;
            again(&problem, &Providers { typed, mistakes, ..draw(&control, &granted).await? })
        }
    }
}

async fn change(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    let settings = ProviderSettings { urls: entries(&typed.urls).unwrap_or_default(), dialect: typed.dialect };
    match providers::changed(&control, &granted, &name, settings).await {
        Ok(_) => on_to("/providers", "provider-changed"),
        Err(problem) => refused(&control, &granted, name, &problem).await,
    }
}

async fn refused(control: &Control, granted: &Granted, about: String, problem: &Problem) -> Result<Response, Problem> {
    let mistakes = Mistakes::of(problem, &[])?;
    again(problem, &Providers { about, mistakes, ..draw(control, granted).await? })
}

async fn remove(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    match providers::removed(&control, &granted, &name).await {
        Ok(()) => on_to("/providers", "provider-removed"),
        Err(problem) => refused(&control, &granted, name, &problem).await,
    }
}

async fn add_key(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Form(typed): Form<TypedKey>,
) -> Result<Response, Problem> {
    let new = NewProviderKey { name: typed.name.trim().to_owned(), key: typed.key };
    match providers::key_added(&control, &granted, &name, new).await {
        Ok(_) => on_to("/providers", "provider-key-added"),
        Err(problem) => refused(&control, &granted, name, &problem).await,
    }
}

async fn remove_key(
    State(control): State<Control>,
    granted: Granted,
    Path((name, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    match providers::key_removed(&control, &granted, &name, &id).await {
        Ok(()) => on_to("/providers", "provider-key-removed"),
        Err(problem) => refused(&control, &granted, name, &problem).await,
    }
}
