//! What was announced lately: repeats within the window are counted here instead of being sent.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};

use crate::domain::Risk;

use super::alert::Key;

/// Keys that are remembered; the oldest windows leave first.
pub(super) const KEYS_MAX: usize = 10_000;
/// Bytes of JSON that windows may fill of an outlet's state.
const STATE_BYTES_MAX: usize = 900 << 10;

/// The windows of one channel.
pub(super) struct Windows {
    length_ms: u64,
    /// By the order in which they were opened.
    windows: BTreeMap<u64, Window>,
    /// Which window a key is in; each key of each window is here.
    of_key: HashMap<Key, u64>,
    next: u64,
}

/// One announcement, and how often it was repeated since.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) keys: Vec<Key>,
    pub(super) opened_ms: u64,
    /// When it ends.
    pub(super) until_ms: u64,
    /// When the newest repeat was written.
    pub(super) last_ms: u64,
    /// How often it was seen again.
    pub(super) repeats: u64,
    pub(super) told: Told,
}

/// What is remembered of an announcement for the message that closes its window.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) gateway: String,
    pub(super) team: String,
    /// The rule of the worst finding; empty where nothing was found.
    pub(super) rule: String,
    /// What it was, for people.
    pub(super) label: String,
    pub(super) risk: Risk,
    pub(super) score: f64,
    pub(super) blocked: bool,
    pub(super) request: String,
}

impl Windows {
    /// None yet. With a length of zero there never are any.
    pub(super) fn new(length_ms: u64) -> Self {
        Windows { length_ms, windows: BTreeMap::new(), of_key: HashMap::new(), next: 0 }
    }

    /// Whether a repeat of this key would only be counted.
    pub(super) fn live(&self, key: Key, now_ms: u64) -> bool {
        self.window(key).is_some_and(|it| !self.over(it, now_ms))
    }

    /// A window also ends when the clock was set back by more than its length.
    fn over(&self, window: &Window, now_ms: u64) -> bool {
        now_ms >= window.until_ms || now_ms.saturating_add(self.length_ms) < window.opened_ms
    }

    fn window(&self, key: Key) -> Option<&Window> {
        self.of_key.get(&key).and_then(|it| self.windows.get(it))
    }

    /// Counts one more for each window that one of these keys is in.
    pub(super) fn repeat(&mut self, keys: &[Key], written_ms: u64) {
        let numbers: HashSet<u64> = keys.iter().filter_map(|it| self.of_key.get(it)).copied().collect();
        for number in numbers {
            if let Some(window) = self.windows.get_mut(&number) {
                window.repeats += 1;
                window.last_ms = window.last_ms.max(written_ms);
            }
        }
    }

    /// The windows of these keys that are over: how often they were repeated together, and since when.
    pub(super) fn uncounted(&self, keys: &[Key], now_ms: u64) -> Option<(u64, u64)> {
        let numbers: HashSet<u64> = keys.iter().filter_map(|it| self.of_key.get(it)).copied().collect();
        let over = numbers.iter().filter_map(|it| self.windows.get(it)).filter(|it| self.over(it, now_ms));
        let repeated: Vec<&Window> = over.filter(|it| it.repeats > 0).collect();
        let since = repeated.iter().map(|it| it.opened_ms).min()?;
        Some((repeated.iter().map(|it| it.repeats).sum(), since))
    }

    /// Opens a window for what was just announced, in place of windows of these keys. Returns the windows with
    /// repeats that had to leave before their time.
    pub(super) fn open(&mut self, keys: Vec<Key>, told: Told, now_ms: u64) -> Vec<Window> {
        for key in &keys {
            if let Some(number) = self.of_key.get(key).copied() {
                self.remove(number);
            }
        }
        if self.length_ms == 0 {
            return Vec::new();
        }
        let until_ms = now_ms.saturating_add(self.length_ms);
        self.insert(Window { keys, opened_ms: now_ms, until_ms, last_ms: now_ms, repeats: 0, told });
        let mut gone = Vec::new();
        while self.of_key.len() > KEYS_MAX
            && let Some(oldest) = self.windows.keys().next().copied()
        {
            gone.extend(self.remove(oldest).filter(|it| it.repeats > 0));
        }
        gone
    }

