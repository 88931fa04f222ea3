//! Signed marks: a gateway's word for everything up to an entry.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::directory::hex;
use super::entry::{Head, unhex};
use super::record::Mark;

/// Signs marks for one gateway.
pub struct Marker {
    gateway: String,
    key: SigningKey,
}

impl Marker {
    /// With the installation's signing key.
    pub fn new(gateway: &str, key: &[u8; 32]) -> Marker {
        Marker { gateway: gateway.to_owned(), key: SigningKey::from_bytes(key) }
    }

    /// The public key, hex.
    pub fn public_key(&self) -> String {
        hex(self.key.verifying_key().as_bytes())
    }

    /// A mark on `head`.
    pub fn mark(&self, head: Head, now_ms: u64) -> Mark {
        let hash = head.hash.to_string();
        let said = said(&self.gateway, head.sequence, &hash, now_ms);
        let signature = hex(&self.key.sign(said.as_bytes()).to_bytes());
        Mark { sequence: head.sequence, hash, signed_ms: now_ms, key: self.public_key(), signature }
    }
}

impl Mark {
    /// Whether its signature is its key's, for this gateway.
    pub fn holds(&self, gateway: &str) -> bool {
        let said = said(gateway, self.sequence, &self.hash, self.signed_ms);
        let key = unhex(&self.key).and_then(|it| VerifyingKey::from_bytes(&it).ok());
        let signature = unhex(&self.signature).map(|it| Signature::from_bytes(&it));
        match (key, signature) {
            (Some(key), Some(signature)) => key.verify_strict(said.as_bytes(), &signature).is_ok(),
            _ => false,
        }
    }
}

fn said(gateway: &str, sequence: u64, hash: &str, signed_ms: u64) -> String {
    format!("airiskguard audit mark 1\n{gateway}\n{sequence}\n{hash}\n{signed_ms}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Link;

    #[test]
    fn a_mark_holds_for_what_was_signed_and_nothing_else() {
        let marker = Marker::new("gw", &[5; 32]);
        let mark = marker.mark(Head { sequence: 7, hash: Link::new([9; 32]) }, 1234);
        assert!(mark.holds("gw"));
        assert!(!mark.holds("other"));
        for changed in [
            Mark { sequence: 8, ..mark.clone() },
            Mark { signed_ms: 1235, ..mark.clone() },
            Mark { hash: Link::new([8; 32]).to_string(), ..mark.clone() },
            Mark { key: Marker::new("gw", &[6; 32]).public_key(), ..mark.clone() },
            Mark { signature: "00".repeat(64), ..mark.clone() },
            Mark { signature: "none".into(), ..mark.clone() },
        ] {
            assert!(!changed.holds("gw"), "{changed:?}");
        }
    }
}
