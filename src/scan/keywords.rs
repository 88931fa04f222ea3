//! One automaton over the keywords of all rules, ASCII case ignored: Aho-Corasick as a flat table with byte classes.
//!
//! A table of our own, because three things must be cheap that no library offers together: the state lives on between
//! pieces of text, its suffixes can be walked (to know what must be held back), and several stretches of a large piece
//! are read in turns, so that one hides the memory latency of the others.

use std::collections::VecDeque;

/// Keywords longer than this are refused.
pub(super) const KEYWORD_BYTES_MAX: usize = 64;
/// Stretches of a large piece that are read in turns.
pub(super) const LANES: usize = 4;
/// Below this many bytes one lane is used: the overlap would cost more than it gains.
const LANE_BYTES_MIN: usize = 256;

/// A place where keywords end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Offset behind the last byte, within the piece.
    pub(super) end: u32,
    /// State there; [`Keywords::ending`] tells which keywords.
    pub(super) state: u32,
}

/// The automaton. States from `first_ending` on end a keyword.
#[derive(Debug)]
pub(super) struct Keywords {
    next: Table,
    classes: [u8; 256],
    stride: u32,
    first_ending: u32,
    /// Per ending state: the range of its keywords in `ends`.
    ending: Vec<(u32, u32)>,
    ends: Vec<u32>,
    /// Per state number: the longest proper suffix's state, and how many bytes the state stands for.
    fail: Vec<u32>,
    depth: Vec<u8>,
    length_max: usize,
}

/// A row of next states per state. Nearly always two bytes are enough for a state, and a table of half the size is
/// read faster.
#[derive(Debug)]
enum Table {
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

/// A state as a table holds it.
trait Entry: Copy {
    fn state(self) -> u32;
}

impl Entry for u16 {
    #[inline(always)]
    fn state(self) -> u32 {
        u32::from(self)
    }
}

impl Entry for u32 {
    #[inline(always)]
    fn state(self) -> u32 {
        self
    }
}

/// The trie before it is laid out.
struct Trie {
    children: Vec<Vec<(u8, u32)>>,
    ends: Vec<Vec<u32>>,
    fail: Vec<u32>,
    depth: Vec<u8>,
    /// Parents before children.
    order: Vec<u32>,
    /// Whether ordinary text hardly comes here: behind a byte that is no letter or space.
    rare: Vec<bool>,
}

impl Trie {
    fn new(words: &[Vec<u8>]) -> Trie {
        let mut trie = Trie {
            children: vec![Vec::new()],
            ends: vec![Vec::new()],
            fail: vec![0],
            depth: vec![0],
            order: Vec::new(),
            rare: vec![false],
        };
        for (index, word) in words.iter().enumerate() {
            let mut node = 0;
            for &byte in word {
                node = trie.child_or_new(node, folded(byte));
            }
            trie.ends[node as usize].push(index as u32);
        }
        trie.link();
        trie
    }

    fn child(&self, node: u32, byte: u8) -> Option<u32> {
        self.children[node as usize].iter().find(|(b, _)| *b == byte).map(|(_, child)| *child)
    }

    fn child_or_new(&mut self, node: u32, byte: u8) -> u32 {
        if let Some(child) = self.child(node, byte) {
            return child;
        }
        let new = self.children.len() as u32;
        self.children[node as usize].push((byte, new));
        self.children.push(Vec::new());
        self.ends.push(Vec::new());
        self.fail.push(0);
        self.rare.push(self.rare[node as usize] || !(byte.is_ascii_alphabetic() || byte == b' '));
        self.depth.push(self.depth[node as usize] + 1);
        new
    }