    fn insert(&mut self, window: Window) {
        self.of_key.extend(window.keys.iter().map(|key| (*key, self.next)));
        self.windows.insert(self.next, window);
        self.next += 1;
    }

    fn remove(&mut self, number: u64) -> Option<Window> {
        let window = self.windows.remove(&number)?;
        for key in &window.keys {
            self.of_key.remove(key);
        }
        Some(window)
    }

    /// Ends the window of a key now: its next time is news again.
    pub(super) fn end(&mut self, key: Key, now_ms: u64) {
        if let Some(window) = self.of_key.get(&key).and_then(|it| self.windows.get_mut(it)) {
            window.until_ms = window.until_ms.min(now_ms);
        }
    }

    /// Forgets windows that are over and were never repeated, and shows one that is over and was.
    pub(super) fn due(&mut self, now_ms: u64) -> Option<(u64, Window)> {
        let over: Vec<u64> =
            self.windows.iter().filter(|(_, it)| self.over(it, now_ms)).map(|(number, _)| *number).collect();
        for number in over {
            match self.windows.get(&number) {
                Some(window) if window.repeats > 0 => return Some((number, window.clone())),
                _ => drop(self.remove(number)),
            }
        }
        None
    }

    /// Forgets a window whose count was told.
    pub(super) fn close(&mut self, number: u64) {
        self.remove(number);
    }

    /// As JSON, names that repeat once only. The oldest windows are left out where there is no room.
    pub(super) fn state(&self) -> Value {
        let mut names = Names::default();
        let mut rows = Vec::new();
        let mut bytes = 0;
        for window in self.windows.values().rev() {
            let keys: Vec<String> = window.keys.iter().map(Key::to_string).collect();
            let told = &window.told;
            let row = json!([
                keys,
                window.opened_ms,
                window.until_ms.saturating_sub(window.opened_ms),
                window.last_ms.saturating_sub(window.opened_ms),
                window.repeats,
                names.number(&told.gateway),
                names.number(&told.team),
                names.number(&told.rule),
                names.number(&told.label),
                told.risk.name(),
                told.request,
                told.score,
                told.blocked,
            ]);
            bytes += row.to_string().len() + 1;
            if bytes + names.bytes > STATE_BYTES_MAX {
                break;
            }
            rows.push(row);
        }
        rows.reverse();
        json!({ "names": names.names, "rows": rows })
    }

    /// What [`Windows::state`] returned; what cannot be read of it is left out.
    pub(super) fn restore(&mut self, state: &Value) {
        let list = |key: &str| state.get(key).and_then(Value::as_array);
        let names: Vec<&str> = list("names").into_iter().flatten().map(|it| it.as_str().unwrap_or("")).collect();
        let rows = list("rows").into_iter().flatten().filter_map(|it| read(it, &names));
        rows.take(KEYS_MAX).for_each(|it| self.insert(it));
    }
}

fn read(row: &Value, names: &[&str]) -> Option<Window> {
    let at = |index: usize| row.get(index);
    let number = |index: usize| at(index)?.as_u64();
    let name = |index: usize| Some((*names.get(usize::try_from(number(index)?).ok()?)?).to_owned());
    let keys: Option<Vec<Key>> = at(0)?.as_array()?.iter().map(|it| Key::parse(it.as_str()?)).collect();
    let opened_ms = number(1)?;
    Some(Window {
        keys: keys.filter(|it| !it.is_empty())?,
        opened_ms,
        until_ms: opened_ms.saturating_add(number(2)?),
        last_ms: opened_ms.saturating_add(number(3)?),
        repeats: number(4)?,
        told: Told {
            gateway: name(5)?,
            team: name(6)?,
            rule: name(7)?,
            label: name(8)?,
            risk: at(9)?.as_str()?.parse().ok()?,
            request: at(10)?.as_str()?.to_owned(),
            score: at(11)?.as_f64()?,
            blocked: at(12)?.as_bool()?,
        },
    })
}

/// Names by number.
#[derive(Default)]
struct Names<'a> {
    names: Vec<&'a str>,
    numbers: HashMap<&'a str, usize>,
    bytes: usize,
}

