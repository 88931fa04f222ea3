//! Peers side by side: the same work for each of them in turns, so that a busy machine is busy for all, and their ratios.

pub mod holds;
pub mod peer;
pub mod results;
mod saturation;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::peer::{Peer, Running, Setting};
use crate::client::{Client, Target};
use crate::load::Stage;
use crate::measure::{Phase, median, minimum};
use crate::provider::{Behaviour, Provider};
use crate::run::{self, Class};
use crate::scenario::{Load, Scenario, Sessions, Work};

/// What a comparison is told.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Folder with a folder for each peer.
    pub peers_folder: PathBuf,
    /// Folder with the scenarios.
    pub scenarios_folder: PathBuf,
    /// Peers to measure; all, if none is named.
    pub peers: Vec<String>,
    /// Scenarios to measure; all that peers name, if none is named.
    pub scenarios: Vec<String>,
    /// How often everything is done.
    pub rounds: usize,
    /// Part of each scenario: 1 for the whole.
    pub part: f64,
    /// Where peers run.
    pub setting: Setting,
}

/// One peer, and whether it could be measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is and does here.
    pub words: String,
    /// What it says its version is.
    pub version: String,
    /// How it is started.
    pub command: String,
    /// Why it could not be measured.
    pub problem: Option<String>,
}

/// One scenario of one peer in one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measure {
    /// The peer.
    pub peer: String,
    /// The scenario.
    pub scenario: String,
    /// From 0.
    pub round: usize,
    /// What it came to.
    pub phase: Phase,
}

/// Everything that was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    /// All peers that were asked for.
    pub entries: Vec<Entry>,
    /// All that was measured.
    pub measures: Vec<Measure>,
    /// Rounds.
    pub rounds: usize,
    /// Part of each scenario.
    pub part: f64,
    /// Remarks.
    pub notes: Vec<String>,
}

/// Two peers over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Of the medians.
    pub medians: f64,
    /// Of the least values.
    pub minima: f64,
    /// Of the rounds, the smallest.
    pub least: f64,
    /// Of the rounds, the largest.
    pub most: f64,
}

impl Results {
    /// A value of each round in which the peer has it, by round.
    pub fn values(&self, peer: &str, scenario: &str, value: impl Fn(&Phase) -> Option<f64>) -> Vec<(usize, f64)> {
        let of = self.measures.iter().filter(|it| it.peer == peer && it.scenario == scenario);
        of.filter_map(|it| Some((it.round, value(&it.phase)?))).collect()
    }

    /// The median over the rounds.
    pub fn median(&self, peer: &str, scenario: &str, value: impl Fn(&Phase) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.values(peer, scenario, value).into_iter().map(|it| it.1).collect();
        median(&values)
    }

    /// One peer over another; `None` if one of them has no value.
    pub fn ratio(
        &self,
        (peer, scenario): (&str, &str),
        (other, other_scenario): (&str, &str),
        value: impl Fn(&Phase) -> Option<f64>,
    ) -> Option<Ratio> {
        let (upper, lower) = (self.values(peer, scenario, &value), self.values(other, other_scenario, &value));
        let only = |values: &[(usize, f64)]| values.iter().map(|it| it.1).collect::<Vec<f64>>();
        let rounds: Vec<f64> = upper
            .iter()
            .filter_map(|(round, value)| Some(value / lower.iter().find(|it| it.0 == *round)?.1))
            .filter(|it| it.is_finite())
            .collect();
        Some(Ratio {
            medians: median(&only(&upper))? / median(&only(&lower))?,
            minima: minimum(&only(&upper))? / minimum(&only(&lower))?,
            least: minimum(&rounds)?,
            most: rounds.iter().copied().max_by(f64::total_cmp)?,
        })
    }
}

struct Contestant {
    peer: Peer,
    running: Running,
    client: Arc<Client>,
}

impl Contestant {
    fn stage(&self) -> Stage {
        Stage {
            client: self.client.clone(),
            watched: self.running.watched(),
            label: Some(format!("  {}", self.peer.name)),
        }
    }
}

