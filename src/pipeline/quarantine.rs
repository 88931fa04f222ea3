//! Who is kept out, whoever said so: the server, a rule of this gateway, the gateway before a restart. Outlives snapshots.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};

use crate::config::{Quarantine as Rules, QuarantineRule};
use crate::domain::{Event, Held, HeldKind, Stamp};
use crate::policy::{Subject, Windows, counted};

/// Quarantines of this gateway's own rules that hold at the same time; of more, the oldest end.
const IMPOSED_MAX: usize = 10_000;
/// Letters of a reference: no two that look the same.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// What stands in a record for a session that is itself a secret: many sessions, of which none can be told.
const HIDDEN: &str = "[REDACTED]";

/// Everyone who is kept out. Asked by every exchange, which waits for nobody's lock.
#[derive(Default)]
pub struct Quarantine {
    table: ArcSwap<Table>,
    kept: Mutex<Kept>,
    windows: Mutex<Windows>,
    /// Monotonic milliseconds. Until then the server ends what it has told, whatever the clock of this machine says.
    vouched_ms: AtomicU64,
}

/// Who asks to be let through.
#[derive(Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) team: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) session: Option<&'a str>,
}

/// What is looked up.
#[derive(Default)]
struct Table {
    held: HashMap<HeldKind, HashMap<String, Vec<Standing>>>,
    owners: Arc<BTreeMap<String, String>>,
}

/// Somebody who is kept out.
#[derive(Clone)]
struct Standing {
    held: Arc<Held>,
    /// By the server.
    is_told: bool,
}

/// Where it comes from.
#[derive(Default)]
struct Kept {
    /// By the server.
    told: Vec<Arc<Held>>,
    /// By rules of this gateway.
    imposed: Vec<Arc<Held>>,
    /// Of those, what nobody has written down yet.
    fresh: Vec<Arc<Held>>,
    owners: Arc<BTreeMap<String, String>>,
}

impl Quarantine {
    /// The server's word: these and no others that it told before. What this gateway has imposed and the server now
    /// tells is from then on the server's, which alone releases it.
    pub fn told(&self, held: Vec<Held>, owners: BTreeMap<String, String>) {
        let mut kept = self.kept();
        kept.told = held.into_iter().map(Arc::new).collect();
        kept.owners = Arc::new(owners);
        let Kept { told, imposed, .. } = &mut *kept;
        imposed.retain(|it| told.iter().all(|other| other.reference != it.reference));
        self.publish(&kept);
    }

    /// Until this moment, on the monotonic clock, the server is asked often enough: it takes back what has ended, by its
    /// own clock. Afterwards this machine's clock decides.
    pub fn vouch(&self, until: Duration) {
        self.vouched_ms.store(duration_millis(until), Ordering::Relaxed);
    }

    fn stands(&self, it: &Held, is_told: bool, now: Stamp) -> bool {
        let is_vouched = is_told && duration_millis(now.monotonic) < self.vouched_ms.load(Ordering::Relaxed);
        is_vouched || it.is_in_force(millis(now))
    }

    /// What this gateway had imposed before it was started.
    pub fn recall(&self, held: Vec<Held>) {
        let mut kept = self.kept();
        for it in held {
            let known = |other: &Arc<Held>| other.reference == it.reference;
            if !kept.told.iter().any(known) && !kept.imposed.iter().any(known) {
                kept.imposed.push(Arc::new(it));
            }
        }
        bound(&mut kept.imposed);
        self.publish(&kept);
    }

    /// Lets go of what this gateway has imposed; whether it had.
    pub fn release(&self, reference: &str) -> bool {
        let mut kept = self.kept();
        let before = kept.imposed.len();
        kept.imposed.retain(|it| it.reference != reference);
        self.publish(&kept);
        kept.imposed.len() < before
    }

    /// What this gateway has imposed and still holds.
    pub fn imposed(&self, now: Stamp) -> Vec<Held> {
        let now_ms = millis(now);
        let mut kept = self.kept();
        let before = kept.imposed.len();
        kept.imposed.retain(|it| it.is_in_force(now_ms));
        if kept.imposed.len() < before {
            self.publish(&kept);
        }
        kept.imposed.iter().map(|it| Held::clone(it)).collect()
    }

