//! Choices: those that an input makes with its first bytes, and cuts that follow from a number.

/// The bytes of an input, taken one choice after the other; an input that has ended chooses 0.
pub(crate) struct Choices<'a>(pub(crate) &'a [u8]);

impl<'a> Choices<'a> {
    /// The next byte.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// The next two bytes.
    pub(crate) fn number(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    /// A choice below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.number() % limit
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }

    /// At most so many bytes.
    pub(crate) fn take(&mut self, bytes_max: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(bytes_max.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Random numbers that are the same each time.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: usize) -> Self {
        Dice(seed as u64 ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// Below `limit`, which is not 0.
    pub(crate) fn roll(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    /// `bytes` in pieces; the seed decides whether they are tiny, large, or both.
    pub(crate) fn cut<'a>(&mut self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let sizes: &[usize] = [&[1][..], &[1, 4, 40, 400], &[3, 7], &[200, 2000]][self.roll(4)];
        let mut pieces = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = sizes[self.roll(sizes.len())];
            let (piece, others) = rest.split_at((1 + self.roll(most)).min(rest.len()));
            pieces.push(piece);
            rest = others;
        }
        if pieces.is_empty() { vec![bytes] } else { pieces }
    }

    /// `text` in pieces of whole characters.
    pub(crate) fn cut_text<'a>(&mut self, text: &'a str) -> Vec<&'a str> {
        let most = [1, 3, 12, 80][self.roll(4)];
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let at = rest.ceil_char_boundary((1 + self.roll(most)).min(rest.len()));
            let (piece, others) = rest.split_at(at);
            pieces.push(piece);
            rest = others;
        }
        pieces
    }
}
