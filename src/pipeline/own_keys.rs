//! The gateway's own keys for a provider, which never come back to a client: where the provider repeats one, a word stands in
//! its place.

use memchr::memmem::Finder;

use super::answer::Flow;
use crate::domain::Secret;
use crate::wire::encoding::Decoder;

/// What stands for a key.
const WORD: &[u8] = b"[provider key]";
/// Shorter ones are words that any text may hold.
const KEY_BYTES_MIN: usize = 8;

/// The keys of one provider. Their bytes are in the finders: no `Debug`.
#[derive(Default)]
pub(super) struct OwnKeys(Vec<Finder<'static>>);

impl OwnKeys {
    /// Made once for each configuration.
    pub(super) fn new<'a>(keys: impl Iterator<Item = &'a Secret>) -> Self {
        let mut keys: Vec<&[u8]> =
            keys.map(|it| it.expose().as_bytes()).filter(|it| it.len() >= KEY_BYTES_MIN).collect();
        // One that begins with another is looked for before that.
        keys.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then(one.cmp(other)));
        keys.dedup();
        OwnKeys(keys.into_iter().map(|it| Finder::new(it).into_owned()).collect())
    }

    /// Whether there is nothing to look for.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Hides them in what stands in `out` from this index on.
    pub(super) fn hide(&self, out: &mut Vec<u8>, from: usize) {
        self.hide_in_piece(out, from, false);
    }

    /// The same in a piece of a text, whose end is left as it is where a longer key may go on behind it.
    fn hide_in_piece(&self, out: &mut Vec<u8>, from: usize, goes_on: bool) {
        for finder in &self.0 {
            if finder.find(out.get(from..).unwrap_or_default()).is_none() {
                continue;
            }
            let text = out.split_off(from);
            let mut end = 0;
            for at in finder.find_iter(&text) {
                if goes_on && self.is_begun(&text[at..]) {
                    break;
                }
                out.extend_from_slice(&text[end..at]);
                out.extend_from_slice(WORD);
                end = at + finder.needle().len();
            }
            out.extend_from_slice(&text[end..]);
        }
    }

    /// The same in a text.
    pub(super) fn hide_in(&self, text: String) -> String {
        if self.is_empty() {
            return text;
        }
        let mut bytes = text.into_bytes();
        self.hide(&mut bytes, 0);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether one begins with all of `text` and goes on behind it.
    fn is_begun(&self, text: &[u8]) -> bool {
        self.0.iter().map(Finder::needle).any(|key| key.len() > text.len() && key.starts_with(text))
    }

    /// How many bytes at the end of `text` may begin one that goes on behind it.
    fn open(&self, text: &[u8]) -> usize {
        let open = |key: &[u8]| {
            let from = text.len().saturating_sub(key.len() - 1);
            let end = &text[from..];
            memchr::memchr_iter(key[0], end).map(|at| &end[at..]).find(|it| key.starts_with(it)).map_or(0, <[u8]>::len)
        };
        self.0.iter().map(|finder| open(finder.needle())).max().unwrap_or_default()
    }
}

/// An answer that goes on unread but for these keys, in whatever pieces it comes. Of it are kept fewer bytes than a key has.
pub(super) struct Relay {
    decoder: Option<Decoder>,
    kept: Vec<u8>,
}

impl Relay {
    /// Nothing has arrived yet.
    pub(super) fn new(decoder: Option<Decoder>) -> Self {
        Relay { decoder, kept: Vec::new() }
    }

    /// The next bytes; those that are decided are appended to `out`.
    pub(super) fn push(&mut self, keys: &OwnKeys, chunk: &[u8], last: bool, out: &mut Vec<u8>) -> Flow {
        let from = out.len();
        out.append(&mut self.kept);
        let read = match &mut self.decoder {
            None => {
                out.extend_from_slice(chunk);
                Ok(())
            }
            Some(decoder) => decoder.push(chunk, out).and_then(|()| if last { decoder.finish(out) } else { Ok(()) }),
        };
        let goes_on = !last && read.is_ok();
        keys.hide_in_piece(out, from, goes_on);
        if goes_on {
            self.kept = out.split_off(out.len() - keys.open(&out[from..]));
        }
        if read.is_ok() { Flow::Continue } else { Flow::Stop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> OwnKeys {
        let keys: Vec<Secret> = keys.iter().map(|it| Secret::new((*it).to_owned())).collect();
        OwnKeys::new(keys.iter())
    }

    #[test]
    fn a_key_is_hidden_wherever_it_is_cut() {
        let keys = keys(&["made-up-key", "other-made-up-key", "short", "made-up-key-and-more"]);
        let text = b"made-up-key, xmade-up-made-up-keyx other-made-up-key short made-up-key-and-more made-up-key-an";
        let expected = "[provider key], xmade-up-[provider key]x [provider key] short [provider key] [provider key]-an";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let (mut relay, mut out) = (Relay::new(None), Vec::new());
                for (piece, last) in [(0..first, false), (first..second, false), (second..text.len(), true)] {
                    assert!(matches!(relay.push(&keys, &text[piece], last, &mut out), Flow::Continue));
                }
                assert_eq!(String::from_utf8_lossy(&out), expected, "{first} {second}");
            }
        }
    }

    #[test]
    fn a_text_without_one_stays_as_it_is() {
        assert_eq!(keys(&["made-up-key"]).hide_in("made-up".into()), "made-up");
        assert!(keys(&["short"]).is_empty());
    }
}
