//! The names of content codings.

use std::fmt;

/// More codings on top of each other are refused: nobody sends them but those who want to hide something.
const STACKED_MAX: usize = 2;

/// How much of an unknown name is kept for the message.
const NAME_CHARACTERS_MAX: usize = 32;

/// A content coding that can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// RFC 1952, one member or several.
    Gzip,
    /// RFC 1950, and RFC 1951 without its wrapper, as some senders do.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878 with a window of at most 8 MiB, as RFC 9659 demands.
    Zstd,
}

/// A `content-encoding` that cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// No such coding is known; its name, cut.
    Name(String),
    /// More than two codings are stacked.
    Stacked,
}

impl Coding {
    /// The name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }
}

/// The codings of a `content-encoding` header, in the order they were applied. `identity` is none.
pub fn codings(header: &str) -> Result<Vec<Coding>, Unknown> {
    let mut codings = Vec::new();
    for name in header.split(',').map(|name| name.trim_matches([' ', '\t'])) {
        let coding = match name.to_ascii_lowercase().as_str() {
            "" | "identity" => continue,
            "gzip" | "x-gzip" => Coding::Gzip,
            "deflate" => Coding::Deflate,
            "br" => Coding::Brotli,
            "zstd" => Coding::Zstd,
            _ => return Err(Unknown::Name(name.chars().take(NAME_CHARACTERS_MAX).collect())),
        };
        if codings.len() == STACKED_MAX {
            return Err(Unknown::Stacked);
        }
        codings.push(coding);
    }
    Ok(codings)
}

impl fmt::Display for Unknown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unknown::Name(name) => write!(out, "the content encoding {name:?} is not known"),
            Unknown::Stacked => write!(out, "more than {STACKED_MAX} content encodings are stacked"),
        }
    }
}

impl std::error::Error for Unknown {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_in_any_case() {
        assert_eq!(codings(""), Ok(vec![]));
        assert_eq!(codings("identity"), Ok(vec![]));
        assert_eq!(codings("GZip"), Ok(vec![Coding::Gzip]));
        assert_eq!(codings(" x-gzip , identity,\tBR"), Ok(vec![Coding::Gzip, Coding::Brotli]));
        assert_eq!(codings("deflate,zstd"), Ok(vec![Coding::Deflate, Coding::Zstd]));
    }

    #[test]
    fn refuses_the_unknown_and_the_stacked() {
        assert_eq!(codings("gzip, compress"), Err(Unknown::Name("compress".into())));
        assert_eq!(codings("gzip;q=1"), Err(Unknown::Name("gzip;q=1".into())));
        assert_eq!(codings(&"x".repeat(99)), Err(Unknown::Name("x".repeat(32))));
        assert_eq!(codings("gzip, gzip, gzip"), Err(Unknown::Stacked));
    }

    #[test]
    fn every_name_reads_as_itself() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            assert_eq!(codings(coding.name()), Ok(vec![coding]));
        }
    }
}
