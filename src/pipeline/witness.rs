//! What a record may tell of an exchange: keyed digests instead of text, and names only where they are no secret.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::label::OPEN;
use crate::config::File;
use crate::domain::{Fingerprint, Secret};
use crate::scan::{Engine, Hit, RuleSet, Scanner};

/// Longest `user-agent` that is recorded, bytes.
const AGENT_BYTES_MAX: usize = 200;
/// Longest text that is kept of one direction, bytes.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 20;
/// Names that are remembered not to be secrets.
const NAMES_MAX: usize = 4096;
/// What stands for a name that is itself a secret.
const HIDDEN: &str = "[REDACTED]";
/// Hits that are hidden in one text; a text with more is hidden whole.
const HITS_MAX: usize = 10_000;

/// The digest of a body, as it grows: HMAC-SHA-256 of its BLAKE3 hash. The hash is as hard to forge as the other, and
/// takes a third of the time, which for long prompts is most of what a record costs.
#[derive(Clone)]
pub(super) struct BodyDigest {
    key: Hmac<Sha256>,
    hash: blake3::Hasher,
}

impl BodyDigest {
    /// The next bytes of the body.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    fn finish(mut self) -> [u8; 32] {
        self.key.update(self.hash.finalize().as_bytes());
        self.key.finalize().into_bytes().into()
    }
}

/// Keys and rules that records are made with.
pub(super) struct Witness {
    /// `None` where nothing is recorded.
    bodies: Option<Hmac<Sha256>>,
    values: Hmac<Sha256>,
    engine: Arc<Engine>,
    /// Everything that can be hidden, whatever a team is checked for.
    private: RuleSet,
    /// Names that were found to be none: models, tools and sessions come again and again.
    known: Mutex<HashSet<Box<str>>>,
    /// Whether what was said is kept.
    pub(super) keeps_text: bool,
    /// Digest prefix of the configuration.
    pub(super) generation: Arc<str>,
}

impl Witness {
    /// For this configuration; `installation` is the key that stays over restarts.
    pub(super) fn new(file: &File, engine: &Arc<Engine>, installation: &[u8; 32]) -> Witness {
        let part = |name: &str| {
            let mut mac = keyed(installation);
            mac.update(b"airiskguard records 1 ");
            mac.update(name.as_bytes());
            keyed(&mac.finalize().into_bytes())
        };
        // Of secrets the text of a configuration shows that they are there, and nothing else.
        let digest = Sha256::digest(format!("{file:?}"));
        Witness {
            bodies: file.audit_enabled.then(|| part("bodies")),
            values: part("values"),
            private: engine.select(|rule| rule.redactable),
            engine: engine.clone(),
            known: Mutex::default(),
            keeps_text: file.audit_enabled && file.audit.full_text,
            generation: digest[..6].iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
        }
    }

    /// A digest of nothing yet; `None` where nothing is recorded.
    pub(super) fn body(&self) -> Option<BodyDigest> {
        self.bodies.clone().map(|key| BodyDigest { key, hash: blake3::Hasher::new() })
    }

    /// The keyed digest of a value that was found.
    pub(super) fn value(&self, text: &Secret) -> Fingerprint {
        let mut mac = self.values.clone();
        mac.update(text.expose().as_bytes());
        let bytes = mac.finalize().into_bytes();
        Fingerprint::new(std::array::from_fn(|at| bytes[at]))
    }

    /// A `user-agent` as it may be recorded.
    pub(super) fn agent(&self, text: &str) -> String {
        let cut: String = text.chars().filter(|it| !it.is_control()).collect();
        self.name(&cut[..cut.floor_char_boundary(AGENT_BYTES_MAX)])
    }

    /// A name that a client or a provider gave, as it may be recorded.
    pub(super) fn name(&self, text: &str) -> String {
        if self.is_known(text) {
            return text.to_owned();
        }
        if !self.hits(text).is_empty() {
            return HIDDEN.to_owned();
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= NAMES_MAX {
            known.clear();
        }
        if text.len() <= AGENT_BYTES_MAX {
            known.insert(text.into());
        }
        text.to_owned()
    }

    /// Whether this name was looked at before, and is no secret.
    fn is_known(&self, text: &str) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(text)
    }

