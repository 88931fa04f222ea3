//! Somebody whom an identity provider vouches for: known here from the first sign-in on, with the roles and teams that
//! the groups give, each time anew.

use std::collections::BTreeMap;

use super::settings::Membership;
use crate::control::Problem;
use crate::control::http::Caller;
use crate::control::roles::Role;
use crate::control::seal::digest;
use crate::control::server::Control;
use crate::control::shelf::Kept;
use crate::control::teams::Team;
use crate::control::users::{NAME_CHARS_MAX, User, UserView, distinct, has_name, is_email, with_name};

/// Longest id of somebody, as OpenID Connect says.
const SUBJECT_CHARS_MAX: usize = 255;

/// Somebody, as the identity provider says.
pub(super) struct Person {
    /// `oidc`, `saml`.
    pub(super) method: &'static str,
    /// Who says so.
    pub(super) issuer: String,
    /// Unique and constant there.
    pub(super) subject: String,
    /// What records shall name; made fit.
    pub(super) name: String,
    pub(super) email: Option<String>,
    pub(super) groups: Vec<String>,
}

/// What groups are here.
pub(super) struct Mapping<'a> {
    pub(super) groups: &'a BTreeMap<String, Membership>,
    pub(super) default_roles: &'a [Role],
}

/// The user that this person is, as of now. Who has no role stays outside.
pub(super) async fn arrived(
    control: &Control,
    caller: &Caller,
    person: Person,
    mapping: &Mapping<'_>,
) -> Result<Kept<User>, Problem> {
    let is_fit = |it: &str| (1..=SUBJECT_CHARS_MAX).contains(&it.chars().count()) && !it.contains(char::is_control);
    if !is_fit(&person.subject) {
        return Err(Problem::forbidden("the identity provider gives this account an id that cannot be used here"));
    }
    let (roles, teams) = membership(control, &person.groups, mapping).await?;
    let subject = format!("{} {} {}", person.method, person.issuer, person.subject);
    let known = control.shelf.find::<User>(&subject).await?;
    let before = known.as_ref().map(|it| UserView::from(&it.value));
    let email = person.email.filter(|it| is_email(it));
    let user = match known {
        Some(mut user) => {
            (user.value.roles, user.value.teams, user.value.email) = (roles, teams, email);
            if before != Some(UserView::from(&user.value)) {
                control.shelf.update(&user).await?;
                user.version += 1;
                let after = UserView::from(&user.value);
                control.acts.changed(&caller.actor(), "user.changed", &user.name, before.as_ref(), Some(&after));
            }
            user
        }
        None if roles.is_empty() => {
            return Err(no_role());
        }
        None => {
            let user = User {
                id: control.new_id(),
                name: free_name(control, &person.name, &subject).await?,
                subject,
                email,
                roles,
                teams,
                disabled: false,
                password: None,
                created_ms: control.shelf.now_ms(),
                seen_ms: None,
            };
            control.shelf.commit(with_name(&user)).await?;
            let after = UserView::from(&user);
            control.acts.changed(&caller.actor(), "user.created", &user.name, None, Some(&after));
            Kept { version: 1, value: user }
        }
    };
    if user.roles.is_empty() {
        super::end_sessions(control, &user.id).await?;
        return Err(no_role());
    }
    Ok(user)
}

fn no_role() -> Problem {
    Problem::forbidden(
        "you are known to the identity provider, but no group of yours has a role here: ask an administrator",
    )
}

/// Roles and teams of somebody in these groups; teams that there are not are left out.
async fn membership(
    control: &Control,
    groups: &[String],
    mapping: &Mapping<'_>,
) -> Result<(Vec<Role>, Vec<String>), Problem> {
    let of = |group: &String| mapping.groups.get(group);
    let mut roles = mapping.default_roles.to_vec();
    roles.extend(groups.iter().filter_map(of).flat_map(|it| it.roles.iter().copied()));
    let mut teams = distinct(groups.iter().filter_map(of).flat_map(|it| it.teams.clone()).collect());
    if !teams.is_empty() {
        let known = control.shelf.all::<Team>().await?;
        teams.retain(|team| {
            let is_known = known.iter().any(|it| it.name == *team);
            if !is_known {
                tracing::warn!(team, "a group of the settings is of a team that there is not");
            }
            is_known
        });
    }
    Ok((distinct(roles), teams))
}

/// A name that fits and that nobody else has: records name people by it.
async fn free_name(control: &Control, wanted: &str, subject: &str) -> Result<String, Problem> {
    let kept = |it: char| it.is_ascii_alphanumeric() || "-_.@+".contains(it);
    let fit: String = wanted.chars().map(|it| if kept(it) { it } else { '-' }).collect();
    let fit = fit.trim_start_matches(|it: char| !it.is_ascii_alphanumeric());
    let fit: String = fit.chars().take(NAME_CHARS_MAX - 9).collect();
    let fit = if fit.is_empty() { "user".to_owned() } else { fit };
    let is_taken = has_name(control, &fit).await?;
    Ok(if is_taken { format!("{fit}-{}", &digest(subject)[..8]) } else { fit })
}
