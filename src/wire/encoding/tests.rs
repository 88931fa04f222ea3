//! Decoders against encoders, in every cutting, cut short, prolonged, damaged, and as bombs.
use std::io::Write;

use base64::Engine as _;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { output_bytes_max: 1 << 20, ratio_max: 100 };

/// What a brotli encoder makes of `prompt()`.
const BROTLI_PROMPT: &str = concat!(
    "G/UKABwHuTnqUpk9r7hCZOqWx6gKR6/9cW6B4MiWjNJaTbmyYYrhAVCHj5Do0AOQwcYY362v1v4S03xp0DK/9V9knjSeTdt9PvTZR46ABCky5Ch",
    "QokJ9hsmugBKlypSrUKkKdSWsoESpMuUqVKpCXSkrKFGqTLkKlapQV8YKSpQqU65CpSrUlbOCEqXKlKtQqQp1FaygZK4=",
);

/// What a brotli encoder makes of 64 MiB of zeros.
const BROTLI_BOMB: &str = "z///fwAkAOKxQHLv//n//w+ABEAcFoDu/T////8BkACIwwLQvf/n//8/ABIAcVgAuvf/Aw==";

fn base64(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn prompt() -> Vec<u8> {
    (0..64).flat_map(|line| format!("line {line} of a prompt: Zoë reads src/main.rs\n").into_bytes()).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(text, 3).unwrap()
}

/// The same text in each coding, and without one.
fn encoded(text: &[u8]) -> Vec<(Vec<Coding>, Vec<u8>)> {
    let stored = {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    vec![
        (vec![Coding::Gzip], gzip(text)),
        (vec![Coding::Deflate], zlib(text)),
        (vec![Coding::Deflate], raw_deflate(text)),
        (vec![Coding::Deflate], stored),
        (vec![Coding::Zstd], zstd(text)),
        (vec![Coding::Gzip, Coding::Zstd], zstd(&gzip(text))),
        (vec![Coding::Zstd, Coding::Deflate], zlib(&zstd(text))),
    ]
}

fn with_prompts() -> Vec<(Vec<Coding>, Vec<u8>)> {
    let mut all = encoded(&prompt());
    all.push((vec![Coding::Brotli], base64(BROTLI_PROMPT)));
    all.push((vec![Coding::Brotli, Coding::Gzip], gzip(&base64(BROTLI_PROMPT))));
    all
}

fn decode(codings: &[Coding], raw: &[u8], size: usize, limits: Limits) -> (Vec<u8>, Result<(), Error>) {
    let mut decoder = Decoder::new(codings, limits).unwrap();
    let mut output = Vec::new();
    let result = raw
        .chunks(size)
        .try_for_each(|piece| decoder.push(piece, &mut output))
        .and_then(|()| decoder.finish(&mut output));
    (output, result)
}

#[test]
fn every_cutting_decodes_to_the_same() {
    for (codings, raw) in with_prompts() {
        for size in (1..=raw.len()).step_by(if raw.len() > 1000 { 97 } else { 1 }) {
            assert_eq!(decode(&codings, &raw, size, LIMITS), (prompt(), Ok(())), "{codings:?} by {size}");
        }
    }
}

#[test]
fn what_ends_too_early_is_an_error_at_every_place() {
    for (codings, raw) in with_prompts() {
        for length in (0..raw.len()).step_by(if raw.len() > 1000 { 31 } else { 1 }) {
            let (output, result) = decode(&codings, &raw[..length], 64, LIMITS);
            assert_eq!(result, Err(Error::Truncated), "{codings:?} cut at {length}");
            assert!(prompt().starts_with(&output));
        }
    }
}

#[test]
fn what_follows_the_end_is_an_error() {
    for (codings, raw) in with_prompts() {
        let long = [&raw[..], b"garbage"].concat();
        for size in [1, 7, long.len()] {
            let (_, result) = decode(&codings, &long, size, LIMITS);
            assert_eq!(result, Err(Error::Trailing), "{codings:?} by {size}");
        }
    }
}

#[test]
fn members_and_frames_may_follow_each_other() {
    for (coding, one, two) in [(Coding::Gzip, gzip(b"one "), gzip(b"two")), (Coding::Zstd, zstd(b"one "), zstd(b"two"))]
    {
        let raw = [one, two].concat();
        for size in 1..=raw.len() {
            assert_eq!(decode(&[coding], &raw, size, LIMITS), (b"one two".to_vec(), Ok(())), "{coding:?} by {size}");
        }
    }
    let twice = [zlib(b"one"), zlib(b"two")].concat();
    assert_eq!(decode(&[Coding::Deflate], &twice, 8, LIMITS).1, Err(Error::Trailing));
    let many = gzip(b"").repeat(1025);
    assert_eq!(decode(&[Coding::Gzip], &many, 4096, LIMITS).1, Err(Error::Trailing));
}

#[test]
fn damage_is_an_error() {
    for (codings, raw) in with_prompts() {
        assert_eq!(decode(&codings, b"this was never encoded", 64, LIMITS).1, Err(Error::Corrupt), "{codings:?}");
        if codings == [Coding::Gzip] {
            let mut damaged = raw.clone();
            // The checksum stands before the last four bytes.
            damaged[raw.len() - 6] ^= 1;
            assert_eq!(decode(&codings, &damaged, 64, LIMITS).1, Err(Error::Corrupt));
        }
    }
}

#[test]
fn an_error_stays() {
    let mut decoder = Decoder::new(&[Coding::Gzip], LIMITS).unwrap();
    let mut output = Vec::new();
    assert_eq!(decoder.push(b"no gzip", &mut output), Err(Error::Corrupt));
    assert_eq!(decoder.push(&gzip(b"x"), &mut output), Err(Error::Corrupt));
    assert_eq!(decoder.finish(&mut output), Err(Error::Corrupt));
    assert!(output.is_empty());
}

#[test]
fn the_limit_of_size_holds_to_the_byte() {
    let length = prompt().len();
    let limits = |output_bytes_max| Limits { output_bytes_max, ratio_max: 100 };
    let mut all = with_prompts();
    all.push((vec![], prompt()));
    for (codings, raw) in all {
        for size in [1, 50, raw.len()] {
            if codings.len() < 2 {
                assert_eq!(decode(&codings, &raw, size, limits(length)), (prompt(), Ok(())), "{codings:?}");
            }
            let (output, result) = decode(&codings, &raw, size, limits(length - 1));
            assert_eq!(result, Err(Error::TooLarge), "{codings:?} by {size}");
            assert_eq!(output, prompt()[..length - 1]);
        }
    }
}

#[test]
fn bombs_never_unfold() {
    let zeros = vec![0; 64 << 20];
    let far = Limits { output_bytes_max: usize::MAX, ratio_max: 100 };
    let mut bombs = encoded(&zeros);
    bombs.push((vec![Coding::Brotli], base64(BROTLI_BOMB)));
    bombs.retain(|(_, raw)| raw.len() < 1 << 20);
    assert_eq!(bombs.len(), 7);
    for (codings, raw) in bombs {
        for size in [1, raw.len()] {
            let (output, result) = decode(&codings, &raw, size, far);
            assert_eq!(result, Err(Error::Ratio), "{codings:?} by {size}");
            assert!(output.len() <= 8 << 20, "{codings:?} by {size} unfolded to {}", output.len());
            let (output, result) = decode(&codings, &raw, size, Limits { ratio_max: usize::MAX, ..LIMITS });
            assert_eq!((result, output.len()), (Err(Error::TooLarge), 1 << 20), "{codings:?} by {size}");
        }
    }
}

#[test]
fn small_texts_may_be_dense() {
    let zeros = vec![0; 1 << 20];
    for (codings, raw) in encoded(&zeros) {
        if codings.len() == 1 && raw.len() < 1 << 20 {
            assert_eq!(decode(&codings, &raw, 64, LIMITS), (zeros.clone(), Ok(())), "{codings:?}");
        }
    }
}

#[test]
fn windows_beyond_the_web_are_refused() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.set_parameter(zstd::stream::raw::CParameter::WindowLog(24)).unwrap();
    encoder.write_all(&prompt()).unwrap();
    let raw = encoder.finish().unwrap();
    assert_eq!(decode(&[Coding::Zstd], &raw, 64, LIMITS).1, Err(Error::Corrupt));
}

proptest! {
    #[test]
    fn round_trips(text in prop::collection::vec(0u8..8, 0..4000), size in 1usize..200) {
        for (codings, raw) in encoded(&text) {
            prop_assert_eq!(decode(&codings, &raw, size, LIMITS), (text.clone(), Ok(())), "{:?}", codings);
        }
    }

    #[test]
    fn arbitrary_bytes_decode_the_same_in_every_cutting(
        which in 0usize..9,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        size in 1usize..50,
    ) {
        let (codings, mut raw) = with_prompts().swap_remove(which);
        for (place, byte) in damage {
            let at = place.index(raw.len());
            raw[at] = byte;
        }
        let (_, whole) = decode(&codings, &raw, raw.len(), LIMITS);
        let (_, cut) = decode(&codings, &raw, size, LIMITS);
        prop_assert_eq!(whole.is_ok(), cut.is_ok());
    }
}
