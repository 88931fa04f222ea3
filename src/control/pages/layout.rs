//! What is around every page: where one can go, who is signed in, and what has just been done.

use askama::Template;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::show;
use crate::control::http::Granted;
use crate::control::problem;
use crate::control::roles::{Permission, Reach};
use crate::control::server::Control;
use crate::control::{Problem, ProblemKind};

/// What a template needs to draw the frame.
pub(super) struct Shell {
    pub(super) title: String,
    pub(super) groups: Vec<Group>,
    pub(super) user: String,
    pub(super) roles: String,
    pub(super) csrf: String,
    pub(super) notice: Option<&'static str>,
    here: &'static str,
    now_ms: u64,
    permissions: Vec<(Permission, Reach)>,
}

/// Entries of the navigation under one heading.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) entries: Vec<Entry>,
}

/// One place to go.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
}

/// What has just been done, as a redirect tells the next page.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    said: String,
}

/// Heading, name, path, and what one has to be allowed to see it.
const PLACES: [(&str, &str, &str, Permission); 16] = [
    ("", "Overview", "/", Permission::ReadOverview),
    ("", "Live", "/live", Permission::ReadFindings),
    ("", "Audit", "/audit", Permission::ReadFindings),
    ("", "Sessions", "/sessions", Permission::ReadFindings),
    ("", "Review", "/review", Permission::Review),
    ("Rules of the house", "Policies", "/policies", Permission::ReadPolicies),
    ("Rules of the house", "Custom rules", "/rules", Permission::ReadPolicies),
    ("Access", "Teams and keys", "/teams", Permission::ReadTeams),
    ("Access", "Providers", "/providers", Permission::ReadProviders),
    ("Access", "Users", "/users", Permission::ReadUsers),
    ("Operation", "Gateways", "/gateways", Permission::ReadGateways),
    ("Operation", "Verify audit", "/verify", Permission::VerifyAudit),
    ("Operation", "Settings", "/settings", Permission::ReadSettings),
    ("Operation", "First steps", "/start", Permission::ManageGateways),
    ("You", "Your sessions", "/account", Permission::ReadOverview),
    ("You", "API tokens", "/tokens", Permission::ReadOverview),
];

/// What may have been done. Only these are shown: an address made by somebody else cannot put words on a page.
const NOTICES: [(&str, &str); 27] = [
    ("welcome", "You are the first owner. A few steps from here to the first request."),
    ("provider-added", "The provider is connected."),
    ("provider-changed", "The provider's addresses are changed."),
    ("provider-removed", "The provider and its keys are removed."),
    ("provider-key-added", "The provider's key is kept, sealed. It is never shown again."),
    ("provider-key-removed", "The provider's key is forgotten."),
    ("team-made", "The team is made. Give its developers keys."),
    ("team-changed", "The team's settings are changed."),
    ("team-removed", "The team is removed."),
    ("key-revoked", "The key is revoked. Gateways refuse it within one poll."),
    ("user-made", "The user is made and can sign in."),
    ("user-changed", "The user is changed."),
    ("user-removed", "The user is removed, with all sessions and tokens; the user's gateway keys are revoked."),
    ("gateway-removed", "The gateway's access has ended."),
    ("session-ended", "The session has ended."),
    ("password-changed", "The password is changed. Your other sessions and your API tokens have ended."),
    ("token-revoked", "The token is revoked."),
    ("draft-saved", "The draft is saved."),
    ("draft-discarded", "The draft is discarded."),
    ("submitted", "The draft waits for approval by somebody else."),
    ("approved", "The draft is approved and can be published."),
    ("rejected", "The draft is sent back to its author."),
    ("published", "Published. Gateways take it within one poll."),
    ("rolled-back", "The earlier version is in force again."),
    ("quarantined", "Quarantined. Gateways refuse its requests within one poll."),
    ("released", "Released. Gateways let its requests through within one poll."),
    ("judged", "Your judgement is kept."),
];

impl Shell {
    /// The frame of a page, for the one who asks.
    pub(super) fn of(control: &Control, granted: &Granted, title: impl Into<String>, here: &'static str) -> Shell {
        let permissions = Permission::ALL.into_iter().filter_map(|it| Some((it, granted.reach_of(it)?)));
        let roles: Vec<String> = granted.roles().iter().map(|it| show::words(it.name())).collect();
        let mut shell = Shell {
            title: title.into(),
            groups: Vec::new(),
            user: granted.user_name().to_owned(),
            roles: roles.join(", "),
            csrf: granted.csrf().unwrap_or_default().to_owned(),
            notice: None,
            here,
            now_ms: control.shelf.now_ms(),
            permissions: permissions.collect(),
        };
        for (title, name, path, permission) in PLACES {
            if !shell.may(permission) {
                continue;
            }
            match shell.groups.last_mut().filter(|it| it.title == title) {
                Some(group) => group.entries.push(Entry { name, path }),
                None => shell.groups.push(Group { title, entries: vec![Entry { name, path }] }),
            }
        }
        shell
    }

    /// With the sentence about what has just been done.
    pub(super) fn after(mut self, said: &Said) -> Shell {
        self.notice = NOTICES.into_iter().find(|it| it.0 == said.said).map(|it| it.1);
        self
    }

    /// Whether this place of the navigation is where the page is.
    pub(super) fn is_here(&self, path: &str) -> bool {
        self.here == path
    }

    /// Whether the one who asks may do this, however far.
    pub(super) fn may(&self, permission: Permission) -> bool {
        self.permissions.iter().any(|it| it.0 == permission)
    }

    /// A moment as far as people want to know it: `3 min ago`.
    pub(super) fn ago(&self, at_ms: &u64) -> String {
        show::ago(self.now_ms, *at_ms)
    }
}

/// The page.
pub(super) fn shown(template: &impl Template) -> Result<Response, Problem> {
    Ok(Html(drawn(template)?).into_response())
}

/// The page again, with what is wrong, and the status of that.
pub(super) fn again(problem: &Problem, template: &impl Template) -> Result<Response, Problem> {
    Ok(problem::page(problem, drawn(template)?))
}

pub(super) fn drawn(template: &impl Template) -> Result<String, Problem> {
    template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be drawn");
        Problem::new(ProblemKind::Internal, "the page could not be drawn")
    })
}

/// On to another page, which says what was done.
pub(super) fn on_to(path: &str, said: &str) -> Result<Response, Problem> {
    let path = if said.is_empty() { path.to_owned() } else { format!("{path}?said={said}") };
    Ok(Redirect::to(&path).into_response())
}

/// The same person, as far as that one may do something else.
pub(super) fn also(granted: &Granted, permission: Permission) -> Option<Granted> {
    granted.reach_of(permission).map(|reach| Granted { actor: granted.actor.clone(), reach })
}