/// Starts the peers, measures them in turns, and stops them.
pub async fn compare(plan: &Plan) -> Result<Results, String> {
    let peers = Peer::read_all(&plan.peers_folder, &plan.peers)?;
    let scenarios = scenarios(plan, &peers)?;
    let mut results = Results { rounds: plan.rounds, part: plan.part, ..Results::default() };
    let local = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let provider = Provider::start(local, Behaviour::default(), true).await.map_err(|error| error.to_string())?;
    let mut contestants = start_all(peers, plan, &provider, &mut results).await;
    for round in 0..plan.rounds {
        for scenario in &scenarios {
            // A scenario that no peer names was asked for, and is for all of them.
            let all = !contestants.iter().any(|it| it.peer.scenarios.contains(&scenario.name));
            let takes = |it: &&mut Contestant| all || it.peer.scenarios.contains(&scenario.name);
            let mut turn: Vec<&mut Contestant> = contestants.iter_mut().filter(takes).collect();
            // Each round begins with another peer, so that none always comes first.
            let first = round % turn.len().max(1);
            turn.rotate_left(first);
            eprintln!("round {} of {}: {}", round + 1, plan.rounds, scenario.name);
            let scenario = Scenario { seed: scenario.seed + 7_919 * round as u64, ..scenario.clone() };
            measure(plan, &provider, &scenario, round, &mut turn, &mut results).await;
        }
    }
    for contestant in contestants {
        contestant.client.close();
        contestant.running.stop().await;
    }
    Ok(results)
}

