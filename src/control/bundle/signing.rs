//! What bundles are signed with: one Ed25519 key for all servers on a store, sealed by the master key.

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::control::seal::{Sealed, fresh_key, key_bytes};
use crate::control::server::Control;
use crate::control::shelf::{Shelf, Stored};
use crate::control::{Problem, ProblemKind};
use crate::store::{hex, unhex};

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
        let bytes = control.master.open(&kept.sealed, ID).and_then(|it| key_bytes(&it));
        return Ok(SigningKey::from_bytes(&*bytes.ok_or_else(unopened)?));
    }
    let fresh = fresh_key()?;
    let sealed = control.master.seal(&fresh, ID)?;
    match control.shelf.insert(&Kept { id: ID.to_owned(), sealed }).await {
        // Another server has made it at the same moment: its key holds.
        Err(problem) if problem.kind == ProblemKind::Conflict => Box::pin(key(control)).await,
        Err(problem) => Err(problem),
        Ok(()) => Ok(SigningKey::from_bytes(&*key_bytes(&fresh).ok_or_else(unopened)?)),
    }
}

/// The key as it is kept, with what it is sealed for; `None` where it was not made yet.
pub(crate) async fn sealed(shelf: &Shelf) -> Result<Option<(Sealed, String)>, Problem> {
    Ok(shelf.get::<Kept>(ID).await?.map(|it| (it.value.sealed, ID.to_owned())))
}

/// What is sealed does not open.
pub(crate) fn unopened() -> Problem {
    let wrong = "the master key does not open what is kept in this store: start with the one it was made with";
    Problem::new(ProblemKind::Internal, wrong)
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
    let (Some(signature), Some(key)) = (unhex::<64>(signature), unhex::<32>(key)) else { return false };
    let Ok(key) = VerifyingKey::from_bytes(&key) else { return false };
    key.verify_strict(payload, &ed25519_dalek::Signature::from_bytes(&signature)).is_ok()
}
