//! One scenario against one gateway, from its file to its phases.

use std::sync::Arc;
use std::time::Duration;

use crate::agent::{Session, Shape, Tools};
use crate::client::Call;
use crate::load::{Arrivals, Crowd, IN_FLIGHT_MAX, Stage};
use crate::measure::Phase;
use crate::provider::Provider;
use crate::random::Random;
use crate::scenario::{Fleet, Load, Open, Part, Requests, Saturation, Scenario, Sessions, Streams, Work};

/// Bodies that are made before a phase take at most this much memory; then they are sent again.
const BODIES_BYTES_MAX: usize = 512 << 20;
/// Seeds of one scenario lie so far apart that bodies of two never share one.
const SEED_STEP: u64 = 1_000_003;

/// Runs a scenario. The provider, if it is ours, is told how to answer.
pub async fn execute(stage: &Stage, provider: Option<&Provider>, scenario: &Scenario) -> Vec<Phase> {
    if let Some(provider) = provider {
        provider.behave(scenario.provider.clone());
    }
    let seed = scenario.seed.wrapping_mul(SEED_STEP);
    match &scenario.work {
        Work::Requests(work) => vec![requests(stage, &scenario.name, work, seed).await],
        Work::Session(work) => sessions(stage, work, seed).await,
        Work::Streams(work) => vec![streams(stage, &scenario.name, work, seed).await],
        Work::Fleet(work) => vec![fleet(stage, &scenario.name, work, seed).await],
        Work::Saturation(work) => saturation(stage, work, seed).await,
    }
}

/// First turns of so many sessions, no two alike, as far as memory goes.
pub async fn first_turns(shape: Shape, count: usize, seed: u64) -> Arc<Vec<Call>> {
    let count = count.clamp(1, (BODIES_BYTES_MAX / shape.first_bytes.max(1)).max(1));
    let made = tokio::task::spawn_blocking(move || {
        let body = |place| Session::new(shape, seed.wrapping_add(place as u64)).body();
        (0..count).map(|place| Call { dialect: shape.dialect, body: body(place) }).collect()
    });
    // It can only fail by a panic, which the task's own report has shown; nothing to send is the honest rest.
    Arc::new(made.await.unwrap_or_default())
}

/// Sessions that all stand at the same turn.
pub struct Class {
    sessions: Vec<Session>,
    shape: Shape,
}

impl Class {
    /// So many sessions at their first turn.
    pub fn new(shape: Shape, count: usize, seed: u64) -> Class {
        let sessions = (0..count as u64).map(|place| Session::new(shape, seed.wrapping_add(place))).collect();
        Class { sessions, shape }
    }

    /// The requests of this turn.
    pub fn calls(&self) -> Arc<Vec<Call>> {
        let call = |session: &Session| Call { dialect: self.shape.dialect, body: session.body() };
        Arc::new(self.sessions.iter().map(call).collect())
    }

    /// Goes on to the next turn.
    pub fn advance(&mut self) {
        self.sessions.iter_mut().for_each(Session::advance);
    }
}

async fn requests(stage: &Stage, name: &str, work: &Requests, seed: u64) -> Phase {
    match work.load {
        Load::Closed(load) => {
            let calls = first_turns(work.shape(), load.requests, seed).await;
            stage.closed(name, calls, load.concurrency).await
        }
        Load::Open(load) => {
            let wanted = (load.per_second * load.seconds).ceil() as usize + load.burst;
            let calls = first_turns(work.shape(), wanted, seed).await;
            open(stage, name, load, calls, IN_FLIGHT_MAX, seed).await
        }
    }
}

/// Sends calls at times of their own, over and over if there are fewer than arrive.
pub async fn open(
    stage: &Stage,
    name: &str,
    load: Open,
    calls: Arc<Vec<Call>>,
    in_flight_max: usize,
    seed: u64,
) -> Phase {
    let arrivals = Arrivals { per_second: load.per_second, burst: load.burst, in_flight_max, seed };
    let lasts = Duration::from_secs_f64(load.seconds);
    let mut sent = 0;
    let next = |at: Duration| {
        let call = calls.get(sent % calls.len().max(1)).filter(|_| at < lasts)?;
        sent += 1;
        Some((call.clone(), 1.0))
    };
    stage.open(name, arrivals, next).await
}

async fn sessions(stage: &Stage, work: &Sessions, seed: u64) -> Vec<Phase> {
    let mut class = Class::new(work.shape(), work.sessions, seed);
    let mut phases = Vec::new();
    for turn in 1..=work.turns {
        let phase = stage.closed(&format!("turn {turn}"), class.calls(), work.concurrency).await;
        if work.reports(turn) {
            phases.push(phase);
        }
        class.advance();
    }
    phases
}

