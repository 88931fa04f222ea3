//! The ledger from admission to outlet, under outlets that fail, hang and refuse.
use std::path::Path;
use std::time::Instant;

use super::*;
use crate::domain::{Outcome, Stamp};
use crate::sinks::fixture::event;
use crate::sinks::{Failure, Hope, WallClock};
use crate::store::{Directory, Entry, Link};

/// What a scripted outlet does with a delivery.
type Script = Box<dyn FnMut(&[Entry]) -> Result<(), Failure> + Send>;

/// Notes what it took, unless its script says otherwise.
struct Scripted {
    taken: Arc<Mutex<Vec<Entry>>>,
    script: Script,
    hangs: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl Outlet for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    async fn deliver(&mut self, entries: &[Entry], _now_ms: u64) -> Result<(), Failure> {
        while self.hangs.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let result = (self.script)(entries);
        let done = result.as_ref().err().map_or(entries.len(), |it| it.done);
        self.taken.lock().unwrap().extend_from_slice(&entries[..done]);
        result
    }
}

/// A ledger in a folder, with one scripted outlet.
struct Bench {
    ledger: Ledger,
    taken: Arc<Mutex<Vec<Entry>>>,
    hangs: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
}

fn start(folder: &Path, durability: Durability, dead_letter_after: Option<Duration>, script: Script) -> Bench {
    let (journal, _) = Journal::open(&folder.join("journal"), "gw".into(), None).unwrap();
    let (taken, hangs) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let outlet = Scripted { taken: taken.clone(), script, hangs: hangs.clone() };
    let metrics = Arc::new(Metrics::new().unwrap());
    let following = Following::new(folder.join("scripted.json"), dead_letter_after, 0);
    let ledger = Ledger::start(Setup {
        journal,
        marker: Marker::new("gw", &[1; 32]),
        text_key: None,
        readers: vec![Reader { outlet: Box::new(outlet), following }],
        durability,
        on_failure: OnAuditFailure::Block,
        spool_bytes_max: 1 << 30,
        metrics: metrics.clone(),
        clock: Arc::new(WallClock::new()),
    });
    Bench { ledger: ledger.unwrap(), taken, hangs, metrics }
}

fn reader(outlet: Scripted, folder: &Path) -> Reader {
    Reader { outlet: Box::new(outlet), following: Following::new(folder.join("scripted.json"), None, 0) }
}

fn takes_all() -> Script {
    Box::new(|_| Ok(()))
}

fn exchanges(taken: &Mutex<Vec<Entry>>) -> Vec<u64> {
    let taken = taken.lock().unwrap();
    let is_exchange = |it: &&Entry| matches!(it.record().unwrap().subject, Subject::Exchange(_));
    taken.iter().filter(is_exchange).map(|it| it.sequence).collect()
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn every_exchange_is_delivered_once_in_order_and_signed() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), Durability::Batched, None, takes_all());
    for _ in 0..2500 {
        bench.ledger.record(bench.ledger.admit().unwrap(), Arc::new(event(Outcome::Forwarded)));
    }
    bench.ledger.finish();
    assert_eq!(exchanges(&bench.taken).len(), 2500);
    let taken = bench.taken.lock().unwrap();
    let mut hash = Link::FIRST;
    for (index, entry) in taken.iter().enumerate() {
        hash = hash.next(&entry.body);
        assert_eq!((entry.sequence, entry.hash), (index as u64 + 1, hash));
    }
    let Subject::Checkpoint(mark) = taken.last().unwrap().record().unwrap().subject else { panic!("no checkpoint") };
    assert!(mark.holds("gw") && mark.sequence + 1 == taken.len() as u64);
}

#[test]
fn an_outlet_that_hangs_is_in_nobodys_way_and_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), Durability::Strict, None, takes_all());
    bench.hangs.store(true, Ordering::Release);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for _ in 0..200 {
        let ticket = bench.ledger.admit().unwrap();
        runtime.block_on(bench.ledger.decided(event(Outcome::Forwarded))).unwrap();
        bench.ledger.record(ticket, Arc::new(event(Outcome::Forwarded)));
    }
    assert!(bench.taken.lock().unwrap().is_empty());
    bench.hangs.store(false, Ordering::Release);
    wait_for("all is delivered", || exchanges(&bench.taken).len() == 200);
    bench.ledger.finish();
    assert_eq!(bench.taken.lock().unwrap().iter().filter(|it| it.body.contains("\"decision\"")).count(), 200);
}

