//! Recent sessions of clients: how much they asked, what was found in them, and whether they are kept out.

use std::collections::HashMap;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::paging::{self, searchable};
use super::record;
use super::scope::Scope;
use crate::control::Problem;
use crate::control::http::{Granted, Json, Query, Route, get};
use crate::control::quarantine;
use crate::control::roles::Permission;
use crate::control::server::Control;
use crate::domain::Risk;
use crate::store::{self, Exchange, Subject};

const SESSIONS_MAX: usize = 200;

/// Which sessions.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionQuery {
    /// Of this team.
    #[serde(default)]
    pub(crate) team: Option<String>,
}

/// A session, as far as the newest records tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ClientSession")]
pub(crate) struct SessionView {
    /// Its id, as the client names it.
    pub(crate) session: String,
    /// Its team.
    pub(crate) team: String,
    /// The gateway key of its newest request, as records name it.
    pub(crate) key: Option<String>,
    /// The model of its newest request.
    pub(crate) model: Option<String>,
    /// Requests.
    pub(crate) requests: u64,
    /// Findings.
    pub(crate) findings: u64,
    /// Requests or answers that were stopped.
    pub(crate) blocked: u64,
    /// The highest risk.
    pub(crate) risk: Option<String>,
    /// Its oldest request among the records that were looked at, Unix milliseconds.
    pub(crate) first_ms: u64,
    /// Its newest request, Unix milliseconds.
    pub(crate) last_ms: u64,
    /// Whether it is kept out, by itself or with its team.
    pub(crate) held: bool,
}

/// Sessions of the newest records.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Sessions {
    /// The one that was seen last first, at most 200.
    pub(crate) sessions: Vec<SessionView>,
    /// Whether there are older records than those that were looked at, at most 2000.
    pub(crate) more: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("sessions.list", "/api/v1/sessions", Permission::ReadFindings, list)
            .says("Recent sessions of clients, the newest first")
            .asks::<SessionQuery>()
            .answers::<Sessions>(),
    ]
}

async fn list(
    State(control): State<Control>,
    granted: Granted,
    Query(query): Query<SessionQuery>,
) -> Result<Json<Sessions>, Problem> {
    Ok(Json(recent(&control, &granted, query).await?))
}

/// Recent sessions within reach.
pub(crate) async fn recent(control: &Control, granted: &Granted, query: SessionQuery) -> Result<Sessions, Problem> {
    let scope = Scope::of(control, granted).await?;
    let (team, kind) = (searchable("team", query.team)?, Some("exchange".to_owned()));
    let asked = store::Query { team, kind, ..store::Query::default() };
    let has_session = |it: &store::Record| matches!(&it.subject, Subject::Exchange(it) if it.session.is_some());
    let page = paging::page(control, &scope, &asked, paging::READ_MAX, has_session).await?;
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    let mut sessions: Vec<SessionView> = Vec::new();
    for seen in &page.records {
        let Some((it, session)) = seen.exchange().and_then(|it| Some((it, it.session.clone()?))) else { continue };
        let at = *places.entry((it.team.clone(), session.clone())).or_insert_with(|| {
            let (team, key, model) = (it.team.clone(), it.key.clone(), it.model.clone());
            let last_ms = seen.record.written_ms;
            sessions.push(SessionView { session, team, key, model, last_ms, ..SessionView::default() });
            sessions.len() - 1
        });
        add(&mut sessions[at], it, seen.record.written_ms);
    }
    let more = page.next.is_some() || sessions.len() > SESSIONS_MAX;
    sessions.truncate(SESSIONS_MAX);
    let held = quarantine::held(control).await?;
    for it in &mut sessions {
        it.held = quarantine::is_session_held(&held, &it.team, &it.session);
    }
    Ok(Sessions { sessions, more })
}

fn add(session: &mut SessionView, it: &Exchange, written_ms: u64) {
    session.requests += 1;
    session.findings += record::findings(it);
    session.blocked += u64::from(it.blocked());
    session.first_ms = written_ms;
    let known: Option<Risk> = session.risk.as_deref().and_then(|it| it.parse().ok());
    session.risk = known.max(it.risk()).map(|it| it.name().to_owned());
}