    /// Sets the suffix links and inherits the endings along them.
    fn link(&mut self) {
        let mut queue = VecDeque::from([0u32]);
        while let Some(node) = queue.pop_front() {
            self.order.push(node);
            for (byte, child) in self.children[node as usize].clone() {
                let mut suffix = self.fail[node as usize];
                let fail = loop {
                    match self.child(suffix, byte) {
                        Some(found) if found != child => break found,
                        _ if suffix == 0 => break 0,
                        _ => suffix = self.fail[suffix as usize],
                    }
                };
                self.fail[child as usize] = fail;
                let inherited = self.ends[fail as usize].clone();
                self.ends[child as usize].extend(inherited);
                queue.push_back(child);
            }
        }
    }
}

/// Bytes that texts are mostly made of. Their classes come first, so that what is read of a state's row lies in one or two
/// cache lines, however many other bytes occur in keywords: that decides the speed of a large table.
const FREQUENT: &[u8] = b" etaoinsrlhdcumfpgybwvkxjqz_.-/=:\"',()0123456789";

/// What of a byte is told apart: no case, and of the bytes beyond ASCII, which make up few keywords but would be most
/// of a row, only the low half. Who finds a keyword with such bytes looks whether it is there.
fn folded(byte: u8) -> u8 {
    if byte.is_ascii() { byte.to_ascii_lowercase() } else { 0x80 | byte & 0x0F }
}

/// Numbers the folded bytes that occur in keywords from 1; all others are 0.
fn byte_classes(words: &[Vec<u8>]) -> ([u8; 256], u32) {
    let mut occurs = [false; 256];
    words.iter().flatten().for_each(|&byte| occurs[usize::from(folded(byte))] = true);
    let mut numbers = [0u8; 256];
    let mut count = 1u8;
    for byte in FREQUENT.iter().copied().chain(0..=255) {
        if occurs[usize::from(byte)] && numbers[usize::from(byte)] == 0 {
            numbers[usize::from(byte)] = count;
            count += 1;
        }
    }
    let classes = std::array::from_fn(|byte| numbers[usize::from(folded(byte as u8))]);
    (classes, u32::from(count))
}

impl Keywords {
    /// Compiles keywords of 1 to [`KEYWORD_BYTES_MAX`] bytes; a keyword is known by its index from then on.
    pub(super) fn new(words: &[Vec<u8>]) -> Keywords {
        let trie = Trie::new(words);
        let (classes, stride) = byte_classes(words);
        let count = trie.order.len();
        let plain = trie.ends.iter().filter(|ends| ends.is_empty()).count() as u32;
        // Ending states get the highest numbers: one comparison in the hot loop tells them. Of the others those that
        // ordinary text comes by lie together.
        let rank = |node: &u32| (!trie.ends[*node as usize].is_empty(), trie.rare[*node as usize]);
        let mut ranked = trie.order.clone();
        ranked.sort_by_key(rank);
        let mut place = vec![0u32; count];
        for (number, &node) in ranked.iter().enumerate() {
            place[node as usize] = number as u32;
        }
        let mut made = Keywords {
            next: Table::Wide(Vec::new()),
            classes,
            stride,
            first_ending: plain,
            ending: vec![(0, 0); count - plain as usize],
            ends: Vec::new(),
            fail: vec![0; count],
            depth: vec![0; count],
            length_max: words.iter().map(Vec::len).max().unwrap_or(0),
        };
        let mut next = vec![0; count * stride as usize];
        for &node in &trie.order {
            made.lay_out(&trie, node, &place, &mut next);
        }
        let narrow = count <= usize::from(u16::MAX);
        made.next =
            if narrow { Table::Narrow(next.iter().map(|&state| state as u16).collect()) } else { Table::Wide(next) };
        made
    }

    fn lay_out(&mut self, trie: &Trie, node: u32, place: &[u32], next: &mut [u32]) {
        let node = node as usize;
        let stride = self.stride as usize;
        let number = place[node] as usize;
        let suffix = place[trie.fail[node] as usize];
        if node != 0 {
            // Parents and suffixes come first in breadth-first order, so their row is complete.
            let from = suffix as usize * stride;
            next.copy_within(from..from + stride, number * stride);
        }
        for &(byte, child) in &trie.children[node] {
            next[number * stride + self.classes[byte as usize] as usize] = place[child as usize];
        }
        self.fail[number] = suffix;
        self.depth[number] = trie.depth[node];
        if !trie.ends[node].is_empty() {
            let from = self.ends.len() as u32;
            self.ends.extend(&trie.ends[node]);
            self.ending[number - self.first_ending as usize] = (from, self.ends.len() as u32);
        }
    }

    /// The state in which nothing has begun.
    pub(super) fn start(&self) -> u32 {
        0
    }

    /// Number of states.
    pub(super) fn states(&self) -> usize {
        self.depth.len()
    }

    /// Dense number of a state.
    pub(super) fn number(&self, state: u32) -> usize {
        state as usize
    }

