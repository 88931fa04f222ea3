//! What processes cost, from the operating system: CPU time and memory of given processes and all their children.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::files;

/// Children of children are looked for so deep.
const GENERATIONS_MAX: usize = 8;

/// Processes that are watched, with whatever they start.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    roots: Vec<u32>,
}

/// CPU time at one moment.
#[derive(Clone, Debug, Default)]
pub struct Cpu {
    /// Nanoseconds of each thread, by process and thread.
    threads: HashMap<(u32, u32), u64>,
    /// Clock ticks of each process, those of ended threads included.
    ticks: HashMap<u32, u64>,
}

/// Memory at one moment, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Resident.
    pub resident_bytes: u64,
    /// Resident, pages shared with others counted in part.
    pub proportional_bytes: u64,
    /// Threads.
    pub threads: u64,
}

impl Watched {
    /// Watches these and their children.
    pub fn new(roots: Vec<u32>) -> Self {
        Watched { roots }
    }

    /// Whether there is anything to watch.
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// Whether all given processes live; one that has ended and was not waited for does not.
    pub fn alive(&self) -> bool {
        self.roots.iter().all(|pid| Stat::read(*pid).is_some_and(|it| !it.ended))
    }

    /// The processes that are there now.
    pub fn processes(&self) -> Vec<u32> {
        let parents: Vec<(u32, u32)> =
            numbers("/proc").filter_map(|pid| Some((pid, Stat::read(pid)?.parent))).collect();
        let mut found: HashSet<u32> = self.roots.iter().copied().collect();
        for _ in 0..GENERATIONS_MAX {
            let before = found.len();
            found
                .extend(parents.iter().filter(|(_, parent)| found.contains(parent)).map(|it| it.0).collect::<Vec<_>>());
            if found.len() == before {
                break;
            }
        }
        found.into_iter().collect()
    }

    /// CPU time so far.
    pub fn cpu(&self) -> Cpu {
        let mut cpu = Cpu::default();
        for pid in self.processes() {
            cpu.ticks.extend(Stat::read(pid).map(|it| (pid, it.ticks)));
            for thread in numbers(&format!("/proc/{pid}/task")) {
                let spent = text(&format!("/proc/{pid}/task/{thread}/schedstat"));
                let spent = spent.and_then(|it| it.split(' ').next()?.parse().ok());
                cpu.threads.extend(spent.map(|it: u64| ((pid, thread), it)));
            }
        }
        cpu
    }

    /// Memory now.
    pub fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for pid in self.processes() {
            let Some(rollup) = text(&format!("/proc/{pid}/smaps_rollup")) else { continue };
            memory.resident_bytes += kibibytes(&rollup, "Rss:");
            memory.proportional_bytes += kibibytes(&rollup, "Pss:");
            memory.threads += numbers(&format!("/proc/{pid}/task")).count() as u64;
        }
        memory
    }
}

impl Cpu {
    /// CPU time from `before` until this moment. Exact to nanoseconds while threads live; where threads have ended, the
    /// processes' clock ticks say what is missing, to a hundredth of a second for each process.
    pub fn since(&self, before: &Cpu) -> Duration {
        let threads = self.threads.iter();
        let lived: u64 =
            threads.map(|(id, spent)| spent - before.threads.get(id).copied().unwrap_or(0).min(*spent)).sum();
        let ended = before.threads.keys().any(|id| self.ticks.contains_key(&id.0) && !self.threads.contains_key(id));
        let ticks = self.ticks.iter();
        let ticks: u64 =
            ticks.map(|(pid, count)| count - before.ticks.get(pid).copied().unwrap_or(0).min(*count)).sum();
        let ticked = ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
        Duration::from_nanos(if ended { lived.max(ticked) } else { lived })
    }
}

struct Stat {
    ended: bool,
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Stat> {
        let stat = text(&format!("/proc/{pid}/stat"))?;
        // The name, in brackets, may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        let ended = matches!(*fields.first()?, "Z" | "X");
        Some(Stat { ended, parent: u32::try_from(number(1)?).ok()?, ticks: number(11)? + number(12)? })
    }
}

fn text(path: &str) -> Option<String> {
    files::text(Path::new(path)).ok()
}

fn numbers(folder: &str) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn kibibytes(rollup: &str, name: &str) -> u64 {
    let line = rollup.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|it| it.split_ascii_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_cpu_time_and_memory_is_seen() {
        let watched = Watched::new(vec![std::process::id()]);
        assert!(watched.alive());
        let before = watched.cpu();
        let mut random = crate::random::Random::new(1);
        let mixed = (0..20_000_000).fold(0, |sum: u64, _| sum ^ random.bits());
        assert_ne!(mixed, 0);
        assert!(watched.cpu().since(&before) > Duration::from_millis(1));
        let memory = watched.memory();
        assert!(memory.resident_bytes > 1 << 20);
        assert!(memory.proportional_bytes <= memory.resident_bytes);
        assert!(memory.threads >= 1);
    }

    #[test]
    fn children_are_watched_too() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let processes = Watched::new(vec![std::process::id()]).processes();
        assert!(processes.contains(&child.id()));
        let watched = Watched::new(vec![child.id()]);
        assert!(watched.alive());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!watched.alive());
    }

    #[test]
    fn what_ended_threads_spent_is_taken_from_the_ticks() {
        let hertz = rustix::param::clock_ticks_per_second();
        let cpu = |threads: &[(u32, u64)], ticks| Cpu {
            threads: threads.iter().map(|(thread, spent)| ((1, *thread), *spent)).collect(),
            ticks: HashMap::from([(1, ticks)]),
        };
        let before = cpu(&[(1, 500), (2, 1_000)], 10);
        assert_eq!(cpu(&[(1, 800), (2, 1_100), (3, 50)], 10).since(&before), Duration::from_nanos(450));
        assert_eq!(cpu(&[(1, 800)], 10 + hertz).since(&before), Duration::from_secs(1));
    }
}
