//! The push decoder: one stage per coding, each watched against its limits while it decodes.

use std::fmt;

use super::Coding;
use super::stage::Stage;

/// The ratio is judged only beyond this much output: small texts compress without limit.
const RATIO_FLOOR_BYTES: usize = 1024 * 1024;

/// How much a stage decodes before its limits are looked at again.
const PIECE_BYTES: usize = 16 * 1024;

/// What a decoder refuses for its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many bytes may come out, of each coding.
    pub output_bytes_max: usize,
    /// How many times more bytes may come out than went in, judged beyond the first MiB.
    pub ratio_max: usize,
}

/// Why a body cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// More comes out than the limit allows.
    TooLarge,
    /// Far more comes out than went in.
    Ratio,
    /// The bytes are not of that coding, or their checksum is wrong.
    Corrupt,
    /// The bytes end before the coding does.
    Truncated,
    /// Something follows the end of the coding.
    Trailing,
    /// There is no memory for a decoder.
    Memory,
}

/// Decodes a body as it arrives. After an error every further call returns that same error.
pub struct Decoder {
    limits: Limits,
    stages: Vec<Watched>,
    input_bytes: usize,
    /// Bytes that passed through when there is no coding at all.
    plain_bytes: usize,
    failed: Option<Error>,
}

struct Watched {
    stage: Stage,
    piece: Box<[u8]>,
    output_bytes: usize,
}

impl Decoder {
    /// A decoder for codings in the order of the header; they are taken off in reverse. No coding passes bytes on,
    /// within the limit of size.
    pub fn new(codings: &[Coding], limits: Limits) -> Result<Self, Error> {
        let mut stages = Vec::with_capacity(codings.len());
        for &coding in codings.iter().rev() {
            let piece = vec![0; PIECE_BYTES].into_boxed_slice();
            stages.push(Watched { stage: Stage::new(coding)?, piece, output_bytes: 0 });
        }
        Ok(Decoder { limits, stages, input_bytes: 0, plain_bytes: 0, failed: None })
    }

    /// Decodes the next bytes and appends what comes out. On an error the output holds what came before it, never more
    /// than the limit.
    pub fn push(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = if self.stages.is_empty() {
            self.pass(input, output)
        } else {
            feed(&mut self.stages, input, &mut self.input_bytes, true, self.limits, output)
        };
        self.failed = result.err();
        result
    }

    /// Says that no more bytes come. Everything decodable was appended by the pushes before.
    pub fn finish(&mut self, output: &mut Vec<u8>) -> Result<(), Error> {
        self.push(&[], output)?;
        if self.stages.iter().all(|watched| watched.stage.has_ended()) {
            return Ok(());
        }
        self.failed = Some(Error::Truncated);
        Err(Error::Truncated)
    }

    fn pass(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        let room = self.limits.output_bytes_max - self.plain_bytes;
        let taken = &input[..input.len().min(room)];
        output.extend_from_slice(taken);
        self.plain_bytes += taken.len();
        if taken.len() < input.len() { Err(Error::TooLarge) } else { Ok(()) }
    }
}

/// Runs `input` through the first stage and what comes out of it through the others.
fn feed(
    stages: &mut [Watched],
    mut input: &[u8],
    raw_bytes: &mut usize,
    is_raw: bool,
    limits: Limits,
    output: &mut Vec<u8>,
) -> Result<(), Error> {
    let Some((first, rest)) = stages.split_first_mut() else {
        output.extend_from_slice(input);
        return Ok(());
    };
    let mut holds_more = false;
    while !input.is_empty() || holds_more {
        // One byte more than allowed is asked for, to see whether there is more.
        let room = limits.output_bytes_max - first.output_bytes;
        let wanted = PIECE_BYTES.min(room.saturating_add(1));
        let step = first.stage.step(input, &mut first.piece[..wanted])?;
        if step.read == 0 && step.written == 0 && !input.is_empty() {
            return Err(Error::Corrupt);
        }
        holds_more = step.written == wanted && !first.stage.has_ended();
        input = &input[step.read..];
        if is_raw {
            *raw_bytes += step.read;
        }
        first.output_bytes += step.written.min(room);
        feed(rest, &first.piece[..step.written.min(room)], raw_bytes, false, limits, output)?;
        if step.written > room {
            return Err(Error::TooLarge);
        }
        let is_bomb = first.output_bytes > limits.ratio_max.saturating_mul(*raw_bytes);
        if is_bomb && first.output_bytes > RATIO_FLOOR_BYTES {
            return Err(Error::Ratio);
        }
    }
    Ok(())
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Error::TooLarge => "the decoded body is larger than allowed",
            Error::Ratio => "the body decodes to far more than was sent",
            Error::Corrupt => "the body is not of the content encoding it names",
            Error::Truncated => "the encoded body ends too early",
            Error::Trailing => "something follows the end of the encoded body",
            Error::Memory => "there is no memory to decode the body",
        })
    }
}

impl std::error::Error for Error {}

impl fmt::Debug for Decoder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("Decoder");
        out.field("limits", &self.limits).field("input_bytes", &self.input_bytes).field("failed", &self.failed);
        out.finish_non_exhaustive()
    }
}
