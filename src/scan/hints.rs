//! Words that say that what stands around them is written in a way of its own: a second set of keywords, found by the
//! same automaton as those of the rules and so for nothing.
//!
//! They only make a view look; what is found must then match a rule in full. So they need not be exact, but rare.

/// How the text around a hint is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reading {
    /// String literals between commas are one text: the arguments of a call that joins them.
    Joined,
    /// Numbers are characters.
    Numbers,
    /// From the last byte to the first.
    Backwards,
    /// Each letter stands for the one thirteen places on.
    Rotated,
    /// Digits and signs stand for letters: `1gn0re`.
    Swapped,
    /// Letters stand apart: `i g n o r e`.
    Spaced,
}

impl Reading {
    pub(super) const ALL: [Reading; 6] =
        [Reading::Joined, Reading::Numbers, Reading::Backwards, Reading::Rotated, Reading::Swapped, Reading::Spaced];

    /// Whether only orders to a model are looked for: a key that was written so is not read by chance, and words that
    /// were turned around or swapped are too free a reading to hide text by.
    pub(super) fn is_for_instructions(self) -> bool {
        matches!(self, Reading::Rotated | Reading::Swapped | Reading::Spaced)
    }
}

/// Hints for the same reading are noted at most once in so many bytes.
pub(super) const HINT_BYTES_MIN: usize = 256;

/// A place where a hint ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    /// Offset behind its last byte.
    pub(super) end: usize,
    pub(super) reading: Reading,
}

/// The hints of each reading.
pub(super) const HINTS: &[(Reading, &[&str])] = &[
    (
        Reading::Joined,
        &[
            "\"\".join(",
            "''.join(",
            ".join(\"\")",
            ".join('')",
            ".join(``)",
            "implode(\"\"",
            "implode(''",
            "paste0(",
            "string.concat(",
            "strings.join(",
        ],
    ),
    (
        Reading::Numbers,
        &[
            "fromcharcode(",
            "fromcodepoint(",
            "chr(",
            "bytes([",
            "bytearray([",
            "string.char(",
            "byte[]",
            "u8; ",
            "[]byte{",
            "uint8array",
            "map(chr",
            "[char]",
        ],
    ),
    (
        Reading::Backwards,
        &[
            "[::-1]",
            ".reverse()",
            "strrev(",
            "reversed(",
            "erongi",
            "dragersid",
            "tegrof",
            "noitcurtsni",
            "suoiverp",
            "tpmorp metsys",
            "edirrevo",
            "laever",
        ],
    ),
    (
        Reading::Rotated,
        &["vtaber", "qvfertneq", "sbetrg", "vafgehpgvba", "cerivbhf", "flfgrz cebzcg", "bireevqr", "erirny"],
    ),
    (
        Reading::Swapped,
        &[
            "1gnor",
            "1gn0r",
            "ign0r",
            "!gnor",
            "!gn0r",
            "ignor3",
            "1nstruct",
            "!nstruct",
            "in5truct",
            "1n5truct",
            "instruct1",
            "nstruct10n",
            "structi0n",
            "pr3v",
            "prev1ou",
            "previ0u",
            "previou5",
            "d1sreg",
            "di5reg",
            "d1s reg",
            "disr3g",
            "disreg4rd",
            "disreg@rd",
            "f0rg",
            "forg3",
            "sy5t",
            "syst3m",
            "pr0mpt",
            "0verr",
            "ov3rr",
            "overr1d",
            "byp4ss",
            "byp@ss",
            "bypa55",
            "r3v3",
            "rev3al",
            "reve4l",
        ],
    ),
    (
        Reading::Spaced,
        &[
            "i g n o r",
            "i.g.n.o.r",
            "i-g-n-o-r",
            "i_g_n_o_r",
            "i*g*n*o*r",
            "p r e v i",
            "p.r.e.v.i",
            "p-r-e-v-i",
            "p_r_e_v_i",
            "i n s t r u",
            "i.n.s.t.r",
            "i-n-s-t-r",
            "i_n_s_t_r",
            "d i s r e",
            "d.i.s.r.e",
            "d-i-s-r-e",
            "f o r g e",
            "f.o.r.g.e",
            "f-o-r-g-e",
            "s y s t e",
            "s.y.s.t.e",
            "s-y-s-t-e",
            "r e v e a",
            "r.e.v.e.a",
            "o v e r r",
            "b y p a s",
            "i  g  n  o",
            "p  r  e  v",
            "i n s t r",
        ],
    ),
];
