//! Scenarios: files that say which requests are sent, how many, how fast, and how the provider answers them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::agent::{Shape, Tools};
use crate::dialect::Dialect;
use crate::files;
use crate::provider::Behaviour;

/// One scenario file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// In reports.
    pub name: String,
    /// A sentence on what it stands for.
    pub words: String,
    /// Other seeds give other texts of the same kind.
    #[serde(default = "one")]
    pub seed: u64,
    /// How the load test's own provider answers.
    #[serde(default)]
    pub provider: Behaviour,
    /// What is sent.
    pub work: Work,
}

/// The kinds of load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// First turns, each of a session of its own.
    Requests(Requests),
    /// Sessions that go on turn by turn, all at the same turn; each turn is a phase.
    Session(Sessions),
    /// Streams that are open at the same time.
    Streams(Streams),
    /// A mix of everything, over the hours of a day.
    Fleet(Fleet),
    /// Many times what the gateway can take.
    Saturation(Saturation),
}

/// First turns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// How they talk.
    #[serde(default = "anthropic")]
    pub dialect: Dialect,
    /// About so many bytes each.
    pub body_bytes: usize,
    /// Whose tools and system prompt.
    #[serde(default)]
    pub tools: Tools,
    /// Whether a stream is asked for.
    #[serde(default)]
    pub stream: bool,
    /// How many, how fast.
    pub load: Load,
}

/// How requests arrive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Load {
    /// The next one when one is answered: what saturates, and what CPU per request is measured under.
    Closed(Closed),
    /// At times of their own, whatever the gateway does: what latency is measured under.
    Open(Open),
}

/// The next request when one is answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// Requests in flight.
    pub concurrency: usize,
    /// Requests in all.
    pub requests: usize,
}

/// Requests at times of their own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Requests a second, in the mean of a Poisson process.
    pub per_second: f64,
    /// For so long.
    pub seconds: f64,
    /// So many arrive at the same moment.
    #[serde(default = "one_request")]
    pub burst: usize,
}

/// Sessions turn by turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// How they talk.
    #[serde(default = "anthropic")]
    pub dialect: Dialect,
    /// Bytes of the first turn.
    pub first_bytes: usize,
    /// Bytes that each turn adds.
    pub turn_bytes: usize,
    /// Turns.
    pub turns: usize,
    /// Sessions.
    pub sessions: usize,
    /// Requests in flight.
    pub concurrency: usize,
    /// Whose tools and system prompt.
    #[serde(default)]
    pub tools: Tools,
    /// Whether streams are asked for.
    #[serde(default)]
    pub stream: bool,
    /// Turns that are reported; all, if none is named.
    #[serde(default)]
    pub reported: Vec<usize>,
}

/// Streams that are open at the same time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Streams {
    /// How they talk.
    #[serde(default = "anthropic")]
    pub dialect: Dialect,
    /// How many.
    pub streams: usize,
    /// Bytes of each request.
    pub body_bytes: usize,
    /// Over so many seconds they are opened.
    pub ramp_seconds: f64,
    /// For so many seconds they stay open; those that end before are opened again.
    pub seconds: f64,
    /// Waits so long before memory is read for the last time.
    #[serde(default = "settle")]
    pub settle_seconds: f64,
}

/// A mix over the hours of a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// The whole day is played in so many seconds.
    pub seconds: f64,
    /// Requests a second at a load of 1.
    pub per_second: f64,
    /// The load over the day, in equal stretches.
    pub curve: Vec<f64>,
    /// Who asks.
    pub parts: Vec<Part>,
}

/// One kind of client in a fleet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name in reports.
    pub name: String,
    /// Its weight among the arrivals.
    pub share: f64,
    /// How it talks.
    pub dialect: Dialect,
    /// Bytes of a first turn.
    pub first_bytes: usize,
    /// Bytes that each turn adds.
    #[serde(default)]
    pub turn_bytes: usize,
    /// After so many turns a session ends.
    #[serde(default = "one_request")]
    pub turns: usize,
    /// Sessions at the same time.
    #[serde(default = "one_request")]
    pub sessions: usize,
    /// Whether streams are asked for.
    #[serde(default)]
    pub stream: bool,
}

/// Many times what the gateway can take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saturation {
    /// How they talk.
    #[serde(default = "anthropic")]
    pub dialect: Dialect,
    /// Bytes of each request.
    pub body_bytes: usize,
    /// What the gateway can take is measured with so many requests in flight first.
    pub concurrency: usize,
    /// For so many seconds.
    pub measure_seconds: f64,
    /// Arrivals are so many times that.
    pub times: f64,
    /// For so many seconds.
    pub seconds: f64,
    /// The load test keeps at most so many requests in flight.
    pub in_flight_max: usize,
}

fn one() -> u64 {
    1
}

fn one_request() -> usize {
    1
}

