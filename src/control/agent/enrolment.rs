//! Enrolment: a one-time token becomes this gateway's own, kept in its folder.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::contact::{Answer, Contact};
use crate::config::PolicyServer;
use crate::control::ProblemKind;
use crate::control::gateways::Enrolled;
use crate::control::seal::key_bytes;
use crate::domain::Secret;
use crate::store::{Directory, Head, Key, Link, Mark, Marker, read_whole, unhex, write_whole};

const FILE: &str = "enrolment.json";
/// Larger files are none of ours.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// What an enrolled gateway knows of itself and of its server.
pub struct Enrolment {
    /// The server that it was enrolled at.
    pub server: String,
    /// What it is called there, and in every record.
    pub name: String,
    /// The group whose bundle it runs on.
    pub group: String,
    /// Its id on the server: bundles name it.
    pub(super) id: String,
    pub(super) token: Secret,
    /// What secrets in bundles are sealed with.
    pub(super) seal: Zeroizing<[u8; 32]>,
    /// What bundles must be signed with: an Ed25519 public key, hex.
    pub(super) bundle_key: String,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Kept {
    server: String,
    name: String,
    group: String,
    id: String,
    token: String,
    seal: String,
    bundle_key: String,
}

#[derive(Serialize)]
struct Application<'a> {
    token: &'a str,
    name: &'a str,
    audit_key: String,
    proof: Mark,
}

impl Enrolment {
    /// Of the gateway with this folder; `None` where it was not enrolled.
    ///
    /// # Errors
    /// A file that cannot be read or is damaged.
    pub fn load(folder: &Path) -> Result<Option<Enrolment>, String> {
        let Some(kept) = read(folder)? else { return Ok(None) };
        Enrolment::of(kept).map(Some).ok_or_else(|| damaged(folder))
    }

    /// Its id on the server.
    pub(in crate::control) fn id(&self) -> &str {
        &self.id
    }

    /// Keeps what the server gave.
    ///
    /// # Errors
    /// Keys that cannot be used, a folder that cannot be written.
    pub(in crate::control) fn keep(
        directory: &Directory,
        server: &PolicyServer,
        enrolled: Enrolled,
    ) -> Result<Enrolment, String> {
        let address = server.url.to_string();
        let kept = Kept {
            server: address.clone(),
            name: directory.gateway()?.to_string(),
            group: enrolled.group,
            id: enrolled.id,
            token: enrolled.token,
            seal: enrolled.seal,
            bundle_key: enrolled.bundle_key,
        };
        // What another enrolment was told holds no more.
        super::kept::forget(directory.path());
        let undo = "remove the gateway on the server before the next try";
        write(directory.path(), &kept).map_err(|error| format!("{error}; {undo}"))?;
        Enrolment::of(kept).ok_or_else(|| format!("{address} gave keys that cannot be used"))
    }

    /// The same server is at another address.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub(in crate::control) fn moved(folder: &Path, server: &PolicyServer) -> Result<(), String> {
        let Some(mut kept) = read(folder)? else { return Ok(()) };
        let address = server.url.to_string();
        if kept.server == address {
            return Ok(());
        }
        kept.server = address;
        write(folder, &kept)
    }

    fn of(kept: Kept) -> Option<Enrolment> {
        unhex::<32>(&kept.bundle_key)?;
        Some(Enrolment {
            server: kept.server,
            name: kept.name,
            group: kept.group,
            id: kept.id,
            token: Secret::new(kept.token),
            seal: key_bytes(&Secret::new(kept.seal))?,
            bundle_key: kept.bundle_key,
        })
    }
}

/// Enrols the gateway with this folder, which nobody else uses meanwhile.
///
/// # Errors
/// What the server says, or why it did not answer, and what to do.
pub async fn enrol(directory: &Directory, server: &PolicyServer, token: &Secret) -> Result<Enrolment, String> {
    let folder = directory.path();
    if let Some(already) = Enrolment::load(folder)? {
        return Err(format!(
            "this gateway ({}) is enrolled at {} already: to enrol it anew, remove it there, and {} here",
            already.name,
            already.server,
            file(folder).display()
        ));
    }
    let name = directory.gateway()?;
    let marker = Marker::new(&name, &*directory.key(Key::Signing)?);
    let proof = marker.mark(Head { sequence: 0, hash: Link::FIRST }, 0);
    let application = Application { token: token.expose(), name: &name, audit_key: marker.public_key(), proof };
    let contact = Contact::new(server, None)?;
    let address = server.url.to_string();
    let answer = contact.post::<Enrolled>("/api/v1/enrol", &application).await;
    let enrolled = match answer.map_err(|what| format!("{address} did not answer: {what}"))? {
        Answer::Given(enrolled, _) => enrolled,
        Answer::Unchanged => return Err(format!("{address} did not answer like a policy server")),
        Answer::Refused(it) => {
            let help = match it.kind {
                Some(ProblemKind::Forbidden) => "; ask an administrator for another token",
                Some(_) => "",
                None => ": is this the address of a policy server?",
            };
            return Err(format!("{address} refused to enrol this gateway ({name}): {}{help}", it.detail));
        }
    };
    Enrolment::keep(directory, server, enrolled)
}

fn read(folder: &Path) -> Result<Option<Kept>, String> {
    let path = file(folder);
    match read_whole(&path, FILE_BYTES_MAX).map(Zeroizing::new) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|_| damaged(folder)),
    }
}

fn write(folder: &Path, kept: &Kept) -> Result<(), String> {
    let text = Zeroizing::new(serde_json::to_vec_pretty(kept).map_err(|error| error.to_string())?);
    write_whole(&file(folder), &text).map_err(|error| format!("cannot write {}: {error}", file(folder).display()))
}

fn damaged(folder: &Path) -> String {
    format!("{} is damaged: remove it, and enrol this gateway anew", file(folder).display())
}

fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_damaged_says_what_to_do_and_one_that_is_missing_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Enrolment::load(folder.path()).unwrap().is_none());
        for text in
            ["", "{}", r#"{"server":"a","name":"b","group":"c","id":"d","token":"e","seal":"?","bundle_key":"0"}"#]
        {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            assert!(Enrolment::load(folder.path()).err().unwrap().contains("enrol this gateway anew"));
        }
    }
}
