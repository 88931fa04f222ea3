//! One automaton over the keywords of all rules, ASCII case ignored: Aho-Corasick as a flat table with byte classes.
//!
//! A table of our own, because three things must be cheap that no library offers together: the state lives on between
//! pieces of text, its suffixes can be walked (to know what must be held back), and several stretches of a piece are read
//! in turns, so that one hides the memory latency of the others. Where a keyword ends is looked for behind that, in the
//! states that were passed: asked for in between it would be a branch that no processor foresees.

use std::collections::VecDeque;

use super::bits;

/// Keywords longer than this are refused.
pub(super) const KEYWORD_BYTES_MAX: usize = 64;
/// Stretches of a piece that are read in turns. Fewer leave the processor waiting for memory, more do not fit its registers.
const LANES: usize = 6;

/// A place where keywords end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Offset behind the last byte, within the piece.
    pub(super) end: u32,
    /// State there; [`Keywords::ending`] tells which keywords.
    pub(super) state: u32,
}

/// Where keywords end in the piece that was read last; its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Endings {
    /// In the order of the text.
    pub(super) found: Vec<Found>,
    narrow: Vec<u16>,
    wide: Vec<u32>,
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
trait Entry: Copy + Default + Ord {
    fn of(state: u32) -> Self;
    fn state(self) -> u32;
    /// Room for the states that a piece passes.
    fn passed(endings: &mut Endings) -> (&mut Vec<Self>, &mut Vec<Found>);
}

impl Entry for u16 {
    fn of(state: u32) -> u16 {
        state as u16
    }

    #[inline(always)]
    fn state(self) -> u32 {
        u32::from(self)
    }

    fn passed(endings: &mut Endings) -> (&mut Vec<u16>, &mut Vec<Found>) {
        (&mut endings.narrow, &mut endings.found)
    }
}

impl Entry for u32 {
    fn of(state: u32) -> u32 {
        state
    }

    #[inline(always)]
    fn state(self) -> u32 {
        self
    }

    fn passed(endings: &mut Endings) -> (&mut Vec<u32>, &mut Vec<Found>) {
        (&mut endings.wide, &mut endings.found)
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
        self.entry_in(next, state, byte).state()
    }

    #[inline(always)]
    fn entry_in<E: Entry>(&self, next: &[E], state: u32, byte: u8) -> E {
        next[state as usize * self.stride as usize + usize::from(self.classes[usize::from(byte)])]
    }

    /// The keywords that end in a state.
    pub(super) fn ending(&self, state: u32) -> &[u32] {
        if state < self.first_ending {
            return &[];
        }
        let (from, to) = self.ending[self.number(state - self.first_ending)];
        &self.ends[from as usize..to as usize]
    }

    /// Reads a piece and returns the state behind it; `endings` are where keywords end in it.
    pub(super) fn read(&self, state: u32, text: &[u8], endings: &mut Endings) -> u32 {
        endings.found.clear();
        match &self.next {
            Table::Narrow(next) => self.read_in(next, state, text, endings),
            Table::Wide(next) => self.read_in(next, state, text, endings),
        }
    }

    fn read_in<E: Entry>(&self, next: &[E], state: u32, text: &[u8], endings: &mut Endings) -> u32 {
        // Lanes overlap, which is worth it once the text is longer than all overlaps together.
        if text.len() <= LANES * self.length_max.max(LANES) {
            return self.read_one(next, state, text, 0, &mut endings.found);
        }
        let (passed, found) = E::passed(endings);
        self.read_lanes(next, state, text, passed, found)
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
    fn read_lanes<E: Entry>(
        &self,
        next: &[E],
        state: u32,
        text: &[u8],
        passed: &mut Vec<E>,
        found: &mut Vec<Found>,
    ) -> u32 {
        let early = self.length_max;
        let steps = (text.len() + (LANES - 1) * early) / LANES;
        let length = steps - early;
        passed.resize(LANES * steps, E::default());
        let mut rest = passed.as_mut_slice();
        let lanes: [&[u8]; LANES] = std::array::from_fn(|lane| &text[lane * length..][..steps]);
        let states: [&mut [E]; LANES] = std::array::from_fn(|_| rest.split_off_mut(..steps).unwrap_or_default());
        let mut at = [self.start(); LANES];
        at[0] = state;
        for index in 0..steps {
            for lane in 0..LANES {
                let entry = self.entry_in(next, at[lane], lanes[lane][index]);
                at[lane] = entry.state();
                states[lane][index] = entry;
            }
        }
        self.sift(states[0], 0, found);
        for (lane, states) in states.iter().enumerate().skip(1) {
            self.sift(&states[early..], lane * length + early, found);
        }
        let read = (LANES - 1) * length + steps;
        self.read_one(next, at[LANES - 1], &text[read..], read, found)
    }

    /// Appends where keywords end: `states` are those behind each byte from `offset` on.
    fn sift<E: Entry>(&self, states: &[E], offset: usize, found: &mut Vec<Found>) {
        let first = E::of(self.first_ending);
        let mut at = offset;
        let (blocks, rest) = states.as_chunks::<{ bits::BLOCK }>();
        for block in blocks {
            // A byte of ones and zeros for each, which a compiler does many at once, then a bit for each.
            let mut ends = [0; bits::BLOCK];
            ends.iter_mut().zip(block).for_each(|(ends, &state)| *ends = u8::from(state >= first));
            let mut bits = bits::of(&ends);
            while bits != 0 {
                let index = bits.trailing_zeros() as usize;
                bits &= bits - 1;
                found.push(Found { end: (at + index + 1) as u32, state: block[index].state() });
            }
            at += bits::BLOCK;
        }
        for (index, state) in rest.iter().enumerate().filter(|(_, state)| **state >= first) {
            found.push(Found { end: (at + index + 1) as u32, state: state.state() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What reading byte by byte finds.
    fn stepped(keywords: &Keywords, mut state: u32, text: &[u8]) -> (u32, Vec<Found>) {
        let mut found = Vec::new();
        for (index, &byte) in text.iter().enumerate() {
            state = keywords.step(state, byte);
            if !keywords.ending(state).is_empty() {
                found.push(Found { end: index as u32 + 1, state });
            }
        }
        (state, found)
    }

    #[test]
    fn lanes_find_what_one_reader_finds() {
        let words = ["he", "she", "hers", "a long keyword with spaces", "ä", "==", "h"];
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let mut keywords = Keywords::new(&words);
        let text = "ushers say: A Long Keyword With Spaces == äh, or a long keyword with space; ".repeat(9);
        let text = text.as_bytes();
        let before = keywords.step(keywords.step(keywords.start(), b's'), b'h');
        for is_wide in [false, true] {
            if is_wide && let Table::Narrow(next) = &keywords.next {
                keywords.next = Table::Wide(next.iter().map(|&state| u32::from(state)).collect());
            }
            let mut endings = Endings::default();
            for length in 0..text.len() {
                for state in [keywords.start(), before] {
                    let text = &text[text.len() - length..];
                    let end = keywords.read(state, text, &mut endings);
                    assert_eq!((end, endings.found.clone()), stepped(&keywords, state, text));
                }
            }
        }
    }
}