    /// A text with everything taken out of it that can be hidden, at most [`TEXT_BYTES_MAX`] of it.
    pub(super) fn text(&self, text: &str) -> String {
        let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
        let mut hits = self.hits(text);
        if hits.len() > HITS_MAX {
            return HIDDEN.to_owned();
        }
        hits.sort_by_key(|it| (it.secret.start, std::cmp::Reverse(it.secret.end)));
        let (mut clean, mut at) = (String::with_capacity(text.len()), 0);
        for hit in &hits {
            let (start, end) = (text.floor_char_boundary(hit.secret.start), text.ceil_char_boundary(hit.secret.end));
            if start >= at {
                clean.push_str(&text[at..start]);
                clean.push_str(OPEN);
                clean.push_str(&self.engine.rules()[hit.rule].label);
                clean.push(']');
            }
            at = at.max(end);
        }
        clean.push_str(&text[at..]);
        clean
    }

    fn hits(&self, text: &str) -> Vec<Hit> {
        let mut hits = Vec::new();
        let mut scanner = Scanner::new(self.private.clone(), true);
        scanner.push(&self.engine, text.as_bytes(), &mut hits);
        scanner.finish(&self.engine, &mut hits);
        hits
    }
}

/// The digest of all that went into it; `None` of nothing.
pub(super) fn finished(digest: Option<BodyDigest>, bytes: u64) -> Option<[u8; 32]> {
    digest.filter(|_| bytes > 0).map(BodyDigest::finish)
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    Hmac::new_from_slice(key).expect("any key length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(more: &str) -> Witness {
        let text = format!("upstream: {{anthropic: 'https://a.example'}}\n{more}");
        let file = File::parse(&text, "test", &|_| Err(String::new())).unwrap();
        let engine = Arc::new(Engine::new(crate::checkers::rules().unwrap()).unwrap());
        Witness::new(&file, &engine, &[7; 32])
    }

    #[test]
    fn names_and_texts_lose_what_is_secret() {
        let witness = witness("");
        let key = ["AKIA", "Z7VEXAMQLP4SMPJD"].concat();
        assert_eq!(witness.name("claude-code/2.1 (cli)"), "claude-code/2.1 (cli)");
        assert_eq!(witness.name(&key), HIDDEN);
        assert!(witness.is_known("claude-code/2.1 (cli)") && !witness.is_known(&key));
        (0..=NAMES_MAX).for_each(|number| assert_eq!(witness.name(&format!("m-{number}")), format!("m-{number}")));
        assert!(witness.known.lock().unwrap().len() <= NAMES_MAX);
        assert_eq!(witness.agent(&format!("tool/1\n {key}")), HIDDEN);
        assert_eq!(witness.agent(&"ä".repeat(300)).len(), AGENT_BYTES_MAX);
        assert_eq!(witness.text(&format!("the key {key}, and\nmore")), "the key [REDACTED:AWS_ACCESS_KEY], and\nmore");
    }

    #[test]
    fn the_generation_follows_the_configuration() {
        let first = witness("").generation;
        assert_eq!(first, witness("").generation);
        assert_ne!(first, witness("log_level: debug\n").generation);
        assert!(witness("audit_enabled: false\n").body().is_none());
    }

    /// A body's digest can be made without this program, by whoever has the key.
    #[test]
    fn a_body_has_the_digest_that_its_definition_gives() {
        let witness = witness("");
        let mut whole = witness.body().unwrap();
        whole.update(b"a body");
        let mut pieces = witness.body().unwrap();
        b"a body".chunks(1).for_each(|piece| pieces.update(piece));
        let mut mac = keyed(&[7; 32]);
        mac.update(b"airiskguard records 1 bodies");
        let mut mac = keyed(&mac.finalize().into_bytes());
        mac.update(blake3::hash(b"a body").as_bytes());
        let expected: [u8; 32] = mac.finalize().into_bytes().into();
        assert_eq!(finished(Some(whole), 6), Some(expected));
        assert_eq!(finished(Some(pieces), 6), Some(expected));
        assert_eq!(finished(witness.body(), 0), None);
    }

    #[test]
    fn equal_values_have_equal_digests_and_another_key_another() {
        let witness = witness("");
        let [one, same, other] = ["value", "value", "other"].map(|it| witness.value(&Secret::new(it.into())));
        assert_eq!(one, same);
        assert_ne!(one, other);
    }
}
