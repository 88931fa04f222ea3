//! Content encodings: the same in every cutting, never beyond the limits, and what other decoders make of the bytes.

use std::io::{Read, Write};

use airiskguard_gateway::wire::encoding::{Coding, Decoder, Error, Limits};
use flate2::Compression;

use super::dice::{Choices, Dice};

/// Most bytes that a compressed text is made of.
const TEXT_BYTES_MAX: usize = 3 << 20;

const CODINGS: [&[Coding]; 8] = [
    &[Coding::Gzip],
    &[Coding::Deflate],
    &[Coding::Brotli],
    &[Coding::Zstd],
    &[],
    &[Coding::Gzip, Coding::Zstd],
    &[Coding::Zstd, Coding::Deflate],
    &[Coding::Brotli, Coding::Gzip],
];

/// Bytes choose codings, limits and cuts; then stand encoded bytes, or a text that is encoded first and damaged after.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let codings = choices.one_of(&CODINGS);
    let output_bytes_max = choices.one_of(&[1 << 16, 100, 2 << 20, 0]);
    let limits = Limits { output_bytes_max, ratio_max: choices.one_of(&[100, 10, 1, usize::MAX]) };
    let mut dice = Dice::new(choices.number());
    let source = choices.byte();
    let text = (source >= 128).then(|| text(&mut choices, source));
    let damages = if text.is_some() { usize::from(choices.byte() % 4) } else { 0 };
    let mut raw = text.as_ref().map_or_else(|| choices.0.to_vec(), |text| encode(codings, text));
    for _ in 0..damages.min(raw.len()) {
        let at = dice.roll(raw.len());
        raw[at] ^= 1 << dice.roll(8);
    }
    let whole = decode(codings, &[&raw], limits);
    let tiny = dice.cut(&raw);
    let cut = decode(codings, &tiny, limits);
    for (output, _) in [&whole, &cut] {
        assert!(output.len() <= limits.output_bytes_max, "more came out than may");
    }
    // Which limit is met first, and whether damage shows before it, may depend on the pieces.
    assert_eq!(whole.1.is_ok(), cut.1.is_ok(), "{codings:?}: {:?} and {:?}", whole.1, cut.1);
    if whole.1.is_ok() {
        assert!(whole.0 == cut.0, "{codings:?}: another cutting, another text");
        as_others(codings, &raw, &whole.0);
    }
    if let Some(text) = text.filter(|it| damages == 0 && it.len() <= output_bytes_max && !has_brotli(codings)) {
        match whole.1 {
            Ok(()) => assert!(whole.0 == text, "{codings:?}: not what was encoded"),
            Err(Error::Ratio | Error::TooLarge) => {}
            Err(error) => panic!("{codings:?}: what was just encoded: {error}"),
        }
    }
}

fn has_brotli(codings: &[Coding]) -> bool {
    codings.contains(&Coding::Brotli)
}

/// A few bytes, repeated; some so often that they are a bomb.
fn text(choices: &mut Choices<'_>, source: u8) -> Vec<u8> {
    let times = [1, 3, 100, 4000, 1 << 20][usize::from(source) % 5];
    let bytes = choices.take(1 + usize::from(source) % 60);
    bytes.repeat(times.min(TEXT_BYTES_MAX / bytes.len().max(1)))
}

/// There is no encoder of brotli here: its bytes stay what they are.
fn encode(codings: &[Coding], text: &[u8]) -> Vec<u8> {
    codings.iter().fold(text.to_vec(), |text, coding| match coding {
        Coding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&text).unwrap();
            encoder.finish().unwrap()
        }
        Coding::Deflate if text.len() % 2 == 0 => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&text).unwrap();
            encoder.finish().unwrap()
        }
        Coding::Deflate => {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&text).unwrap();
            encoder.finish().unwrap()
        }
        Coding::Zstd => zstd::bulk::compress(&text, 3).unwrap(),
        Coding::Brotli => text,
    })
}

fn decode(codings: &[Coding], pieces: &[&[u8]], limits: Limits) -> (Vec<u8>, Result<(), Error>) {
    let mut decoder = Decoder::new(codings, limits).unwrap();
    let mut output = Vec::new();
    let pushed = pieces.iter().try_for_each(|piece| decoder.push(piece, &mut output));
    let result = pushed.and_then(|()| decoder.finish(&mut output));
    if let Err(error) = result {
        assert_eq!(decoder.push(b"more", &mut output), Err(error), "an error stays");
    }
    (output, result)
}

/// What was accepted is what the usual decoders read.
fn as_others(codings: &[Coding], raw: &[u8], ours: &[u8]) {
    let bytes_max = ours.len() as u64 + 1;
    let read = |reader: &mut dyn Read| {
        let mut text = Vec::new();
        reader.take(bytes_max).read_to_end(&mut text).map(|_| text)
    };
    let other = match codings {
        [Coding::Gzip] => read(&mut flate2::read::MultiGzDecoder::new(raw)),
        [Coding::Zstd] => read(&mut zstd::stream::read::Decoder::new(raw).unwrap()),
        [Coding::Brotli] => read(&mut brotli_decompressor::Decompressor::new(raw, 4096)),
        [Coding::Deflate] => {
            let wrapped = read(&mut flate2::read::ZlibDecoder::new(raw));
            wrapped.or_else(|_| read(&mut flate2::read::DeflateDecoder::new(raw)))
        }
        _ => return,
    };
    assert!(other.unwrap() == ours, "{codings:?}: another decoder reads another text");
}
