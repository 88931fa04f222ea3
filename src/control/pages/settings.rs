//! How the control plane itself is set up; changed in its file, not here.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::layout::{Shell, shown};
use crate::control::Problem;
use crate::control::http::{Granted, Route, page};
use crate::control::roles::Permission;
use crate::control::server::Control;
use crate::control::sign_in;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    shell: Shell,
    public_url: String,
    https: bool,
    store: &'static str,
    retention_days: u32,
    local_sign_in: bool,
    ways: Vec<String>,
    approvals: bool,
    version: &'static str,
}

pub(super) fn routes() -> Vec<Route> {
    vec![page("pages.settings", "/settings", Permission::ReadSettings, read).says("Settings, without secrets")]
}

async fn read(State(control): State<Control>, granted: Granted) -> Result<Response, Problem> {
    let settings = &control.settings;
    let postgres = settings.store.as_deref().is_some_and(|it| it.starts_with("postgres"));
    shown(&SettingsPage {
        shell: Shell::of(&control, &granted, "Settings", "/settings"),
        public_url: settings.public_url.clone(),
        https: control.is_https(),
        // The address of a database may hold its password.
        store: if postgres { "PostgreSQL" } else { "SQLite, a file in the data folder" },
        retention_days: settings.retention_days,
        local_sign_in: settings.local_sign_in(),
        ways: sign_in::ways(&control).into_iter().map(|it| it.name).collect(),
        approvals: settings.approvals,
        version: env!("CARGO_PKG_VERSION"),
    })
}
