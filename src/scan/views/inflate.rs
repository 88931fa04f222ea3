//! Compressed text inside base64 or hex, inflated as far as a bound on its size allows.

use flate2::{Decompress, FlushDecompress, Status};

/// Inflated bytes per compressed byte that are read at most: what comes behind is left out, and the work stays in
/// proportion to the text. Configuration files and code shrink to a fifth at best, repetitive ones to a tenth.
const RATIO_MAX: usize = 16;
/// The largest deflate window, as a power of two.
const WINDOW_LOG: u8 = 15;
/// Bytes that are inflated at once.
const STEP_BYTES: usize = 4096;

/// A gzip or zlib stream whose beginning was seen.
pub(super) struct Inflater {
    stream: Decompress,
    /// Inflated bytes that may yet come.
    allowed: usize,
    ended: bool,
}

impl Inflater {
    /// For bytes that begin like gzip or zlib.
    pub(super) fn new(bytes: &[u8]) -> Option<Inflater> {
        let stream = match *bytes {
            [0x1F, 0x8B, 8, flags, ..] if flags & 0xE0 == 0 => Decompress::new_gzip(WINDOW_LOG),
            [0x78, level @ (0x01 | 0x5E | 0x9C | 0xDA), ..] => {
                debug_assert!(u16::from_be_bytes([0x78, level]).is_multiple_of(31));
                Decompress::new(true)
            }
            _ => return None,
        };
        Some(Inflater { stream, allowed: 0, ended: false })
    }

    /// Inflates the next bytes into `out`, as many as may be.
    pub(super) fn read(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        out.clear();
        self.allowed += RATIO_MAX * bytes.len();
        let mut step = [0; STEP_BYTES];
        while !self.ended && self.allowed > 0 {
            let room = self.allowed.min(STEP_BYTES);
            let (read, written) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.decompress(bytes, &mut step[..room], FlushDecompress::None);
            let read = (self.stream.total_in() - read) as usize;
            let written = (self.stream.total_out() - written) as usize;
            out.extend_from_slice(&step[..written]);
            bytes = &bytes[read..];
            self.allowed -= written;
            self.ended = !matches!(status, Ok(Status::Ok | Status::BufError));
            if read == 0 && written == 0 || bytes.is_empty() && written < room {
                break;
            }
        }
        // What did not fit would have to be kept: the rest is left out.
        self.ended |= !bytes.is_empty();
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inflater({} bytes allowed)", self.allowed)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    #[test]
    fn both_wrappers_are_undone_in_pieces() {
        let text = "all sorts of words, and 12 numbers\n".repeat(3);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text.as_bytes()).unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(text.as_bytes()).unwrap();
        for packed in [gzip.finish().unwrap(), zlib.finish().unwrap()] {
            for size in [1, 7, 1000] {
                let (mut all, mut out) = (Vec::new(), Vec::new());
                let mut inflater = Inflater::new(&packed).unwrap();
                for piece in packed.chunks(size) {
                    inflater.read(piece, &mut out);
                    all.extend_from_slice(&out);
                }
                assert_eq!(String::from_utf8(all).unwrap(), text, "pieces of {size}");
            }
        }
    }

    #[test]
    fn a_bomb_is_read_in_proportion() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&vec![b'a'; 1 << 20]).unwrap();
        let packed = packed.finish().unwrap();
        let mut out = Vec::new();
        Inflater::new(&packed).unwrap().read(&packed, &mut out);
        assert_eq!(out.len(), RATIO_MAX * packed.len());
        assert!(Inflater::new(b"PK\x03\x04").is_none());
    }
}
