//! What bundles are signed with: one Ed25519 key for all servers on a store, sealed by the master key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::control::seal::Sealed;
use crate::control::server::Control;
use crate::control::shelf::Stored;
use crate::control::{Problem, ProblemKind};
use crate::domain::Secret;
use crate::store::hex;

const ID: &str = "bundles";

/// The key, sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    id: String,
    sealed: Sealed,
}

impl Stored for Kept {
    const KIND: &'static str = "signing key";

    fn id(&self) -> &str {
        &self.id
    }
}

/// The key of this store's bundles; made where there is none.
async fn key(control: &Control) -> Result<SigningKey, Problem> {
    if let Some(kept) = control.shelf.get::<Kept>(ID).await? {
        let opened = control.master.open(&kept.sealed, ID);
        let bytes = opened.and_then(|it| STANDARD.decode(it.expose()).ok()).map(Zeroizing::new);
        let bytes = bytes.and_then(|it| <[u8; 32]>::try_from(it.as_slice()).ok());
        let wrong = "the master key does not open what is kept in this store: start with the one it was made with";
        return bytes.map(|it| SigningKey::from_bytes(&it)).ok_or_else(|| Problem::new(ProblemKind::Internal, wrong));
    }
    let failed = || Problem::new(ProblemKind::Internal, "no signing key could be made");
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|_| failed())?;
    let sealed = control.master.seal(&Secret::new(STANDARD.encode(*bytes)), ID).ok_or_else(failed)?;
    match control.shelf.insert(&Kept { id: ID.to_owned(), sealed }).await {
        // Another server has made it at the same moment: its key holds.
        Err(problem) if problem.kind == ProblemKind::Conflict => Box::pin(key(control)).await,
        Err(problem) => Err(problem),
        Ok(()) => Ok(SigningKey::from_bytes(&bytes)),
    }
}

/// What gateways verify bundles with, hex.
pub(crate) async fn public_key(control: &Control) -> Result<String, Problem> {
    Ok(hex(key(control).await?.verifying_key().as_bytes()))
}

/// The signature over these bytes, hex.
pub(crate) async fn sign(control: &Control, payload: &[u8]) -> Result<String, Problem> {
    Ok(hex(&key(control).await?.sign(payload).to_bytes()))
}

/// Whether this signature over these bytes was made with the key.
pub(crate) fn is_signed(payload: &[u8], signature: &str, key: &str) -> bool {
    use crate::store::unhex;
    let (Some(signature), Some(key)) = (unhex::<64>(signature), unhex::<32>(key)) else { return false };
    let Ok(key) = VerifyingKey::from_bytes(&key) else { return false };
    key.verify_strict(payload, &ed25519_dalek::Signature::from_bytes(&signature)).is_ok()
}
