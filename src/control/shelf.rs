//! Typed access to the documents of the store.

use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::{Problem, ProblemKind};
use crate::domain::Clock;
use crate::store::{Listing, OBJECTS_MAX, Object, Objects, Write};

/// Documents of one kind that are looked at together; more would not fit into a text that gateways read.
const DOCUMENTS_MAX: usize = 5 * OBJECTS_MAX;

/// Something that is kept as a document.
pub(super) trait Stored: Serialize + DeserializeOwned + Send + Sync {
    /// The name of its kind, also in messages.
    const KIND: &'static str;

    /// Whether gateways are told of it.
    const IS_TOLD: bool = false;

    /// Its id.
    fn id(&self) -> &str;

    /// A second name that it can be found by.
    fn lookup(&self) -> Option<String> {
        None
    }

    /// What it belongs to.
    fn parent(&self) -> Option<String> {
        None
    }

    /// When it is gone, Unix milliseconds.
    fn expires_ms(&self) -> Option<u64> {
        None
    }
}

/// A document as it was read: what is written back must be the successor of this version.
#[derive(Clone, Debug)]
pub(super) struct Kept<T> {
    pub(super) version: u64,
    pub(super) value: T,
}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The documents, typed.
#[derive(Clone)]
pub(super) struct Shelf {
    objects: Arc<Objects>,
    clock: Arc<dyn Clock>,
    /// One more after every write of something that gateways are told.
    changes: watch::Sender<u64>,
}

/// Steps that are taken together or not at all.
#[derive(Default)]
pub(super) struct Batch {
    writes: Vec<Write>,
    is_told: bool,
}

impl Batch {
    /// A new document.
    pub(super) fn insert<T: Stored>(self, value: &T) -> Self {
        self.with::<T>(Write::Insert(object(value, 0)))
    }

    /// Another value in the place of one that was read.
    pub(super) fn update<T: Stored>(self, kept: &Kept<T>) -> Self {
        self.with::<T>(Write::Update(object(&kept.value, kept.version)))
    }

    /// Removes one that was read.
    pub(super) fn delete<T: Stored>(self, kept: &Kept<T>) -> Self {
        let (kind, id) = (T::KIND.to_owned(), kept.value.id().to_owned());
        self.with::<T>(Write::Delete { kind, id, version: kept.version })
    }

    /// With steps that change what gateways are told, although their documents do not stand in it.
    pub(super) fn told(self) -> Self {
        Batch { is_told: true, ..self }
    }

    fn with<T: Stored>(mut self, write: Write) -> Self {
        self.writes.push(write);
        self.is_told |= T::IS_TOLD;
        self
    }
}

impl Shelf {
    pub(super) fn new(objects: Arc<Objects>, clock: Arc<dyn Clock>) -> Shelf {
        Shelf { objects, clock, changes: watch::Sender::default() }
    }

    /// How often this server has changed what gateways are told. Another server on the same store counts for itself.
    pub(super) fn changes(&self) -> u64 {
        *self.changes.borrow()
    }

    /// Ends its waiting with each of these changes.
    pub(super) fn told_of_changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Now, Unix milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now().unix.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the store answers at all.
    pub(super) async fn answers(&self) -> Result<(), Problem> {
        // No document has this kind: the least that can be asked.
        Ok(self.objects.get("nothing", "", self.now_ms()).await.map(drop)?)
    }

    /// The document with this id, if there is one.
    pub(super) async fn get<T: Stored>(&self, id: &str) -> Result<Option<Kept<T>>, Problem> {
        self.objects.get(T::KIND, id, self.now_ms()).await?.map(kept).transpose()
    }

    /// The document with this id.
    pub(super) async fn need<T: Stored>(&self, id: &str) -> Result<Kept<T>, Problem> {
        self.get(id).await?.ok_or_else(|| Problem::not_found(T::KIND, id))
    }