    /// The state with this number.
    pub(super) fn state(&self, number: usize) -> u32 {
        number as u32
    }

    /// Memory of the table, bytes.
    pub(super) fn memory(&self) -> usize {
        match &self.next {
            Table::Narrow(next) => next.len() * size_of::<u16>(),
            Table::Wide(next) => next.len() * size_of::<u32>(),
        }
    }

    /// How many of the last bytes the state stands for.
    pub(super) fn depth(&self, state: u32) -> usize {
        usize::from(self.depth[self.number(state)])
    }

    /// The state of the longest proper suffix.
    pub(super) fn suffix(&self, state: u32) -> u32 {
        self.fail[self.number(state)]
    }

    /// The next state.
    #[inline]
    pub(super) fn step(&self, state: u32, byte: u8) -> u32 {
        match &self.next {
            Table::Narrow(next) => self.step_in(next, state, byte),
            Table::Wide(next) => self.step_in(next, state, byte),
        }
    }

    #[inline(always)]
    fn step_in<E: Entry>(&self, next: &[E], state: u32, byte: u8) -> u32 {
        next[state as usize * self.stride as usize + usize::from(self.classes[usize::from(byte)])].state()
    }

    /// The keywords that end in a state.
    pub(super) fn ending(&self, state: u32) -> &[u32] {
        if state < self.first_ending {
            return &[];
        }
        let (from, to) = self.ending[self.number(state - self.first_ending)];
        &self.ends[from as usize..to as usize]
    }

    /// Reads a piece, appends where keywords end (in order), and returns the state behind it.
    pub(super) fn read(&self, state: u32, text: &[u8], found: &mut [Vec<Found>; LANES]) -> u32 {
        found.iter_mut().for_each(Vec::clear);
        match &self.next {
            Table::Narrow(next) => self.read_in(next, state, text, found),
            Table::Wide(next) => self.read_in(next, state, text, found),
        }
    }

    fn read_in<E: Entry>(&self, next: &[E], state: u32, text: &[u8], found: &mut [Vec<Found>; LANES]) -> u32 {
        if text.len() < LANES * LANE_BYTES_MIN.max(self.length_max) {
            return self.read_one(next, state, text, 0, &mut found[0]);
        }
        self.read_lanes(next, state, text, found)
    }

    fn read_one<E: Entry>(
        &self,
        next: &[E],
        mut state: u32,
        text: &[u8],
        offset: usize,
        found: &mut Vec<Found>,
    ) -> u32 {
        for (index, &byte) in text.iter().enumerate() {
            state = self.step_in(next, state, byte);
            if state >= self.first_ending {
                found.push(Found { end: (offset + index + 1) as u32, state });
            }
        }
        state
    }

    /// Each lane but the first starts a keyword's length early, without reporting, and so is in the true state when
    /// its stretch begins.
    fn read_lanes<E: Entry>(&self, next: &[E], state: u32, text: &[u8], found: &mut [Vec<Found>; LANES]) -> u32 {
        let length = text.len() / LANES;
        let warm = |lane: usize| {
            let from = lane * length;
            text[from - self.length_max..from].iter().fold(self.start(), |state, &byte| self.step(state, byte))
        };
        let (mut s0, mut s1, mut s2, mut s3) = (state, warm(1), warm(2), warm(3));
        let (t0, rest) = text.split_at(length);
        let (t1, rest) = rest.split_at(length);
        let (t2, rest) = rest.split_at(length);
        let (t3, rest) = rest.split_at(length);
        let first = self.first_ending;
        for (index, (((&b0, &b1), &b2), &b3)) in t0.iter().zip(t1).zip(t2).zip(t3).enumerate() {
            s0 = self.step_in(next, s0, b0);
            s1 = self.step_in(next, s1, b1);
            s2 = self.step_in(next, s2, b2);
            s3 = self.step_in(next, s3, b3);
            if s0.max(s1).max(s2.max(s3)) >= first {
                for (lane, state) in [s0, s1, s2, s3].into_iter().enumerate() {
                    if state >= first {
                        found[lane].push(Found { end: (lane * length + index + 1) as u32, state });
                    }
                }
            }
        }
        self.read_one(next, s3, rest, LANES * length, &mut found[3])
    }
}
