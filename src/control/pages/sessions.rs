//! Sessions of clients, and who is kept out.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::forms::{Mistakes, given, number};
use super::layout::{Said, Shell, again, also, on_to, shown};
use crate::control::Problem;
use crate::control::findings::{SessionQuery, SessionView, recent};
use crate::control::http::{Form, Granted, Path, Query, Route, page, submit};
use crate::control::quarantine::{self, Kind, NewQuarantine, QuarantineView};
use crate::control::roles::{Permission, Reach};
use crate::control::server::Control;

#[derive(Template)]
#[template(path = "sessions.html")]
struct Sessions {
    shell: Shell,
    held: Vec<QuarantineView>,
    sessions: Vec<SessionView>,
    more: bool,
    quarantines: bool,
    /// Whether teams and users may be kept out and let in, too.
    everywhere: bool,
    typed: Typed,
    mistakes: Mistakes,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Typed {
    kind: String,
    value: String,
    team: String,
    reason: String,
    contact: String,
    hours: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TypedRelease {
    reason: String,
}

pub(super) fn routes() -> Vec<Route> {
    use Permission as P;
    vec![
        page("pages.sessions", "/sessions", P::ReadFindings, list).says("Sessions, and who is kept out"),
        submit("pages.quarantine", "/sessions", P::Quarantine, impose).says("Keeps somebody out"),
        submit("pages.release", "/quarantines/{reference}/release", P::Quarantine, release).says("Lets them in again"),
    ]
}

async fn list(State(control): State<Control>, granted: Granted, Query(said): Query<Said>) -> Result<Response, Problem> {
    let mut template = draw(&control, &granted).await?;
    template.shell = template.shell.after(&said);
    shown(&template)
}

async fn draw(control: &Control, granted: &Granted) -> Result<Sessions, Problem> {
    let reads = also(granted, Permission::ReadFindings);
    let reads = reads.ok_or_else(|| Problem::forbidden("you may not see sessions"))?;
    let found = recent(control, &reads, SessionQuery::default()).await?;
    let keeps_out = also(granted, Permission::Quarantine);
    let held = match &keeps_out {
        Some(granted) => quarantine::list(control, granted, false).await?,
        None => Vec::new(),
    };
    Ok(Sessions {
        shell: Shell::of(control, granted, "Sessions", "/sessions"),
        held,
        sessions: found.sessions,
        more: found.more,
        everywhere: keeps_out.as_ref().is_some_and(|it| it.reach == Reach::All),
        quarantines: keeps_out.is_some(),
        typed: Typed::default(),
        mistakes: Mistakes::default(),
    })
}

async fn impose(
    State(control): State<Control>,
    granted: Granted,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    let imposed = match typed.wanted() {
        Ok(new) => quarantine::imposed(&control, &granted, new).await,
        Err(problem) => Err(problem),
    };
    match imposed {
        Ok(_) => on_to("/sessions", "quarantined"),
        Err(problem) => {
            let mistakes =
                Mistakes::of(&problem, &[("reason", "`reason`"), ("hours", "`hours`"), ("value", "`value`")])?;
            again(&problem, &Sessions { typed, mistakes, ..draw(&control, &granted).await? })
        }
    }
}

async fn release(
    State(control): State<Control>,
    granted: Granted,
    Path(reference): Path<String>,
    Form(typed): Form<TypedRelease>,
) -> Result<Response, Problem> {
    match quarantine::released(&control, &granted, &reference, typed.reason.trim()).await {
        Ok(_) => on_to("/sessions", "released"),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[])?;
            again(&problem, &Sessions { mistakes, ..draw(&control, &granted).await? })
        }
    }
}

impl Typed {
    fn wanted(&self) -> Result<NewQuarantine, Problem> {
        let kind = match self.kind.as_str() {
            "session" => Kind::Session,
            "key" => Kind::Key,
            "user" => Kind::User,
            "team" => Kind::Team,
            _ => return Err(Problem::invalid("choose what is kept out: a session, a key, a user or a team")),
        };
        Ok(NewQuarantine {
            kind,
            value: self.value.trim().to_owned(),
            team: given(&self.team).filter(|_| kind == Kind::Session),
            reason: self.reason.trim().to_owned(),
            contact: given(&self.contact),
            hours: number("hours", &self.hours)?,
        })
    }
}