fn anthropic() -> Dialect {
    Dialect::Anthropic
}

fn settle() -> f64 {
    3.0
}

impl Scenario {
    /// Reads a scenario file. The error names file and place.
    pub fn read(path: &Path) -> Result<Scenario, String> {
        let text = files::text(path).map_err(|error| error.to_string())?;
        Scenario::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// From the text of a scenario file.
    pub fn parse(text: &str) -> Result<Scenario, String> {
        let scenario: Scenario = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        match scenario.mistake() {
            Some(mistake) => Err(mistake.into()),
            None => Ok(scenario),
        }
    }

    /// The same with less of everything that takes time, to try things out: `part` of 1 is all of it.
    pub fn scaled(mut self, part: f64) -> Scenario {
        let count = |value: usize| ((value as f64 * part).ceil() as usize).max(1);
        match &mut self.work {
            Work::Requests(Requests { load: Load::Closed(it), .. }) => it.requests = count(it.requests),
            Work::Requests(Requests { load: Load::Open(it), .. }) => it.seconds = (it.seconds * part).max(1.0),
            Work::Session(it) => it.sessions = count(it.sessions),
            Work::Streams(it) => {
                it.streams = count(it.streams);
                it.seconds = (it.seconds * part).max(2.0);
                it.ramp_seconds *= part;
            }
            Work::Fleet(it) => it.seconds = (it.seconds * part).max(2.0),
            Work::Saturation(it) => {
                it.seconds = (it.seconds * part).max(2.0);
                it.measure_seconds = (it.measure_seconds * part).max(1.0);
            }
        }
        self
    }

    fn mistake(&self) -> Option<&'static str> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        match &self.work {
            Work::Requests(Requests { load: Load::Closed(it), .. }) if it.concurrency == 0 => {
                Some("concurrency is at least 1")
            }
            Work::Requests(Requests { load: Load::Open(it), .. })
                if !positive(it.per_second) || !positive(it.seconds) || it.burst == 0 =>
            {
                Some("per_second, seconds and burst are above 0")
            }
            Work::Session(it) if it.turns == 0 || it.sessions == 0 || it.concurrency == 0 => {
                Some("turns, sessions and concurrency are at least 1")
            }
            Work::Streams(it) if it.streams == 0 || !positive(it.seconds) => Some("streams and seconds are above 0"),
            Work::Fleet(it) if !positive(it.seconds) || !positive(it.per_second) => {
                Some("seconds and per_second are above 0")
            }
            Work::Fleet(it) if !it.curve.iter().all(|load| positive(*load)) || it.curve.is_empty() => {
                Some("curve is a list of loads above 0")
            }
            Work::Fleet(it) if !positive(it.parts.iter().map(|part| part.share).sum()) => {
                Some("parts have shares above 0")
            }
            Work::Saturation(it)
                if it.concurrency == 0
                    || it.in_flight_max == 0
                    || !positive(it.times)
                    || !positive(it.seconds)
                    || !positive(it.measure_seconds) =>
            {
                Some("concurrency, in_flight_max, times and seconds are above 0")
            }
            _ => None,
        }
    }
}

impl Requests {
    /// What each session is like.
    pub fn shape(&self) -> Shape {
        let Requests { dialect, body_bytes, tools, stream, .. } = *self;
        Shape { dialect, first_bytes: body_bytes, turn_bytes: 0, tools, stream }
    }
}

impl Sessions {
    /// What each session is like.
    pub fn shape(&self) -> Shape {
        let Sessions { dialect, first_bytes, turn_bytes, tools, stream, .. } = *self;
        Shape { dialect, first_bytes, turn_bytes, tools, stream }
    }

    /// Whether this turn, from 1, is reported.
    pub fn reports(&self, turn: usize) -> bool {
        self.reported.is_empty() || self.reported.contains(&turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_folder_is_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
        assert!(paths.len() >= 8, "{paths:?}");
        for path in paths {
            let scenario = Scenario::read(&path).unwrap();
            assert!(path.ends_with(format!("{}.yaml", scenario.name)), "{}", path.display());
            Scenario::parse(&serde_yaml::to_string(&scenario.scaled(0.1)).unwrap()).unwrap();
        }
    }

    #[test]
    fn mistakes_are_told() {
        let mistake = |work: &str| Scenario::parse(&format!("name: a\nwords: b\nwork: {work}")).unwrap_err();
        assert!(mistake("{kind: nothing}").contains("nothing"));
        assert!(mistake("{kind: requests, body_bytes: 1, lode: 3}").contains("load"));
        let open = "{kind: requests, body_bytes: 1, load: {per_second: 0, seconds: 1}}";
        assert!(mistake(open).contains("per_second"));
        assert!(mistake("{kind: fleet, seconds: 1, per_second: 1, curve: [], parts: []}").contains("curve"));
    }
}
