//! People: who they are, where they sign in, what they may do.

use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::http::{Body, Created, Done, Granted, Json, Route, delete, get, patch, post};
use super::roles::{Permission, Reach, Role};
use super::server::Control;
use super::shelf::{Kept, Stored};
use super::sign_in::{hash_password, password_mistake};
use super::{Problem, ProblemKind};

/// Longest name of anything that people name.
pub(super) const NAME_CHARS_MAX: usize = 64;

/// Somebody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    /// Unique; what the act log names.
    pub(super) name: String,
    pub(super) email: Option<String>,
    /// `local`, or `issuer subject` of the identity provider.
    pub(super) subject: String,
    pub(super) roles: Vec<Role>,
    pub(super) teams: Vec<String>,
    pub(super) disabled: bool,
    /// Argon2id in PHC form; local users only.
    pub(super) password: Option<String>,
    pub(super) created_ms: u64,
    pub(super) seen_ms: Option<u64>,
}

/// The subject of local users starts so; identity providers' never do.
pub(super) const LOCAL: &str = "local ";

impl Stored for User {
    const KIND: &'static str = "user";

    fn id(&self) -> &str {
        &self.id
    }

    fn lookup(&self) -> Option<String> {
        Some(self.subject.clone())
    }
}

/// A user, as the API shows one.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub(super) struct UserView {
    /// Its id.
    pub(super) id: String,
    /// What records name.
    pub(super) name: String,
    /// As the identity provider says, or as it was set.
    pub(super) email: Option<String>,
    /// `local`, `oidc` or `saml`.
    pub(super) source: String,
    /// What the user is.
    pub(super) roles: Vec<Role>,
    /// The teams that roles with the reach of a team are about.
    pub(super) teams: Vec<String>,
    /// Whether the user can sign in no more.
    pub(super) disabled: bool,
    /// Last sign-in, Unix milliseconds.
    pub(super) seen_ms: Option<u64>,
}

impl From<&User> for UserView {
    fn from(it: &User) -> Self {
        let source = it.subject.split(' ').next().unwrap_or_default().to_owned();
        UserView {
            id: it.id.clone(),
            name: it.name.clone(),
            email: it.email.clone(),
            source,
            roles: it.roles.clone(),
            teams: it.teams.clone(),
            disabled: it.disabled,
            seen_ms: it.seen_ms,
        }
    }
}

/// A local user to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    /// What to sign in with, and what records name.
    pub(super) name: String,
    /// An address to write to.
    #[serde(default)]
    pub(super) email: Option<String>,
    /// At least 12 characters.
    pub(super) password: String,
    /// What the user is.
    pub(super) roles: Vec<Role>,
    /// The teams that roles with the reach of a team are about.
    #[serde(default)]
    pub(super) teams: Vec<String>,
}

/// What changes about a user; what is not given stays.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedUser {
    /// What the user is.
    #[serde(default)]
    pub(super) roles: Option<Vec<Role>>,
    /// The teams that roles with the reach of a team are about.
    #[serde(default)]
    pub(super) teams: Option<Vec<String>>,
    /// Whether the user can sign in no more.
    #[serde(default)]
    pub(super) disabled: Option<bool>,
    /// Another password; local users only.
    #[serde(default)]
    pub(super) password: Option<String>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("users.list", "/api/v1/users", Permission::ReadUsers, list)
            .says("Everyone who has signed in or may")
            .answers::<Vec<UserView>>(),
        post("users.create", "/api/v1/users", Permission::ManageUsers, create)
            .says("Makes a local user")
            .takes::<NewUser>()
            .makes::<UserView>(),
        patch("users.change", "/api/v1/users/{id}", Permission::ManageUsers, change)
            .says("Changes roles, teams or password, or closes the account")
            .takes::<ChangedUser>()
            .answers::<UserView>(),
        delete("users.delete", "/api/v1/users/{id}", Permission::ManageUsers, remove)
            .says("Removes a user with all sessions and tokens"),
    ]
}

async fn list(State(control): State<Control>, _: Granted) -> Result<Json<Vec<UserView>>, Problem> {
    let users = control.shelf.all::<User>().await?;
    Ok(Json(users.iter().map(|it| UserView::from(&it.value)).collect()))
}

async fn create(
    State(control): State<Control>,
    granted: Granted,
    Body(new): Body<NewUser>,
) -> Result<Created<UserView>, Problem> {
    let user = local(&control, &granted, new).await?;
    Ok(Created(UserView::from(&user)))
}

