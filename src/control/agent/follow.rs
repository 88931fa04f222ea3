//! Following a policy server: asked again and again, what it says proven, read, put in force, and kept for the day on
//! which it is away.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::contact::{Answer, Contact};
use super::enrolment::Enrolment;
use super::kept;
use super::reading::{self, Told};
use super::shipping::Shipping;
use crate::config::{File, PolicyServer};
use crate::control::ProblemKind;
use crate::control::bundle::Signed;
use crate::domain::Clock;
use crate::pipeline::Live;
use crate::sinks::{Metrics, Polled, Scribe, WallClock};
use crate::store::Act;

/// Longest wait after polls that failed, as a multiple of the usual one.
const BACKOFF_MAX: u32 = 6;
/// How long the server is asked to wait with its answer for something new, at most; it waits no longer itself.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Shortest time between two polls, also where every answer is something new.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// How long a bundle that was refused is not asked for again.
const REFUSED_FOR: Duration = Duration::from_secs(60);
/// Polls for which the server's word on who is kept out holds without another one, whatever this machine's clock says.
const VOUCHED_POLLS: u32 = 6;
/// Longest reason in reports and in the audit log, bytes; the log has all of it.
const REASON_BYTES_MAX: usize = 1000;

/// Puts what was told in force beside the file of this gateway, or says why not.
pub type Offer = Box<dyn FnMut(&Told) -> Result<(), String> + Send>;

/// A gateway and the server it follows, before it serves.
pub struct Following {
    /// What it is known by.
    pub enrolment: Enrolment,
    contact: Contact,
    server: PolicyServer,
    folder: PathBuf,
    /// The last good bundle, of an earlier run.
    told: Option<Told>,
    /// Why that cannot be used, if so.
    unusable: Option<String>,
}

/// What following takes.
pub struct Setup {
    /// The snapshot in force, to be told how this gateway stands with its server.
    pub live: Arc<Live>,
    /// Where polls are counted.
    pub metrics: Arc<Metrics>,
    /// Where refused bundles are written down.
    pub scribe: Option<Scribe>,
    /// Puts bundles in force.
    pub offer: Offer,
}

impl Following {
    /// With what is kept in the gateway's folder.
    ///
    /// # Errors
    /// A gateway that was never enrolled, or roots that cannot be used: what to do.
    pub fn open(folder: &Path, server: &PolicyServer) -> Result<Following, String> {
        let Some(enrolment) = Enrolment::load(folder)? else {
            return Err(format!(
                "this gateway follows {} and was never enrolled there: ask an administrator for a token, and run \
                 `airiskguard-gateway enroll --token TOKEN` with this configuration",
                server.url
            ));
        };
        let contact = Contact::new(server, Some(enrolment.token.clone()))?;
        let kept = kept::load(folder).and_then(|it| it.map(|it| reading::read(&it, &enrolment, 0)).transpose());
        let (told, unusable) = match kept {
            Ok(told) => (told, None),
            Err(why) => (None, Some(why)),
        };
        Ok(Following { enrolment, contact, server: server.clone(), folder: folder.to_owned(), told, unusable })
    }

    /// What was in force when this gateway ran last.
    pub fn told(&self) -> Option<&Told> {
        self.told.as_ref()
    }

    /// Why what was in force cannot be used any more, if so.
    pub fn unusable(&self) -> Option<&str> {
        self.unusable.as_deref()
    }

    /// Notes that what was kept cannot be put in force.
    pub fn drop_told(&mut self, why: String) {
        (self.told, self.unusable) = (None, Some(why));
    }

    /// The local file with what was told in it; nobody is served where nothing was.
    pub fn governed(&self, local: &File) -> File {
        match &self.told {
            Some(told) => local.governed_by(told.file.clone()),
            None => local.ungoverned(),
        }
    }

    /// The outlet that ships records there; see [`Shipping`].
    pub fn shipping(&self, parts: super::shipping::Parts) -> Shipping {
        Shipping::new(self.contact.clone(), parts)
    }

    /// Follows on a thread of its own, as long as the process lives.
    ///
    /// # Errors
    /// No thread is to be had.
    pub fn start(self, setup: Setup) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let clock = WallClock::new();
        let now = clock.now();
        let (generation, made_ms) = self.told.as_ref().map_or((0, 0), |it| (it.generation, it.made_ms));
        setup.live.govern(|it| {
            it.server = self.server.url.to_string();
            (it.generation, it.made_ms, it.refused) = (generation, made_ms, self.unusable.clone());
        });
        if let Some(told) = &self.told {
            setup.live.held(told.held.clone(), told.owners.clone());
        }
        setup.metrics.control_follows(generation, now);
        let Following { enrolment, contact, server, folder, told: _, unusable } = self;
        let poller = Poller {
            enrolment,
            contact,
            poll: server.poll,
            folder,
            setup,
            clock,
            generation,
            tag: None,
            refused: unusable.map(|why| Refusal { why, until: Duration::ZERO }),
            failures: 0,
        };
        let run = move || runtime.block_on(poller.run());
        std::thread::Builder::new().name("control".into()).spawn(run).map(drop)
    }
}

struct Poller {
    enrolment: Enrolment,
    contact: Contact,
    poll: Duration,
    folder: PathBuf,
    setup: Setup,
    clock: WallClock,
    /// Of the bundle in force; 0: none.
    generation: u64,
    /// Of the newest bundle that was looked at.
    tag: Option<String>,
    refused: Option<Refusal>,
    /// Polls in a row without an answer.
    failures: u32,
}

/// A bundle that is not in force.
struct Refusal {
    why: String,
    /// When it is asked for again, on the monotonic clock.
    until: Duration,
}

/// What a gateway says of itself with every poll.
#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    generation: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
    records_behind: u64,
    poll_seconds: u64,
    clock_ms: u64,
    wait_seconds: u64,
}