impl<'a> Names<'a> {
    fn number(&mut self, name: &'a str) -> usize {
        *self.numbers.entry(name).or_insert_with(|| {
            self.names.push(name);
            self.bytes += name.len() + 3;
            self.names.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;
    const NOW_MS: u64 = 1_764_000_000_000;

    fn told(index: usize) -> Told {
        Told {
            gateway: "gw-1".to_owned(),
            team: "backend".to_owned(),
            rule: format!("secrets.family.rule_number_{}", index % 900),
            label: "AWS_ACCESS_KEY and 1 more".to_owned(),
            risk: Risk::Critical,
            score: 0.95,
            blocked: true,
            request: "0199a7c2-5b1e-7cc3-98c4-dc0c0c07398f".to_owned(),
        }
    }

    fn key(index: usize) -> Key {
        Key::new(&["value", &index.to_string()])
    }

    #[test]
    fn the_oldest_windows_leave_first_and_say_what_they_counted() {
        let mut windows = Windows::new(HOUR_MS);
        for index in 0..KEYS_MAX {
            assert_eq!(windows.open(vec![key(index)], told(index), NOW_MS), []);
        }
        windows.repeat(&[key(1)], NOW_MS + 5);
        assert_eq!(windows.open(vec![key(KEYS_MAX)], told(0), NOW_MS), [], "without a repeat there is nothing to say");
        let gone = windows.open(vec![key(KEYS_MAX + 1)], told(0), NOW_MS);
        assert_eq!(gone.iter().map(|it| (it.repeats, it.last_ms)).collect::<Vec<_>>(), [(1, NOW_MS + 5)]);
        assert!(!windows.live(key(1), NOW_MS) && windows.live(key(2), NOW_MS));
        assert_eq!(windows.of_key.len(), KEYS_MAX);
    }

    #[test]
    fn a_full_table_fits_into_the_state_and_comes_back() {
        let mut windows = Windows::new(HOUR_MS);
        for index in 0..KEYS_MAX {
            windows.open(vec![key(index)], told(index), NOW_MS + index as u64);
        }
        windows.repeat(&[key(KEYS_MAX - 1)], NOW_MS + 99_999);
        let state = windows.state();
        assert!(state.to_string().len() <= super::STATE_BYTES_MAX + 1000);
        let mut restored = Windows::new(HOUR_MS);
        restored.restore(&state);
        assert!(restored.windows.len() > 5_000, "{}", restored.windows.len());
        assert_eq!(restored.windows.values().last(), windows.windows.values().last());
        assert_eq!(restored.state(), state);
    }

    #[test]
    fn what_is_no_state_restores_nothing() {
        for state in ["null", "[]", "{}", r#"{"names":[1],"rows":[[["x"],1],7,[[],1,2,3,4,0,0,0,0,"low","r",0,true]]}"#]
        {
            let mut windows = Windows::new(HOUR_MS);
            windows.restore(&serde_json::from_str(state).unwrap());
            assert_eq!(windows.windows.len(), 0, "{state}");
        }
    }

    #[test]
    fn windows_end_by_time_by_hand_and_when_the_clock_is_set_back() {
        let mut windows = Windows::new(HOUR_MS);
        windows.open(vec![key(1), key(2)], told(1), NOW_MS);
        assert!(windows.live(key(2), NOW_MS + HOUR_MS - 1) && !windows.live(key(2), NOW_MS + HOUR_MS));
        assert!(windows.live(key(1), NOW_MS - HOUR_MS) && !windows.live(key(1), NOW_MS - HOUR_MS - 1));
        windows.repeat(&[key(1), key(2)], NOW_MS + 1);
        assert_eq!(windows.due(NOW_MS + 2), None);
        windows.end(key(1), NOW_MS + 2);
        let (number, window) = windows.due(NOW_MS + 2).unwrap();
        assert_eq!(window.repeats, 1, "one exchange is one repeat, however many keys it has");
        assert_eq!(windows.uncounted(&[key(2)], NOW_MS + 2), Some((1, NOW_MS)));
        windows.close(number);
        assert_eq!((windows.due(NOW_MS + 2), windows.of_key.len()), (None, 0));
    }
}