    /// The document with this second name, if there is one.
    pub(super) async fn find<T: Stored>(&self, lookup: &str) -> Result<Option<Kept<T>>, Problem> {
        self.objects.find(T::KIND, lookup, self.now_ms()).await?.map(kept).transpose()
    }

    /// Removes and returns a document: of several who ask at the same time, one gets it.
    pub(super) async fn take<T: Stored>(&self, id: &str) -> Result<Option<T>, Problem> {
        let taken = self.objects.take(T::KIND, id, self.now_ms()).await?;
        Ok(taken.map(kept::<T>).transpose()?.map(|it| it.value))
    }

    /// Documents of a kind.
    pub(super) async fn list<T: Stored>(&self, listing: Listing<'_>) -> Result<Vec<Kept<T>>, Problem> {
        self.objects.list(T::KIND, listing, self.now_ms()).await?.into_iter().map(kept).collect()
    }

    /// All documents of a kind, in the order of their ids.
    pub(super) async fn all<T: Stored>(&self) -> Result<Vec<Kept<T>>, Problem> {
        self.every(None).await
    }

    /// All documents of a kind that belong to this.
    pub(super) async fn of<T: Stored>(&self, parent: &str) -> Result<Vec<Kept<T>>, Problem> {
        self.every(Some(parent)).await
    }

    /// Also where they are more than one listing gives. Too many are a conflict, and never a part of them: who is left
    /// out of a list could be somebody who is to be kept out.
    async fn every<T: Stored>(&self, parent: Option<&str>) -> Result<Vec<Kept<T>>, Problem> {
        let mut all: Vec<Kept<T>> = Vec::new();
        loop {
            let after = all.last().map(|it| it.id().to_owned());
            let page = self.list(Listing { parent, after: after.as_deref(), ..Listing::default() }).await?;
            let is_last = page.len() < OBJECTS_MAX;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
            if all.len() > DOCUMENTS_MAX {
                return Err(Problem::conflict(format!("more than {DOCUMENTS_MAX} documents of the kind {}", T::KIND)));
            }
        }
    }

    /// Writes a new document.
    pub(super) async fn insert<T: Stored>(&self, value: &T) -> Result<(), Problem> {
        self.commit(Batch::default().insert(value)).await
    }

    /// Writes another value in the place of one that was read.
    pub(super) async fn update<T: Stored>(&self, kept: &Kept<T>) -> Result<(), Problem> {
        self.commit(Batch::default().update(kept)).await
    }

    /// Removes one that was read.
    pub(super) async fn delete<T: Stored>(&self, kept: &Kept<T>) -> Result<(), Problem> {
        self.commit(Batch::default().delete(kept)).await
    }

    /// Takes all steps or none.
    pub(super) async fn commit(&self, batch: Batch) -> Result<(), Problem> {
        let done = self.objects.commit(&batch.writes, self.now_ms()).await;
        // Also where it failed: whether the database has taken it is not known for certain then.
        if batch.is_told {
            self.changes.send_modify(|it| *it += 1);
        }
        Ok(done?)
    }

    /// Removes what has expired.
    pub(super) async fn expire(&self) -> Result<u64, Problem> {
        Ok(self.objects.expire(self.now_ms()).await?)
    }
}

fn object<T: Stored>(value: &T, version: u64) -> Object {
    Object {
        kind: T::KIND.to_owned(),
        id: value.id().to_owned(),
        version,
        lookup: value.lookup(),
        parent: value.parent(),
        expires_ms: value.expires_ms(),
        // Documents are maps with string keys and plain values: nothing in them cannot be written.
        body: serde_json::to_string(value).unwrap_or_default(),
    }
}

fn kept<T: Stored>(object: Object) -> Result<Kept<T>, Problem> {
    let value = serde_json::from_str(&object.body).map_err(|error| {
        tracing::error!(%error, kind = T::KIND, id = object.id, "a document of the store cannot be read");
        Problem::new(ProblemKind::Internal, format!("the {} `{}` cannot be read from the store", T::KIND, object.id))
    })?;
    Ok(Kept { version: object.version, value })
}