/// What is measured, in the order in which peers name it; or what was asked for, which need not be named by a peer.
fn scenarios(plan: &Plan, peers: &[Peer]) -> Result<Vec<Scenario>, String> {
    let mut names: Vec<&String> = plan.scenarios.iter().collect();
    if names.is_empty() {
        for name in peers.iter().flat_map(|peer| &peer.scenarios) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let read = |name: &String| Scenario::read(&plan.scenarios_folder.join(format!("{name}.yaml")));
    names.into_iter().map(|name| Ok(read(name)?.scaled(plan.part))).collect()
}

/// Starts all peers at the same time: some take long, and none is measured before all are there.
async fn start_all(peers: Vec<Peer>, plan: &Plan, provider: &Arc<Provider>, results: &mut Results) -> Vec<Contestant> {
    let begun = peers.into_iter().map(|peer| {
        let (plan, provider) = (plan.clone(), provider.clone());
        tokio::spawn(async move { (peer.entry(&plan.setting).await, start(&peer, &plan, &provider).await) })
    });
    let mut contestants = Vec::new();
    for starting in begun.collect::<Vec<_>>() {
        let Ok((mut entry, started)) = starting.await else { continue };
        match started {
            Ok(contestant) => {
                eprintln!("{} is ready", entry.name);
                contestants.push(contestant);
            }
            Err(problem) => {
                eprintln!("{}: {problem}", entry.name);
                entry.problem = Some(problem);
            }
        }
        results.entries.push(entry);
    }
    contestants
}

async fn start(peer: &Peer, plan: &Plan, provider: &Arc<Provider>) -> Result<Contestant, String> {
    let running = Running::start(peer, &plan.setting, provider.address().port()).await?;
    let target = Target::parse(&format!("http://127.0.0.1:{}{}", running.port, peer.path))?;
    let client =
        Client::new(target, Some("loadtest"), &peer.headers(provider.address().port()), Some(provider.clone()))?;
    let contestant = Contestant { peer: peer.clone(), running, client: Arc::new(client) };
    match contestant.running.ready(&contestant.client, provider).await {
        Ok(()) => Ok(contestant),
        Err(problem) => {
            contestant.running.stop().await;
            Err(problem)
        }
    }
}

async fn measure(
    plan: &Plan,
    provider: &Arc<Provider>,
    scenario: &Scenario,
    round: usize,
    turn: &mut [&mut Contestant],
    results: &mut Results,
) {
    provider.behave(scenario.provider.clone());
    let mut keep = |peer: &str, phase: Phase| {
        report(peer, &phase);
        results.measures.push(Measure { peer: peer.into(), scenario: scenario.name.clone(), round, phase });
    };
    match &scenario.work {
        Work::Session(work) => {
            for (peer, phase) in sessions(turn, work, scenario.seed).await {
                keep(&peer, phase);
            }
        }
        Work::Requests(work) if matches!(work.load, Load::Closed(_)) => {
            let Load::Closed(load) = work.load else { return };
            let calls = run::first_turns(work.shape(), load.requests, scenario.seed * 1_000_003).await;
            for it in turn {
                let count = ((calls.len() as f64 * it.peer.part).ceil() as usize).clamp(1, calls.len());
                let calls = Arc::new(calls[..count].to_vec());
                keep(&it.peer.name, it.stage().closed(&scenario.name, calls, load.concurrency).await);
            }
        }
        Work::Saturation(_) => {
            for it in turn {
                let phase = saturation::measure(&it.stage(), &it.running, provider, scenario).await;
                keep(&it.peer.name, phase);
            }
        }
        Work::Streams(_) => {
            for it in turn {
                // Memory is what a fresh process grows by: one that has worked before would reuse what it holds.
                if let Err(problem) = restart(it, plan, provider).await {
                    eprintln!("{}: {problem}", it.peer.name);
                    continue;
                }
                for phase in run::execute(&it.stage(), Some(provider), scenario).await {
                    keep(&it.peer.name, phase);
                }
            }
        }
        Work::Requests(_) | Work::Fleet(_) => {
            for it in turn {
                for phase in run::execute(&it.stage(), Some(provider), scenario).await {
                    keep(&it.peer.name, phase);
                }
            }
        }
    }
}

/// All peers go through the same turn of the same sessions before anyone goes on to the next.
async fn sessions(turn: &mut [&mut Contestant], work: &Sessions, seed: u64) -> Vec<(String, Phase)> {
    let mut class = Class::new(work.shape(), work.sessions, seed * 1_000_003);
    let mut phases = Vec::new();
    for number in 1..=work.turns {
        let calls = class.calls();
        for it in turn.iter_mut() {
            let phase = it.stage().closed(&format!("turn {number}"), calls.clone(), work.concurrency).await;
            if work.reports(number) {
                phases.push((it.peer.name.clone(), phase));
            }
        }
        class.advance();
    }
    phases
}

async fn restart(contestant: &mut Contestant, plan: &Plan, provider: &Arc<Provider>) -> Result<(), String> {
    contestant.client.close();
    contestant.running.stop_now().await;
    // Its port may be taken by now, so it gets another one.
    *contestant = start(&contestant.peer.clone(), plan, provider).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(())
}

fn report(peer: &str, phase: &Phase) {
    let cpu = phase.cpu_per_request().map_or("-".into(), |it| format!("{it:.1}"));
    let p50 = phase.latency.as_ref().map_or("-".into(), |it| format!("{:.2}", it.p50 as f64 / 1e6));
    eprintln!(
        "  {peer:24} {:12} {:6} requests, CPU {cpu:>9} us each, p50 {p50} ms, refused {}, failed {}",
        phase.name,
        phase.requests,
        phase.refusals(),
        phase.failures()
    );
}

/// The folder that paths of a comparison begin at.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_over_rounds() {
        let measure = |peer: &str, round, nanoseconds| Measure {
            peer: peer.into(),
            scenario: "work".into(),
            round,
            phase: Phase { requests: 10, cpu_nanoseconds: Some(nanoseconds), ..Phase::default() },
        };
        let cpu = [("a", 0, 100), ("b", 0, 50), ("a", 1, 900), ("b", 1, 300), ("a", 2, 120), ("b", 2, 40)];
        let measures = cpu.into_iter().map(|(peer, round, it)| measure(peer, round, it)).collect();
        let results = Results { measures, ..Results::default() };
        let ratio = results.ratio(("a", "work"), ("b", "work"), Phase::cpu_per_request).unwrap();
        assert_eq!((ratio.medians, ratio.minima, ratio.least, ratio.most), (2.4, 2.5, 2.0, 3.0));
        assert_eq!(results.ratio(("a", "work"), ("c", "work"), Phase::cpu_per_request), None);
    }
}
