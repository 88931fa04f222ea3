//! Streamed answers: what is found never arrives, what is harmless arrives at once, what was hidden comes back.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, unreachable_pub)]

#[path = "streams/client.rs"]
mod client;
#[path = "streams/dialect.rs"]
mod dialect;
#[path = "streams/flow.rs"]
mod flow;
#[path = "streams/held.rs"]
mod held;
#[path = "streams/hidden.rs"]
mod hidden;
#[path = "streams/own_keys.rs"]
mod own_keys;
#[path = "streams/restored.rs"]
mod restored;
#[path = "streams/stopped.rs"]
mod stopped;
mod support;
#[path = "streams/tools.rs"]
mod tools;
#[path = "streams/whole.rs"]
mod whole;

/// Random numbers that are the same each time.
struct Dice(u64);

impl Dice {
    /// Below `limit`, which is not 0.
    fn roll(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    /// `bytes` in pieces of random sizes.
    fn cut(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = [1, 4, 40, 400][self.roll(4)];
            let (piece, others) = rest.split_at((1 + self.roll(most)).min(rest.len()));
            pieces.push(piece.to_vec());
            rest = others;
        }
        pieces
    }
}

/// `text` cut before the characters at these places.
fn cut_at<'a>(text: &'a str, places: &[usize]) -> Vec<&'a str> {
    let mut places: Vec<usize> = places.iter().map(|at| text.floor_char_boundary(*at)).collect();
    places.sort_unstable();
    places.dedup();
    let mut pieces = Vec::new();
    let mut from = 0;
    for at in places.into_iter().chain([text.len()]).filter(|at| *at > 0) {
        if at > from {
            pieces.push(&text[from..at]);
        }
        from = at;
    }
    pieces
}

/// One character per piece.
fn characters(text: &str) -> Vec<&str> {
    cut_at(text, &text.char_indices().map(|(at, _)| at).collect::<Vec<_>>())
}

/// A made-up key of a cloud.
fn access_key() -> String {
    ["AK", "IAQ7ZT3WKXN5", "VBM2RD"].concat()
}

/// A made-up private key with all that must be escaped.
fn private_key() -> String {
    let edge = |word: &str| format!("-----{word} RSA PRIVATE {}-----", "KEY");
    format!("{}\nMIIEmadeup0000000000\nmade\\up\"1111==\n{}", edge("BEGIN"), edge("END"))
}