impl Poller {
    async fn run(mut self) {
        loop {
            let (begun, generation) = (self.clock.now().monotonic, self.generation);
            match self.ask().await {
                Ok(()) => self.failures = 0,
                Err(what) => self.failed(&what),
            }
            let took = self.clock.now().monotonic.saturating_sub(begun);
            // What has changed may change again: the server is asked to wait for that at once.
            let pause = if self.generation == generation { self.pause().saturating_sub(took) } else { Duration::ZERO };
            tokio::time::sleep(pause.max(PAUSE_MIN)).await;
        }
    }

    /// One poll. `Err`: there was no answer that is of use.
    async fn ask(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        if self.refused.as_ref().is_some_and(|it| now.monotonic >= it.until) {
            self.tag = None;
        }
        let answer = self.contact.get::<Signed>(&self.path(), self.tag.as_deref()).await?;
        let refused = match answer {
            Answer::Given(signed, tag) => {
                self.heard();
                self.take(&signed, tag);
                return Ok(());
            }
            Answer::Unchanged => {
                self.heard();
                self.setup.metrics.control_polled(Polled::Unchanged);
                return Ok(());
            }
            Answer::Refused(it) => it,
        };
        match refused.kind {
            // It knows this gateway, and has nothing yet that loads.
            Some(ProblemKind::Conflict) => {
                self.heard();
                self.setup.metrics.control_polled(Polled::Unchanged);
                self.tell(Some(refused.detail));
                Ok(())
            }
            Some(ProblemKind::Unauthenticated) => Err(format!(
                "{}: it was removed there, or its token was replaced; this gateway serves on with what it has",
                refused.detail
            )),
            _ => Err(refused.detail),
        }
    }

    fn path(&self) -> String {
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            generation: self.generation,
            refused: self.refused.as_ref().map(|it| bounded(&it.why)),
            records_behind: self.setup.metrics.records_behind(Shipping::NAME),
            poll_seconds: self.poll.as_secs(),
            clock_ms: u64::try_from(self.clock.now().unix.as_millis()).unwrap_or(u64::MAX),
            wait_seconds: self.poll.min(WAIT_MAX).as_secs(),
        };
        // Numbers and texts alone: it can be written.
        format!("/api/v1/bundle?{}", serde_html_form::to_string(&report).unwrap_or_default())
    }

    /// The server has answered.
    fn heard(&self) {
        let now = self.clock.now();
        self.setup.metrics.control_heard(now);
        self.setup.live.govern(|it| it.contact = Some(now));
        // Who is kept out is known from the bundle in force, and another one is refused: the server ends nothing then.
        if self.refused.is_none() {
            self.setup.live.vouch(now.monotonic + self.poll.saturating_mul(VOUCHED_POLLS));
        }
        if self.failures > 0 {
            tracing::info!(polls = self.failures, "the policy server answers again");
        }
    }

    fn failed(&mut self, what: &str) {
        self.setup.metrics.control_polled(Polled::Failed);
        if self.failures == 0 {
            tracing::warn!("the policy server does not answer, what is in force stays: {what}");
        }
        self.failures = self.failures.saturating_add(1);
    }

    /// Puts a bundle in force, or changes nothing.
    fn take(&mut self, signed: &Signed, tag: Option<String>) {
        let told = reading::read(signed, &self.enrolment, self.generation);
        // What could be read and not be put in force is not compiled again with every poll.
        self.tag = told.as_ref().ok().and(tag);
        let done = told.and_then(|told| (self.setup.offer)(&told).map(|()| told));
        match done {
            Ok(told) => {
                self.setup.live.held(told.held, told.owners);
                if let Err(what) = kept::save(&self.folder, signed) {
                    tracing::error!("what is in force could not be kept for the next start: {what}");
                }
                (self.generation, self.refused) = (told.generation, None);
                self.setup.metrics.control_in_force(told.generation);
                self.setup.metrics.control_polled(Polled::Changed);
                self.setup.live.govern(|it| (it.generation, it.made_ms) = (told.generation, told.made_ms));
                self.tell(None);
            }
            Err(why) => self.refuse(why),
        }
    }

    fn refuse(&mut self, why: String) {
        self.setup.metrics.control_polled(Polled::Refused);
        self.setup.live.vouch(Duration::ZERO);
        let until = self.clock.now().monotonic + REFUSED_FOR;
        if self.refused.as_ref().is_none_or(|it| it.why != why) {
            tracing::error!("the bundle of the policy server is refused, what is in force stays: {why}");
            if let Some(scribe) = &self.setup.scribe {
                let details = [("generation", self.generation.to_string()), ("why", bounded(&why).to_owned())];
                let details = details.map(|(name, it)| (name.to_owned(), it)).into();
                scribe.act(Act { act: "bundle.refused".to_owned(), actor: "gateway".to_owned(), details });
            }
        }
        self.tell(Some(why.clone()));
        self.refused = Some(Refusal { why, until });
    }

    fn tell(&self, refused: Option<String>) {
        self.setup.live.govern(|it| it.refused = refused);
    }

    /// From one poll to the next: a little less than it could be, so that gateways do not ask all at once; longer where
    /// nobody answers.
    fn pause(&self) -> Duration {
        let longer = 2_u32.saturating_pow(self.failures.saturating_sub(1).min(8)).min(BACKOFF_MAX);
        let mut random = [0; 1];
        // Without random numbers they ask at once.
        let _ = getrandom::fill(&mut random);
        self.poll.saturating_mul(longer).mul_f64(1.0 - f64::from(random[0]) / 1280.0)
    }
}

fn bounded(why: &str) -> &str {
    &why[..why.floor_char_boundary(REASON_BYTES_MAX)]
}