/// Makes a local user.
pub(super) async fn local(control: &Control, granted: &Granted, new: NewUser) -> Result<User, Problem> {
    name_mistake("user", &new.name)?;
    password_mistake(&new.password)?;
    may_appoint(granted, &new.roles)?;
    known_teams(control, &new.teams).await?;
    let password = hash_password(control, new.password).await?;
    let user = User {
        id: control.new_id(),
        subject: format!("{LOCAL}{}", new.name),
        name: new.name,
        email: new.email,
        roles: distinct(new.roles),
        teams: new.teams,
        disabled: false,
        password: Some(password),
        created_ms: control.shelf.now_ms(),
        seen_ms: None,
    };
    control.shelf.insert(&user).await?;
    control.acts.changed(&granted.actor, "user.created", &user.name, None, Some(&UserView::from(&user)));
    Ok(user)
}

async fn change(
    State(control): State<Control>,
    granted: Granted,
    Path(id): Path<String>,
    Body(changed): Body<ChangedUser>,
) -> Result<Json<UserView>, Problem> {
    Ok(Json(UserView::from(&changed_user(&control, &granted, &id, changed).await?.value)))
}

/// Changes a user.
pub(super) async fn changed_user(
    control: &Control,
    granted: &Granted,
    id: &str,
    changed: ChangedUser,
) -> Result<Kept<User>, Problem> {
    let mut user = control.shelf.need::<User>(id).await?;
    let before = UserView::from(&user.value);
    // Who may not make an owner may not unmake, lock out or sign in as one either.
    may_appoint(granted, &user.roles)?;
    if let Some(roles) = changed.roles {
        may_appoint(granted, &roles)?;
        user.value.roles = distinct(roles);
    }
    if let Some(teams) = changed.teams {
        known_teams(control, &teams).await?;
        user.value.teams = teams;
    }
    if let Some(disabled) = changed.disabled {
        user.value.disabled = disabled;
    }
    if let Some(password) = changed.password {
        if user.password.is_none() {
            return Err(Problem::conflict("this user signs in at the identity provider and has no password here"));
        }
        password_mistake(&password)?;
        user.value.password = Some(hash_password(control, password).await?);
    }
    keeps_an_owner(control, &user, false).await?;
    control.shelf.update(&user).await?;
    if user.disabled {
        super::sign_in::end_sessions(control, &user.id).await?;
    }
    control.acts.changed(&granted.actor, "user.changed", &user.name, Some(&before), Some(&UserView::from(&user.value)));
    Ok(user)
}

pub(super) async fn remove(
    State(control): State<Control>,
    granted: Granted,
    Path(id): Path<String>,
) -> Result<Done, Problem> {
    let user = control.shelf.need::<User>(&id).await?;
    may_appoint(&granted, &user.roles)?;
    keeps_an_owner(&control, &user, true).await?;
    super::sign_in::end_sessions(&control, &id).await?;
    super::tokens::revoke_all(&control, &id).await?;
    control.shelf.delete(&user).await?;
    control.acts.changed(&granted.actor, "user.deleted", &user.name, Some(&UserView::from(&user.value)), None);
    Ok(Done)
}

/// Owners are appointed by owners.
fn may_appoint(granted: &Granted, roles: &[Role]) -> Result<(), Problem> {
    match roles.contains(&Role::Owner) && granted.reach_of(Permission::AppointOwners) != Some(Reach::All) {
        true => Err(Problem::forbidden("only an owner may do this to an owner")),
        false => Ok(()),
    }
}

/// Somebody has to be able to do everything.
async fn keeps_an_owner(control: &Control, user: &Kept<User>, removed: bool) -> Result<(), Problem> {
    let owns = |it: &User| it.roles.contains(&Role::Owner) && !it.disabled;
    let others = control.shelf.all::<User>().await?.iter().any(|it| it.id != user.id && owns(&it.value));
    match others || (!removed && owns(&user.value)) {
        true => Ok(()),
        false => Err(Problem::conflict("this is the last owner: make another one first")),
    }
}

async fn known_teams(control: &Control, teams: &[String]) -> Result<(), Problem> {
    for team in teams {
        if control.shelf.get::<super::teams::Team>(team).await?.is_none() {
            return Err(Problem::invalid(format!("there is no team `{team}`")));
        }
    }
    Ok(())
}

fn distinct(mut roles: Vec<Role>) -> Vec<Role> {
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// Names stand in URLs, configurations and logs.
pub(super) fn name_mistake(what: &str, name: &str) -> Result<(), Problem> {
    let allowed = |it: char| it.is_ascii_alphanumeric() || "-_.@+".contains(it);
    let fits = !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(allowed);
    match fits && name.starts_with(|it: char| it.is_ascii_alphanumeric()) {
        true => Ok(()),
        false => Err(Problem::new(
            ProblemKind::Invalid,
            format!(
                "the name of a {what} has 1 to {NAME_CHARS_MAX} characters: letters, digits, `-`, `_`, `.`, `@`, `+`, \
                 the first a letter or digit"
            ),
        )),
    }
}
