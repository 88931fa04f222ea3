//! People and their roles.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::forms::{Mistakes, given};
use super::layout::{Said, Shell, again, on_to, shown};
use super::show::{self, words};
use crate::control::Problem;
use crate::control::http::{Form, Granted, Path, Query, Route, page, submit};
use crate::control::roles::{Permission, Role};
use crate::control::server::Control;
use crate::control::teams::Team;
use crate::control::users::{self, ChangedUser, NewUser, User, UserView};

#[derive(Template)]
#[template(path = "users.html")]
struct Users {
    shell: Shell,
    users: Vec<UserView>,
    choice: Choice,
    manages: bool,
    typed: Typed,
    mistakes: Mistakes,
}

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage {
    shell: Shell,
    user: UserView,
    choice: Choice,
    manages: bool,
    mistakes: Mistakes,
}

/// Roles and teams to choose from.
struct Choice {
    roles: Vec<(&'static str, String, &'static str, bool)>,
    teams: Vec<(String, bool)>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Typed {
    name: String,
    email: String,
    password: String,
    roles: Vec<Role>,
    teams: Vec<String>,
    disabled: bool,
    /// The mark of the user that the page showed.
    read: Option<String>,
}

const PLACES: [(&str, &str); 3] = [("name", "the name of a user"), ("name", "there is a"), ("password", "password")];

pub(super) fn routes() -> Vec<Route> {
    use Permission as P;
    vec![
        page("pages.users", "/users", P::ReadUsers, list).says("Users"),
        submit("pages.make_user", "/users", P::ManageUsers, make).says("Makes a local user"),
        page("pages.user", "/users/{id}", P::ReadUsers, read).says("A user"),
        submit("pages.change_user", "/users/{id}", P::ManageUsers, change).says("Changes a user"),
        submit("pages.remove_user", "/users/{id}/remove", P::ManageUsers, remove).says("Removes a user"),
    ]
}

async fn list(State(control): State<Control>, granted: Granted, Query(said): Query<Said>) -> Result<Response, Problem> {
    let mut template = draw(&control, &granted, Typed::default()).await?;
    template.shell = template.shell.after(&said);
    shown(&template)
}

async fn draw(control: &Control, granted: &Granted, typed: Typed) -> Result<Users, Problem> {
    let mut users: Vec<UserView> = control.shelf.all::<User>().await?.iter().map(|it| (&it.value).into()).collect();
    users.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Users {
        shell: Shell::of(control, granted, "Users", "/users"),
        users,
        choice: choice(control, granted, &typed.roles, &typed.teams).await?,
        manages: granted.reach_of(Permission::ManageUsers).is_some(),
        typed: Typed { password: String::new(), ..typed },
        mistakes: Mistakes::default(),
    })
}

async fn choice(control: &Control, granted: &Granted, roles: &[Role], teams: &[String]) -> Result<Choice, Problem> {
    let appoints = granted.reach_of(Permission::AppointOwners).is_some();
    let offered = Role::ALL.into_iter().filter(|it| appoints || *it != Role::Owner || roles.contains(it));
    let all = control.shelf.all::<Team>().await?;
    Ok(Choice {
        roles: offered.map(|it| (it.name(), words(it.name()), says(it), roles.contains(&it))).collect(),
        teams: all.iter().map(|it| (it.name.clone(), teams.contains(&it.name))).collect(),
    })
}

fn says(role: Role) -> &'static str {
    match role {
        Role::Owner => "does everything, and alone appoints owners",
        Role::Administrator => "does everything else",
        Role::PolicyAuthor => "writes and publishes policies and rules",
        Role::Reviewer => "approves policies, judges what waits for review",
        Role::Analyst => "looks into findings, quarantines and releases",
        Role::Auditor => "reads everything, changes nothing",
        Role::TeamLead => "looks after the teams chosen below",
        Role::Developer => "sees what was found in their own requests",
    }
}

async fn make(State(control): State<Control>, granted: Granted, Form(typed): Form<Typed>) -> Result<Response, Problem> {
    let new = NewUser {
        name: typed.name.trim().to_owned(),
        email: given(&typed.email),
        password: typed.password.clone(),
        roles: typed.roles.clone(),
        teams: typed.teams.clone(),
    };
    match users::local(&control, &granted, new).await {
        Ok(_) => on_to("/users", "user-made"),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &PLACES)?;
            again(&problem, &Users { mistakes, ..draw(&control, &granted, typed).await? })
        }
    }
}

async fn read(
    State(control): State<Control>,
    granted: Granted,
    Path(id): Path<String>,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    let mut template = one(&control, &granted, &id).await?;
    template.shell = template.shell.after(&said);
    shown(&template)
}

async fn one(control: &Control, granted: &Granted, id: &str) -> Result<UserPage, Problem> {
    let user = UserView::from(&control.shelf.need::<User>(id).await?.value);
    Ok(UserPage {
        shell: Shell::of(control, granted, user.name.clone(), "/users"),
        choice: choice(control, granted, &user.roles, &user.teams).await?,
        user,
        manages: granted.reach_of(Permission::ManageUsers).is_some(),
        mistakes: Mistakes::default(),
    })
}

async fn change(
    State(control): State<Control>,
    granted: Granted,
    Path(id): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    let changed = ChangedUser {
        roles: Some(typed.roles),
        teams: Some(typed.teams),
        disabled: Some(typed.disabled),
        password: given(&typed.password),
    };
    match users::changed_user(&control, &granted, &id, typed.read.as_deref(), changed).await {
        Ok(_) => on_to(&format!("/users/{id}"), "user-changed"),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[("password", "password has")])?;
            again(&problem, &UserPage { mistakes, ..one(&control, &granted, &id).await? })
        }
    }
}

async fn remove(State(control): State<Control>, granted: Granted, Path(id): Path<String>) -> Result<Response, Problem> {
    match users::removed(&control, &granted, &id).await {
        Ok(()) => on_to("/users", "user-removed"),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[])?;
            again(&problem, &UserPage { mistakes, ..one(&control, &granted, &id).await? })
        }
    }
}
