//! One coding taken off: a step reads some bytes and writes some, and never waits for what it could write already.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder as Zstd, Operation};

use super::{Coding, Error};

/// Concatenated gzip members; each one costs a new decoder, so that many tiny ones would cost far more than they weigh.
const MEMBERS_MAX: usize = 1024;

/// The largest zstd window, as a power of two: what RFC 9659 allows on the web.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// The largest deflate window, as a power of two.
const GZIP_WINDOW_LOG: u8 = 15;

const GZIP_MAGIC: u8 = 0x1f;

/// What one step did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) read: usize,
    pub(super) written: usize,
}

/// A decoder of one coding.
pub(super) struct Stage {
    decoder: Decoder,
    /// What was begun is complete; only the codings that may be concatenated go on behind it.
    has_ended: bool,
}

enum Decoder {
    Gzip {
        member: Decompress,
        members: usize,
    },
    /// Before the first two bytes tell whether there is a zlib wrapper.
    DeflateStart(Option<u8>),
    Deflate(Decompress),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Zstd(Zstd<'static>),
}

impl Stage {
    pub(super) fn new(coding: Coding) -> Result<Self, Error> {
        let decoder = match coding {
            Coding::Gzip => Decoder::Gzip { member: Decompress::new_gzip(GZIP_WINDOW_LOG), members: 1 },
            Coding::Deflate => Decoder::DeflateStart(None),
            Coding::Brotli => {
                // Strict: without the extension to windows of a gigabyte.
                let alloc = StandardAlloc::default;
                Decoder::Brotli(Box::new(BrotliState::new_strict(alloc(), alloc(), alloc())))
            }
            Coding::Zstd => {
                let mut zstd = Zstd::new().map_err(|_| Error::Memory)?;
                zstd.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)).map_err(|_| Error::Memory)?;
                Decoder::Zstd(zstd)
            }
        };
        Ok(Stage { decoder, has_ended: false })
    }

    /// Whether the bytes read so far are complete.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Reads from `input` and writes to `output` until one of the two is used up or a part of the coding ends.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Error> {
        if self.has_ended {
            self.begin_next(input)?;
        }
        match &mut self.decoder {
            Decoder::Gzip { member, .. } | Decoder::Deflate(member) => {
                let (step, has_ended) = inflate(member, input, output)?;
                self.has_ended = has_ended;
                Ok(step)
            }
            Decoder::DeflateStart(first) => match (*first, input) {
                (_, []) => Ok(Step { read: 0, written: 0 }),
                (None, [byte, ..]) => {
                    *first = Some(*byte);
                    Ok(Step { read: 1, written: 0 })
                }
                (Some(first), [second, ..]) => {
                    let mut inflater = Decompress::new(has_zlib_header(first, *second));
                    inflate(&mut inflater, &[first], output)?;
                    self.decoder = Decoder::Deflate(inflater);
                    self.step(input, output)
                }
            },
            Decoder::Brotli(state) => {
                let (step, has_ended) = unbrotli(state, input, output)?;
                self.has_ended = has_ended;
                Ok(step)
            }
            Decoder::Zstd(zstd) => {
                let garbage = if self.has_ended { Error::Trailing } else { Error::Corrupt };
                let status = zstd.run_on_buffers(input, output).map_err(|_| garbage)?;
                self.has_ended = status.remaining == 0;
                Ok(Step { read: status.bytes_read, written: status.bytes_written })
            }
        }
    }

    /// More bytes follow what was complete.
    fn begin_next(&mut self, input: &[u8]) -> Result<(), Error> {
        match &mut self.decoder {
            Decoder::Gzip { member, members } if input.first() == Some(&GZIP_MAGIC) && *members < MEMBERS_MAX => {
                *member = Decompress::new_gzip(GZIP_WINDOW_LOG);
                *members += 1;
                self.has_ended = false;
                Ok(())
            }
            Decoder::Zstd(_) => Ok(()),
            _ => Err(Error::Trailing),
        }
    }
}

fn inflate(inflater: &mut Decompress, input: &[u8], output: &mut [u8]) -> Result<(Step, bool), Error> {
    let (read, written) = (inflater.total_in(), inflater.total_out());
    let status = inflater.decompress(input, output, FlushDecompress::None).map_err(|_| Error::Corrupt)?;
    // Both differences are at most the lengths of the slices.
    let step = Step { read: (inflater.total_in() - read) as usize, written: (inflater.total_out() - written) as usize };
    Ok((step, status == Status::StreamEnd))
}

/// RFC 1950: method 8, a window of at most 32 KiB, and a check that makes both bytes a multiple of 31.
fn has_zlib_header(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && first >> 4 <= 7 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

fn unbrotli(
    state: &mut BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    input: &[u8],
    output: &mut [u8],
) -> Result<(Step, bool), Error> {
    let (mut input_left, mut read) = (input.len(), 0);
    let (mut output_left, mut written, mut total) = (output.len(), 0, 0);
    let result = BrotliDecompressStream(
        &mut input_left,
        &mut read,
        input,
        &mut output_left,
        &mut written,
        output,
        &mut total,
        state,
    );
    match result {
        BrotliResult::ResultFailure => Err(Error::Corrupt),
        BrotliResult::ResultSuccess => Ok((Step { read, written }, true)),
        BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => Ok((Step { read, written }, false)),
    }
}