#[test]
fn what_an_outlet_refuses_for_now_is_tried_again_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut calls = 0;
    let script: Script = Box::new(move |entries| {
        calls += 1;
        match calls {
            1 | 2 => Err(Failure::later("away")),
            3 => Err(Failure::later("slow").after(entries.len() / 2)),
            _ => Ok(()),
        }
    });
    let bench = start(folder.path(), Durability::Batched, None, script);
    for _ in 0..100 {
        bench.ledger.record(bench.ledger.admit().unwrap(), Arc::new(event(Outcome::Forwarded)));
    }
    wait_for("all is delivered", || exchanges(&bench.taken).len() == 100);
    assert!(exchanges(&bench.taken).is_sorted());
    let text = String::from_utf8(bench.metrics.render()).unwrap();
    assert!(text.contains("airiskguard_audit_outlet_failures_total{outlet=\"scripted\"} 3"), "{text}");
}

#[test]
fn what_an_outlet_will_never_take_is_a_dead_letter() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |entry: &Entry| entry.sequence % 10 == 3;
    let script: Script = Box::new(move |entries| match entries.iter().position(refused) {
        Some(at) => Err(Failure { done: at, hope: Hope::Never, what: "no".into() }),
        None => Ok(()),
    });
    let bench = start(folder.path(), Durability::Batched, Some(Duration::from_secs(3600)), script);
    for _ in 0..50 {
        bench.ledger.record(bench.ledger.admit().unwrap(), Arc::new(event(Outcome::Forwarded)));
    }
    wait_for("all else is delivered", || exchanges(&bench.taken).len() == 45);
    let text = String::from_utf8(bench.metrics.render()).unwrap();
    assert!(text.contains("airiskguard_audit_dead_letters_total{outlet=\"scripted\"} 5"), "{text}");
}

#[test]
fn an_outlet_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let bench = start(folder.path(), Durability::Batched, None, takes_all());
        for _ in 0..10 {
            bench.ledger.record(bench.ledger.admit().unwrap(), Arc::new(event(Outcome::Forwarded)));
        }
        bench.ledger.finish();
        let taken = bench.taken.lock().unwrap();
        // Beside the exchanges: that the gateway stopped, and the signature over all.
        assert_eq!(taken.first().unwrap().sequence, round * 12 + 1);
        assert_eq!(taken.len(), 12);
    }
    assert_eq!(known_head(&folder.path().join("scripted.json")).unwrap().sequence, 36);
}

#[test]
fn places_come_back_when_records_are_written_and_run_out_when_they_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), Durability::Batched, None, takes_all());
    let mut tickets: Vec<Ticket> = (0..TICKETS_MAX).map(|_| bench.ledger.admit().unwrap()).collect();
    assert!(bench.ledger.admit().is_err());
    bench.ledger.record(tickets.pop().unwrap(), Arc::new(event(Outcome::Forwarded)));
    wait_for("its place is free", || bench.ledger.admit().is_ok());
    drop(tickets);
    assert!(bench.ledger.admit().is_ok());
    let text = String::from_utf8(bench.metrics.render()).unwrap();
    assert!(!text.contains("airiskguard_audit_refused_total 0") && text.contains("airiskguard_audit_lost_total 0"));
}

#[test]
fn a_journal_that_is_full_refuses_until_the_outlet_has_caught_up() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(&folder.path().join("journal"), "gw".into(), None).unwrap();
    let hangs = Arc::new(AtomicBool::new(true));
    let taken = Arc::new(Mutex::new(Vec::new()));
    let outlet = Scripted { taken: taken.clone(), script: takes_all(), hangs: hangs.clone() };
    let ledger = Ledger::start(Setup {
        journal,
        marker: Marker::new("gw", &[1; 32]),
        text_key: None,
        readers: vec![reader(outlet, folder.path())],
        durability: Durability::Batched,
        on_failure: OnAuditFailure::Block,
        // Less than two segments: the first is dropped once it was read.
        spool_bytes_max: 17 << 20,
        metrics: Arc::new(Metrics::new().unwrap()),
        clock: Arc::new(WallClock::new()),
    });
    let ledger = ledger.unwrap();
    let mut large = event(Outcome::Forwarded);
    large.agent = Some("a".repeat(100_000));
    let large = Arc::new(large);
    let mut written = 0;
    wait_for("the journal is full", || match ledger.admit() {
        Ok(ticket) => {
            ledger.record(ticket, large.clone());
            written += 1;
            false
        }
        Err(Unavailable) => true,
    });
    assert!(written > 170, "{written}");
    hangs.store(false, Ordering::Release);
    wait_for("there is room again", || ledger.admit().is_ok());
    ledger.finish();
    assert_eq!(exchanges(&taken).len(), written);
}