    /// What was imposed since the last call: each is to be written down once.
    pub fn take_fresh(&self) -> Vec<Held> {
        std::mem::take(&mut self.kept().fresh).iter().map(|it| Held::clone(it)).collect()
    }

    /// Everyone who is kept out at this moment.
    pub fn in_force(&self, now: Stamp) -> Vec<Held> {
        let kept = self.kept();
        let all = kept.standing().filter(|it| self.stands(&it.held, it.is_told, now));
        all.map(|it| Held::clone(&it.held)).collect()
    }

    /// Why this one is kept out; `None` lets it through. What concerns most people is said first.
    pub(super) fn holds(&self, who: Who<'_>, now: Stamp) -> Option<Arc<Held>> {
        let table = self.table.load();
        if table.held.is_empty() {
            return None;
        }
        let user = who.key.and_then(|it| table.owners.get(it)).map(String::as_str);
        let asked = [
            (HeldKind::Team, Some(who.team)),
            (HeldKind::User, user),
            (HeldKind::Key, who.key),
            (HeldKind::Session, who.session.filter(|it| *it != HIDDEN)),
        ];
        asked.into_iter().find_map(|(kind, value)| {
            let all = table.held.get(&kind)?.get(value?)?;
            let concerns = |it: &Held| it.team.as_deref().is_none_or(|team| team == who.team);
            let holding = all.iter().find(|it| self.stands(&it.held, it.is_told, now) && concerns(&it.held));
            holding.map(|it| it.held.clone())
        })
    }

    /// Counts the findings of an exchange that has ended; whoever has too many now is kept out from now on.
    pub(super) fn note(&self, rules: &Rules, event: &Event, now: Stamp) {
        if rules.rules.is_empty() || (event.outbound_findings.is_empty() && event.inbound_findings.is_empty()) {
            return;
        }
        for rule in &rules.rules {
            let Some((kind, subject)) = self.subject(rule, event) else { continue };
            let tripped = {
                let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
                windows.note(rule, &subject, counted(rule, event), now)
            };
            if tripped {
                self.impose(rule, kind, subject, rules.contact.clone(), event, now);
            }
        }
    }

    /// Whose findings these are by this rule; `None` where nobody can be told.
    fn subject(&self, rule: &QuarantineRule, event: &Event) -> Option<(HeldKind, Subject)> {
        let key = event.key.as_ref().map(|it| it.as_str());
        let (kind, value, team) = match rule.per {
            HeldKind::Team => (HeldKind::Team, event.team.as_str().to_owned(), None),
            HeldKind::Key => (HeldKind::Key, key?.to_owned(), None),
            HeldKind::User => match self.table.load().owners.get(key?) {
                Some(user) => (HeldKind::User, user.clone(), None),
                None => (HeldKind::Key, key?.to_owned(), None),
            },
            HeldKind::Session => {
                let session = event.session.as_ref().map(|it| it.as_str()).filter(|it| *it != HIDDEN)?;
                (HeldKind::Session, session.to_owned(), Some(event.team.as_str().to_owned()))
            }
        };
        Some((kind, Subject { rule: rule.name.clone(), team, value }))
    }

    fn impose(
        &self,
        rule: &QuarantineRule,
        kind: HeldKind,
        subject: Subject,
        contact: Option<String>,
        event: &Event,
        now: Stamp,
    ) {
        let mut kept = self.kept();
        let same = |it: &Held| it.kind == kind && it.value == subject.value && it.team == subject.team;
        let now_ms = millis(now);
        // Exchanges that were in flight when it began do not begin it again.
        if kept.standing().any(|it| same(&it.held) && self.stands(&it.held, it.is_told, now)) {
            return;
        }
        let held = Arc::new(Held {
            reference: reference(event.request.as_str(), rule, &subject.value),
            kind,
            value: subject.value,
            team: subject.team,
            reason: rule.reason(),
            contact,
            since_ms: now_ms,
            until_ms: rule.lasts.map(|it| now_ms.saturating_add(duration_millis(it))),
        });
        kept.imposed.push(held.clone());
        kept.fresh.push(held);
        bound(&mut kept.imposed);
        bound(&mut kept.fresh);
        self.publish(&kept);
    }

    fn publish(&self, kept: &Kept) {
        let mut held: HashMap<HeldKind, HashMap<String, Vec<Standing>>> = HashMap::new();
        for it in kept.standing() {
            held.entry(it.held.kind).or_default().entry(it.held.value.clone()).or_default().push(it);
        }
        self.table.store(Arc::new(Table { held, owners: kept.owners.clone() }));
    }

