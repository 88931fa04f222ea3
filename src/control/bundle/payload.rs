//! What a gateway is told, and how it knows that it is true.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::signing::is_signed;
use crate::domain::Held;

/// The form that this program writes and reads.
pub(crate) const VERSION: u32 = 1;

/// Everything that a group of gateways runs on, for one of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bundle {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// The gateway that it is for.
    pub(crate) gateway: String,
    /// The group it belongs to.
    pub(crate) group: String,
    /// Grows with every change of what the group runs on; gateways never go back.
    pub(crate) generation: u64,
    /// When this generation was made, Unix milliseconds.
    pub(crate) made_ms: u64,
    /// In the words of `gateway.yaml`: upstreams, teams, checks, rules, policies, exceptions.
    pub(crate) text: String,
    /// What the text's `rules:` name: rule files by path.
    pub(crate) files: BTreeMap<String, String>,
    /// What the text's `${NAME}` stand for: sealed with the gateway's own key.
    pub(crate) secrets: BTreeMap<String, String>,
    /// Who is kept out.
    pub(crate) held: Vec<Held>,
    /// Users by the key that records name: whose requests they are.
    pub(crate) owners: BTreeMap<String, String>,
}

/// A bundle as it travels and lies on disk: the very bytes that were signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "SignedBundle")]
pub(crate) struct Signed {
    /// The bundle's JSON.
    pub(crate) payload: String,
    /// The Ed25519 signature over it, hex.
    pub(crate) signature: String,
}

/// Why a bundle is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Untrusted {
    /// It was not signed with the key that was given at enrolment.
    Signature,
    /// It is signed, but of a form that this program does not know.
    Form(String),
    /// It is another gateway's.
    Gateway,
    /// It is older than what is in force.
    Older {
        /// Its generation.
        generation: u64,
    },
}

impl Signed {
    /// The bundle, where it is signed with `key`, is for this gateway, and is not older than `newest`.
    pub(crate) fn verify(&self, key: &str, gateway: &str, newest: u64) -> Result<Bundle, Untrusted> {
        if !is_signed(self.payload.as_bytes(), &self.signature, key) {
            return Err(Untrusted::Signature);
        }
        let bundle: Bundle = serde_json::from_str(&self.payload).map_err(|error| Untrusted::Form(error.to_string()))?;
        if bundle.version != VERSION {
            return Err(Untrusted::Form(format!("version {}", bundle.version)));
        }
        if bundle.gateway != gateway {
            return Err(Untrusted::Gateway);
        }
        match bundle.generation < newest {
            true => Err(Untrusted::Older { generation: bundle.generation }),
            false => Ok(bundle),
        }
    }
}