#[test]
fn a_clock_that_is_set_back_moves_no_record() {
    struct Back(AtomicU64);
    impl Clock for Back {
        fn now(&self) -> Stamp {
            let unix = Duration::from_millis(self.0.fetch_sub(1, Ordering::AcqRel));
            Stamp { monotonic: Duration::from_secs(1), unix }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(&folder.path().join("journal"), "gw".into(), None).unwrap();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let outlet = Scripted { taken: taken.clone(), script: takes_all(), hangs: Arc::default() };
    let ledger = Ledger::start(Setup {
        journal,
        marker: Marker::new("gw", &[1; 32]),
        text_key: None,
        readers: vec![reader(outlet, folder.path())],
        durability: Durability::Strict,
        on_failure: OnAuditFailure::Block,
        spool_bytes_max: 1 << 30,
        metrics: Arc::new(Metrics::new().unwrap()),
        clock: Arc::new(Back(AtomicU64::new(1_000_000))),
    });
    let ledger = ledger.unwrap();
    for _ in 0..20 {
        ledger.record(ledger.admit().unwrap(), Arc::new(event(Outcome::Forwarded)));
    }
    ledger.finish();
    let times: Vec<u64> = taken.lock().unwrap().iter().map(|it| it.written_ms).collect();
    assert!(times.len() >= 20 && times.is_sorted(), "{times:?}");
}

#[test]
fn one_ledger_follows_another_and_chains_what_the_first_still_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut directory = Directory::open(folder.path()).unwrap();
    let first = start(folder.path(), Durability::Strict, None, takes_all());
    first.ledger.keep(directory.take_lock().unwrap(), |_| {}).unwrap();
    for _ in 0..3 {
        first.ledger.record(first.ledger.admit().unwrap(), Arc::new(event(Outcome::Forwarded)));
    }
    let in_flight = first.ledger.admit().unwrap();
    assert!(!first.ledger.hand_over_if_awaited(), "nobody waits");
    let path = folder.path().to_owned();
    let waiting = std::thread::spawn(move || {
        let mut directory = Directory::prepare(&path).unwrap();
        directory.take_over(Duration::from_secs(20), || {}).unwrap();
        directory.take_lock().unwrap()
    });
    wait_for("nothing is handed over", || first.ledger.hand_over_if_awaited());
    let second = start(folder.path(), Durability::Strict, None, takes_all());
    let told = Arc::new(Mutex::new(Vec::new()));
    let tells = told.clone();
    second.ledger.keep(waiting.join().unwrap(), move |it| tells.lock().unwrap().push(it.kind())).unwrap();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(first.ledger.decided(event(Outcome::Forwarded))).unwrap();
    first.ledger.record(in_flight, Arc::new(event(Outcome::Forwarded)));
    second.ledger.record(second.ledger.admit().unwrap(), Arc::new(event(Outcome::Forwarded)));
    wait_for("not all is chained", || exchanges(&second.taken).len() == 2);
    first.ledger.finish();
    let left = folder.path().join("left");
    wait_for("the file stays", || std::fs::read_dir(&left).unwrap().count() == 0);
    second.ledger.finish();

    assert_eq!(*told.lock().unwrap(), ["decision", "exchange"], "what the first one left, once, and nothing else");
    assert_eq!(exchanges(&first.taken).len(), 3);
    let all = [first.taken.lock().unwrap().clone(), second.taken.lock().unwrap().clone()].concat();
    let kinds: Vec<_> = all.iter().map(|it| it.record().unwrap().subject.kind()).collect();
    assert_eq!(kinds.iter().filter(|it| **it == "decision").count(), 1, "{kinds:?}");
    let mut hash = Link::FIRST;
    for (index, entry) in all.iter().enumerate() {
        hash = hash.next(&entry.body);
        assert_eq!((entry.sequence, entry.hash), (index as u64 + 1, hash), "one chain");
    }
}
