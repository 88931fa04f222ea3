//! Who calls, and what the guard has decided about it.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::control::roles::{Permission, Reach, Role, reach};
use crate::control::users::User;
use crate::control::{Problem, ProblemKind};

/// Who calls.
#[derive(Clone, Default)]
pub(crate) struct Actor {
    who: Who,
    address: Option<IpAddr>,
}

#[derive(Clone, Default)]
pub(super) enum Who {
    #[default]
    Nobody,
    User {
        id: String,
        name: String,
        roles: Vec<Role>,
        teams: Vec<String>,
        via: Via,
    },
    Gateway {
        id: String,
        name: String,
    },
}

/// How a user is known. Whoever has the token of a session's forms can act for it: no `Debug`.
#[derive(Clone)]
pub(super) enum Via {
    Session { id: String, csrf: String },
    Token { scopes: Vec<Permission> },
}

impl Actor {
    pub(super) fn new(who: Who, address: Option<IpAddr>) -> Actor {
        Actor { who, address }
    }

    /// A user, for acts before there is a session.
    pub(crate) fn user(user: &User, address: Option<IpAddr>) -> Actor {
        let via = Via::Token { scopes: Vec::new() };
        let (id, name) = (user.id.clone(), user.name.clone());
        Actor { who: Who::User { id, name, roles: user.roles.clone(), teams: user.teams.clone(), via }, address }
    }

    /// The server itself, for what it does of its own.
    pub(crate) fn server() -> Actor {
        Actor::default()
    }

    /// What records name: `user:anna`, `gateway:edge-1`, `control`.
    pub(crate) fn name(&self) -> String {
        match &self.who {
            Who::Nobody => "control".to_owned(),
            Who::User { name, .. } => format!("user:{name}"),
            Who::Gateway { name, .. } => format!("gateway:{name}"),
        }
    }

    /// Where the request came from.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The session's id, where there is one.
    pub(crate) fn session(&self) -> Option<&str> {
        match &self.who {
            Who::User { via: Via::Session { id, .. }, .. } => Some(id),
            _ => None,
        }
    }

    /// How far the one who calls may do this.
    pub(super) fn reach_of(&self, permission: Permission) -> Option<Reach> {
        match &self.who {
            Who::User { via: Via::Token { scopes }, .. } if !scopes.contains(&permission) => None,
            Who::User { roles, .. } => reach(roles, permission),
            _ => None,
        }
    }

    pub(super) fn who(&self) -> &Who {
        &self.who
    }
}

/// Who calls, where anyone may.
#[derive(Clone)]
pub(crate) struct Caller(pub(super) Actor);

impl Caller {
    /// Who it is, as far as is known.
    pub(crate) fn actor(&self) -> Actor {
        self.0.clone()
    }

    /// Where the request came from.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.0.address
    }
}

/// Who calls, and how far that one may go. A handler that takes it runs only where the guard has decided.
#[derive(Clone)]
pub(crate) struct Granted {
    /// Who.
    pub(crate) actor: Actor,
    /// How far, for the permission of the route.
    pub(crate) reach: Reach,
}

impl Granted {
    /// The user's id.
    pub(crate) fn user(&self) -> Result<&str, Problem> {
        match &self.actor.who {
            Who::User { id, .. } => Ok(id),
            _ => Err(Problem::forbidden("this is for people")),
        }
    }

    /// The user's name.
    pub(crate) fn user_name(&self) -> &str {
        match &self.actor.who {
            Who::User { name, .. } => name,
            _ => "",
        }
    }

    /// The user's roles.
    pub(crate) fn roles(&self) -> &[Role] {
        match &self.actor.who {
            Who::User { roles, .. } => roles,
            _ => &[],
        }
    }

    /// Refuses tokens: no scope of theirs is about the account itself. `what` is what they cannot do.
    pub(crate) fn need_session(&self, what: &str) -> Result<(), Problem> {
        match self.actor.session() {
            Some(_) => Ok(()),
            None => Err(Problem::forbidden(format!("a token cannot {what}: sign in"))),
        }
    }

    /// The gateway's id.
    pub(crate) fn gateway(&self) -> Result<&str, Problem> {
        match &self.actor.who {
            Who::Gateway { id, .. } => Ok(id),
            _ => Err(Problem::forbidden("this is for gateways")),
        }
    }

    /// How far the one who calls may do something else.
    pub(crate) fn reach_of(&self, permission: Permission) -> Option<Reach> {
        self.actor.reach_of(permission)
    }

    /// What this session's forms and scripts send back.
    pub(crate) fn csrf(&self) -> Option<&str> {
        match &self.actor.who {
            Who::User { via: Via::Session { csrf, .. }, .. } => Some(csrf),
            _ => None,
        }
    }

    /// The user's teams.
    pub(crate) fn teams(&self) -> &[String] {
        match &self.actor.who {
            Who::User { teams, .. } => teams,
            _ => &[],
        }
    }

    /// The teams that this call may be about; `None`: all of them.
    pub(crate) fn teams_within_reach(&self) -> Option<&[String]> {
        (self.reach != Reach::All).then(|| self.teams())
    }

    /// Whether this call may be about that team. What is out of reach does not exist.
    pub(crate) fn need_team(&self, team: &str) -> Result<(), Problem> {
        match self.teams_within_reach() {
            Some(teams) if !teams.iter().any(|it| it == team) => Err(Problem::not_found("team", team)),
            _ => Ok(()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Granted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let granted = parts.extensions.get::<Granted>().cloned();
        granted.ok_or_else(|| Problem::new(ProblemKind::Internal, "nobody has decided about this request"))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| Problem::new(ProblemKind::Internal, "nobody has looked at who calls"))
    }
}