    /// A panic elsewhere must not take it down: its data is valid at every step.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn standing(&self) -> impl Iterator<Item = Standing> + '_ {
        let standing = |is_told| move |held: &Arc<Held>| Standing { held: held.clone(), is_told };
        self.told.iter().map(standing(true)).chain(self.imposed.iter().map(standing(false)))
    }
}

fn bound(all: &mut Vec<Arc<Held>>) {
    let more = all.len().saturating_sub(IMPOSED_MAX);
    all.drain(..more);
}

/// Short enough to be read out: from the exchange that caused it, whose id nobody guesses.
fn reference(request: &str, rule: &QuarantineRule, value: &str) -> String {
    let digest = Sha256::digest(format!("{request}\n{}\n{value}", rule.name));
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
    format!("Q-{}", digest.iter().take(10).map(letter).collect::<String>())
}

/// What the developer is told.
pub(super) fn message(held: &Held, now: Stamp) -> String {
    let who = match held.kind {
        HeldKind::Session => "This session is in quarantine".to_owned(),
        HeldKind::Key => "This gateway key is in quarantine".to_owned(),
        HeldKind::User => "Your gateway keys are in quarantine".to_owned(),
        HeldKind::Team => format!("The team `{}` is in quarantine", held.value),
    };
    let ask = held.contact.as_deref().unwrap_or("your administrator");
    let minutes = |until: u64| until.saturating_sub(millis(now)).div_ceil(60_000);
    let end = match held.until_ms.map(minutes) {
        // Of one that the server still holds, the end has passed by this machine's clock alone.
        None | Some(0) => String::new(),
        Some(1) => " It ends by itself in a minute.".to_owned(),
        Some(more @ ..120) => format!(" It ends by itself in {more} minutes."),
        Some(more) => format!(" It ends by itself in {} hours.", more.div_ceil(60)),
    };
    let Held { reason, reference, .. } = held;
    format!("{who}: {reason}. Nothing is sent to the provider. Ask {ask} to release it, and name {reference}.{end}")
}

fn millis(now: Stamp) -> u64 {
    duration_millis(now.unix)
}

fn duration_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn held(reference: &str, value: &str, until: Duration) -> Held {
        Held {
            reference: reference.to_owned(),
            kind: HeldKind::Session,
            value: value.to_owned(),
            team: None,
            reason: "a test".to_owned(),
            contact: None,
            since_ms: 0,
            until_ms: Some(duration_millis(until)),
        }
    }

    fn reference_of(quarantine: &Quarantine, session: &str, now: Stamp) -> Option<String> {
        let who = Who { team: "red", key: None, session: Some(session) };
        quarantine.holds(who, now).map(|it| it.reference.clone())
    }

    #[test]
    fn while_the_server_is_asked_it_ends_what_it_has_told_and_no_wrong_clock_does() {
        let quarantine = Quarantine::default();
        quarantine.told(vec![held("Q-TOLD", "one", 30 * MINUTE)], BTreeMap::new());
        quarantine.recall(vec![held("Q-OWN", "two", 30 * MINUTE)]);
        // An hour ahead of the server.
        let at = |minutes: u32| Stamp { monotonic: minutes * MINUTE, unix: (60 + minutes) * MINUTE };
        assert_eq!(reference_of(&quarantine, "one", at(1)), None, "cut off, its own clock is all there is");
        quarantine.vouch(5 * MINUTE);
        assert_eq!(reference_of(&quarantine, "one", at(1)).as_deref(), Some("Q-TOLD"));
        assert_eq!(reference_of(&quarantine, "two", at(1)), None, "what it has imposed itself is by its own clock");
        assert_eq!(quarantine.in_force(at(1)).len(), 1);
        assert!(!message(&held("Q-TOLD", "one", 30 * MINUTE), at(1)).contains("ends by itself"));
        assert_eq!(reference_of(&quarantine, "one", at(5)), None, "not asked for long");
        quarantine.vouch(20 * MINUTE);
        quarantine.told(Vec::new(), BTreeMap::new());
        assert_eq!(reference_of(&quarantine, "one", at(6)), None, "the server has ended it");
    }
}
