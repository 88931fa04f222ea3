//! People: who they are, where they sign in, what they may do.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::acts::difference;
use super::http::{Body, Created, Done, Granted, Json, Path, Route, delete, get, patch, post};
use super::roles::{Permission, Reach, Role};
use super::seal::digest;
use super::server::Control;
use super::shelf::{Batch, Kept, Stored};
use super::sign_in::{hash_password, password_mistake};
use super::teams::Team;
use crate::store::Listing;

/// Longest name of anything that people name.
pub(super) const NAME_CHARS_MAX: usize = 64;
/// Longest address to write to.
pub(super) const EMAIL_BYTES_MAX: usize = 254;
/// Under this parent stand owners who can sign in: there has to be one.
const OWNERS: &str = "owners";

/// Somebody.
#[derive(Clone, Serialize, Deserialize)]
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

    fn parent(&self) -> Option<String> {
        (self.roles.contains(&Role::Owner) && !self.disabled).then(|| OWNERS.to_owned())
    }
}

/// That a name is a user's, in whatever case: of several who are given it at the same moment, one gets it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Name {
    /// In lower case.
    name: String,
    user: String,
}

impl Stored for Name {
    const KIND: &'static str = "user's name";

    fn id(&self) -> &str {
        &self.name
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
    /// Whether the user can no longer sign in.
    pub(super) disabled: bool,
    /// Last sign-in, Unix milliseconds.
    pub(super) seen_ms: Option<u64>,
}

impl UserView {
    /// Changes with what an administrator decides about, and not with a sign-in.
    pub(super) fn mark(&self) -> String {
        digest(&format!("{:?} {:?} {}", self.roles, self.teams, self.disabled))
    }
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
#[derive(Clone, Deserialize, JsonSchema)]
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
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedUser {
    /// What the user is.
    #[serde(default)]
    pub(super) roles: Option<Vec<Role>>,
    /// The teams that roles with the reach of a team are about.
    #[serde(default)]
    pub(super) teams: Option<Vec<String>>,
    /// Whether the user can no longer sign in. If so, all sessions of the user end, and all API tokens for good; gateways
    /// refuse the user's keys until the account is open again.
    #[serde(default)]
    pub(super) disabled: Option<bool>,
    /// Another password; local users only. All sessions and API tokens of the user end.
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
            .says("Removes a user with all sessions and tokens, and revokes the user's gateway keys"),
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
    if new.email.as_deref().is_some_and(|it| !is_email(it)) {
        return Err(Problem::invalid(format!(
            "`email` has at most {EMAIL_BYTES_MAX} bytes, none of them a control character"
        )));
    }
    known_teams(control, &new.teams).await?;
    name_is_free(control, &new.name).await?;
    let password = hash_password(control, new.password).await?;
    let user = User {
        id: control.new_id(),
        subject: format!("{LOCAL}{}", new.name),
        name: new.name,
        email: new.email,
        roles: distinct(new.roles),
        teams: distinct(new.teams),
        disabled: false,
        password: Some(password),
        created_ms: control.shelf.now_ms(),
        seen_ms: None,
    };
    control.shelf.commit(with_name(&user)).await?;
    control.acts.changed(&granted.actor, "user.created", &user.name, None, Some(&UserView::from(&user)));
    Ok(user)
}

async fn change(
    State(control): State<Control>,
    granted: Granted,
    Path(id): Path<String>,
    Body(changed): Body<ChangedUser>,
) -> Result<Json<UserView>, Problem> {
    Ok(Json(UserView::from(&changed_user(&control, &granted, &id, None, changed).await?.value)))
}

/// Changes a user; `read` is the mark of what the change was decided upon, where that is known.
pub(super) async fn changed_user(
    control: &Control,
    granted: &Granted,
    id: &str,
    read: Option<&str>,
    changed: ChangedUser,
) -> Result<Kept<User>, Problem> {
    let mut user = control.shelf.need::<User>(id).await?;
    let (before, was_owner) = (UserView::from(&user.value), user.parent().is_some());
    if read.is_some_and(|it| it != before.mark()) {
        return Err(Problem::conflict("somebody has changed this user since it was read: read it again"));
    }
    // Who may not make an owner may not unmake, lock out or sign in as one either.
    may_appoint(granted, &user.roles)?;
    if let Some(roles) = changed.roles {
        may_appoint(granted, &roles)?;
        user.value.roles = distinct(roles);
    }
    if let Some(teams) = changed.teams {
        known_teams(control, &teams).await?;
        user.value.teams = distinct(teams);
    }
    if let Some(disabled) = changed.disabled {
        user.value.disabled = disabled;
    }
    let has_new_password = changed.password.is_some();
    if let Some(password) = changed.password {
        if user.password.is_none() {
            return Err(Problem::conflict("this user signs in at the identity provider and has no password here"));
        }
        password_mistake(&password)?;
        user.value.password = Some(hash_password(control, password).await?);
    }
    let mut batch = Batch::default().update(&user);
    if before.disabled != user.disabled {
        // Gateways take keys of those alone whose account is open.
        batch = batch.told();
    }
    if was_owner && user.parent().is_none() {
        batch = batch.update(&another_owner(control, &user).await?);
    }
    control.shelf.commit(batch).await?;
    let mut details = difference(Some(&before), Some(&UserView::from(&user.value)));
    // Whoever knew the old password may still be signed in with it, or have made tokens.
    if user.disabled || has_new_password {
        super::sign_in::end_sessions(control, &user.id).await?;
        let revoked = super::tokens::revoke_all(control, &user.id).await?;
        if revoked > 0 {
            details.insert("tokens".to_owned(), format!("{revoked} revoked"));
        }
    }
    details.insert("id".to_owned(), user.name.clone());
    if has_new_password {
        details.insert("password".to_owned(), "changed".to_owned());
    }
    control.acts.write(&granted.actor, "user.changed", details);
    Ok(user)
}

async fn remove(State(control): State<Control>, granted: Granted, Path(id): Path<String>) -> Result<Done, Problem> {
    removed(&control, &granted, &id).await?;
    Ok(Done)
}

/// Removes a user with all sessions and tokens, and revokes the user's gateway keys.
pub(super) async fn removed(control: &Control, granted: &Granted, id: &str) -> Result<(), Problem> {
    let user = control.shelf.need::<User>(id).await?;
    may_appoint(granted, &user.roles)?;
    let keys = super::keys::revoked_of(control, id).await?;
    let mut batch = keys.iter().fold(Batch::default().delete(&user), Batch::update);
    // Users from before names were kept have none.
    let name = control.shelf.get::<Name>(&user.name.to_ascii_lowercase()).await?;
    batch = name.iter().filter(|it| it.user == user.id).fold(batch, Batch::delete);
    if user.parent().is_some() {
        batch = batch.update(&another_owner(control, &user).await?);
    }
    control.shelf.commit(batch).await?;
    super::sign_in::end_sessions(control, id).await?;
    super::tokens::revoke_all(control, id).await?;
    keys.iter().for_each(|it| super::keys::told_revoked(control, granted, it));
    control.acts.changed(&granted.actor, "user.deleted", &user.name, Some(&UserView::from(&user.value)), None);
    Ok(())
}

/// Owners are appointed by owners, and nobody gives or touches a role that may do more: a token has its scopes alone.
fn may_appoint(granted: &Granted, roles: &[Role]) -> Result<(), Problem> {
    if roles.contains(&Role::Owner) && granted.reach_of(Permission::AppointOwners) != Some(Reach::All) {
        return Err(Problem::forbidden("only an owner may do this to an owner"));
    }
    for role in roles {
        if let Some(beyond) = Permission::ALL.into_iter().find(|it| role.reach(*it) > granted.reach_of(*it)) {
            return Err(Problem::forbidden(format!(
                "the role `{}` may `{}`, and you may not, or not as far: ask somebody who may, or take a token with that \
                 scope",
                role.name(),
                beyond.name()
            )));
        }
    }
    Ok(())
}

/// Whether somebody can sign in who may do everything.
pub(super) async fn has_owner(control: &Control) -> Result<bool, Problem> {
    let listing = Listing { parent: Some(OWNERS), rows_max: 1, ..Listing::default() };
    Ok(!control.shelf.list::<User>(listing).await?.is_empty())
}

/// Somebody has to be able to do everything: an owner beside this one. Written once more with the step that takes the
/// place of this one away, so that not both go at the same moment.
async fn another_owner(control: &Control, user: &User) -> Result<Kept<User>, Problem> {
    let other = control.shelf.of::<User>(OWNERS).await?.into_iter().find(|it| it.id != user.id);
    other.ok_or_else(|| Problem::conflict("this is the last owner: make another one first"))
}

async fn known_teams(control: &Control, teams: &[String]) -> Result<(), Problem> {
    if teams.is_empty() {
        return Ok(());
    }
    let known = control.shelf.all::<Team>().await?;
    match teams.iter().find(|it| !known.iter().any(|team| team.name == **it)) {
        Some(unknown) => Err(Problem::invalid(Problem::not_found(Team::KIND, unknown).detail)),
        None => Ok(()),
    }
}

/// Records name people by their names: nobody has that of another, whoever vouches for them.
pub(super) async fn name_is_free(control: &Control, name: &str) -> Result<(), Problem> {
    match has_name(control, name).await? {
        true => Err(Problem::conflict(format!("there is a user `{name}` already: choose another name"))),
        false => Ok(()),
    }
}

/// A new user, who takes the name.
pub(super) fn with_name(user: &User) -> Batch {
    Batch::default().insert(user).insert(&Name { name: user.name.to_ascii_lowercase(), user: user.id.clone() })
}

/// Whether somebody has this name, in whatever case.
pub(super) async fn has_name(control: &Control, name: &str) -> Result<bool, Problem> {
    Ok(control.shelf.all::<User>().await?.iter().any(|it| it.name.eq_ignore_ascii_case(name)))
}

/// An address to write to, as far as it is looked at.
pub(super) fn is_email(text: &str) -> bool {
    text.len() <= EMAIL_BYTES_MAX && !text.contains(char::is_control)
}

/// Each once, in their order.
pub(super) fn distinct<T: Ord>(mut these: Vec<T>) -> Vec<T> {
    these.sort_unstable();
    these.dedup();
    these
}

/// Names stand in URLs, configurations and logs.
pub(super) fn name_mistake(what: &str, name: &str) -> Result<(), Problem> {
    let allowed = |it: char| it.is_ascii_alphanumeric() || "-_.@+".contains(it);
    let fits = !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(allowed);
    match fits && name.starts_with(|it: char| it.is_ascii_alphanumeric()) {
        true => Ok(()),
        false => Err(Problem::invalid(format!(
            "the name of a {what} has 1 to {NAME_CHARS_MAX} characters: letters, digits, `-`, `_`, `.`, `@`, `+`, the \
             first a letter or digit"
        ))),
    }
}