async fn streams(stage: &Stage, name: &str, work: &Streams, seed: u64) -> Phase {
    let Streams { dialect, streams, body_bytes, .. } = *work;
    let shape = Shape { dialect, first_bytes: body_bytes, turn_bytes: 0, tools: Tools::Own, stream: true };
    let calls = first_turns(shape, streams, seed).await;
    stage.streams(name, calls, crowd(work)).await
}

/// The streams of a scenario.
pub fn crowd(work: &Streams) -> Crowd {
    Crowd {
        streams: work.streams,
        ramp: Duration::from_secs_f64(work.ramp_seconds.max(0.0)),
        lasts: Duration::from_secs_f64(work.seconds),
        settle: Duration::from_secs_f64(work.settle_seconds.max(0.0)),
    }
}

/// The sessions of one part of a fleet, each with what it sends next.
struct Desk<'a> {
    part: &'a Part,
    sessions: Vec<Session>,
    next_seed: u64,
}

impl<'a> Desk<'a> {
    fn new(part: &'a Part, seed: u64) -> Self {
        let mut desk = Desk { part, sessions: Vec::new(), next_seed: seed };
        for place in 0..part.sessions.max(1) {
            let mut session = desk.begin();
            // A fleet has sessions at every turn.
            (0..place % part.turns.max(1)).for_each(|_| session.advance());
            desk.sessions.push(session);
        }
        desk
    }

    fn begin(&mut self) -> Session {
        let Part { dialect, first_bytes, turn_bytes, stream, .. } = *self.part;
        self.next_seed += 1;
        Session::new(Shape { dialect, first_bytes, turn_bytes, tools: Tools::Shared, stream }, self.next_seed)
    }

    fn call(&mut self, random: &mut Random) -> Call {
        let place = random.below(self.sessions.len());
        let call = Call { dialect: self.part.dialect, body: self.sessions[place].body() };
        if self.sessions[place].turn() < self.part.turns {
            self.sessions[place].advance();
        } else {
            self.sessions[place] = self.begin();
        }
        call
    }
}

async fn fleet(stage: &Stage, name: &str, work: &Fleet, seed: u64) -> Phase {
    let mut random = Random::new(seed);
    let desks = work.parts.iter().enumerate();
    let mut desks: Vec<Desk> = desks.map(|(place, part)| Desk::new(part, seed + place as u64 * 100_000)).collect();
    let shares: f64 = work.parts.iter().map(|part| part.share).sum();
    let arrivals = Arrivals { per_second: work.per_second, burst: 1, in_flight_max: IN_FLIGHT_MAX, seed };
    let next = |at: Duration| {
        let day = at.as_secs_f64() / work.seconds;
        let pace = *work.curve.get((day * work.curve.len() as f64) as usize)?;
        let mut drawn = random.unit() * shares;
        let place = work.parts.iter().position(|part| {
            drawn -= part.share;
            drawn < 0.0
        });
        let desk = place.unwrap_or(0);
        Some((desks[desk].call(&mut random), pace))
    };
    stage.open(name, arrivals, next).await
}

/// Measures what the gateway can take, then sends it many times that. Two phases, the second one being the overload.
async fn saturation(stage: &Stage, work: &Saturation, seed: u64) -> Vec<Phase> {
    let Saturation { dialect, body_bytes, .. } = *work;
    let shape = Shape { dialect, first_bytes: body_bytes, turn_bytes: 0, tools: Tools::Own, stream: false };
    let calls = first_turns(shape, 512, seed).await;
    let measure = Duration::from_secs_f64(work.measure_seconds);
    let capacity = stage.closed_for("capacity", calls.clone(), work.concurrency, measure).await;
    let per_second = (capacity.per_second() * work.times).max(1.0);
    let load = Open { per_second, seconds: work.seconds, burst: 1 };
    let mut over = open(stage, "overload", load, calls.clone(), work.in_flight_max, seed).await;
    over.notes
        .push(format!("{per_second:.0} requests a second were offered, {:.1} times what it took before", work.times));
    let begun = over.requests as f64 / (over.requests + over.not_begun).max(1) as f64;
    over.notes.push(format!(
        "{:.1} % of them were begun: the load test keeps at most {} in flight",
        begun * 100.0,
        work.in_flight_max
    ));
    let after = stage.closed_for("after", calls, work.concurrency, measure).await;
    vec![capacity, over, after]
}
