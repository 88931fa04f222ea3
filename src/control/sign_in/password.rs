//! Passwords of local users: Argon2id, one at a time per core, off the threads that serve.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::control::seal::random;
use crate::control::server::Control;
use crate::control::{Problem, ProblemKind};

const PASSWORD_CHARS_MIN: usize = 12;
/// Longer ones only cost time.
const PASSWORD_BYTES_MAX: usize = 256;
/// RFC 9106, second recommendation, with the memory of OWASP's: 19 MiB, 2 passes.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Verified where there is no such user, so that both take the same time. Of no password: the salt says so.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What is wrong with a password, if anything.
pub(crate) fn password_mistake(password: &str) -> Result<(), Problem> {
    let fits = password.chars().count() >= PASSWORD_CHARS_MIN && password.len() <= PASSWORD_BYTES_MAX;
    match fits {
        true => Ok(()),
        false => Err(Problem::invalid(format!(
            "a password has at least {PASSWORD_CHARS_MIN} characters, and at most {PASSWORD_BYTES_MAX} bytes"
        ))),
    }
}

/// The hash to store.
pub(crate) async fn hash_password(control: &Control, password: String) -> Result<String, Problem> {
    let password = Zeroizing::new(password);
    let salt = random::<16>()?;
    let work = move || {
        let salt = SaltString::encode_b64(&*salt).ok()?;
        let hash = argon2()?.hash_password(password.as_bytes(), &salt).ok()?;
        Some(hash.to_string())
    };
    in_turn(control, work).await?.ok_or_else(|| Problem::new(ProblemKind::Internal, "the password could not be hashed"))
}

/// Whether this is the password of `hash`; takes as long where there is none.
pub(crate) async fn is_password(control: &Control, password: String, hash: Option<String>) -> Result<bool, Problem> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Ok(false);
    }
    let password = Zeroizing::new(password);
    let work = move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        let hash = PasswordHash::new(&hash).ok()?;
        Some(argon2()?.verify_password(password.as_bytes(), &hash).is_ok() && known)
    };
    Ok(in_turn(control, work).await?.unwrap_or(false))
}

fn argon2() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Memory and cores are for few sign-ins at a time; the others wait.
pub(super) async fn in_turn<T: Send + 'static>(
    control: &Control,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let busy = || Problem::new(ProblemKind::Unavailable, "too many sign-ins at the moment; try again");
    let _permit = control.hashing.acquire().await.map_err(|_| busy())?;
    tokio::task::spawn_blocking(work).await.map_err(|_| busy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_a_readable_hash() {
        let hash = PasswordHash::new(NOBODY).unwrap();
        assert!(argon2().unwrap().verify_password(b"anything", &hash).is_err());
        assert_eq!(hash.params.get_decimal("m"), Some(MEMORY_KIB));
    }
}
