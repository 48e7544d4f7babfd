//! Has the prefix for this process: takes it, says again that it has it, and notices when it is lost.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use weir_proto::time::Clock;

use super::{
    ArchiveError,
    archive::Archive,
    bucket::Bucket,
    owner::{Owner, RENEWAL},
    prefix::{self, Expected},
};
use crate::catalog::Catalog;

/// A claim that is older is made again before anything is written: well before somebody else may follow.
const CLAIM_AGE_MAX: Duration = Duration::from_secs(60);

/// How the prefix was lost.
#[derive(Debug)]
pub(super) enum Lost {
    /// Another process writes there.
    To(String),
    /// The address leads to another archive now, or to none: a folder that is not mounted any more.
    Elsewhere,
}

impl Lost {
    fn of(error: &ArchiveError) -> Option<Self> {
        match error {
            ArchiveError::InUse(by) => Some(Self::To(by.clone())),
            ArchiveError::Another => Some(Self::Elsewhere),
            _ => None,
        }
    }

    fn error(&self) -> ArchiveError {
        match self {
            Self::To(by) => ArchiveError::InUse(by.clone()),
            Self::Elsewhere => ArchiveError::Another,
        }
    }
}

impl Archive {
    /// Takes the prefix for this process, if it is the one that it should be, and notes its number, once. What failed of it is done when
    /// it is called again.
    pub(crate) async fn claim_and_note(&self, catalog: &Catalog) -> Result<(), ArchiveError> {
        let (owner, bucket, clock) = (self.owner.clone(), self.reading(), self.clock().clone());
        let expected = self.expected();
        let (is_noted, holds) = (expected.is_noted, self.holds_claim());
        self.run(async move { claim(&bucket, &expected, &owner, (&clock, holds)).await }).await?;
        *self.claimed.lock() = Some(Instant::now());
        if is_noted { Ok(()) } else { self.note_prefix(catalog).await }
    }

    /// Takes the prefix unless this process said lately that it has it: nothing is written there otherwise.
    pub(crate) async fn ensure_claim(&self, catalog: &Catalog) -> Result<(), ArchiveError> {
        if let Some(lost) = self.taken() {
            return Err(lost);
        }
        let is_claimed = self.holds_claim();
        // The renewal may have claimed what the start could not: the number is still to be noted.
        let is_noted = self.expected.lock().is_noted;
        if is_claimed && is_noted {
            return Ok(());
        }
        self.claim_and_note(catalog).await.inspect_err(|error| {
            self.lose(error);
        })
    }

    /// Whether this process said lately that it has the prefix.
    fn holds_claim(&self) -> bool {
        self.claimed.lock().is_some_and(|claimed| claimed.elapsed() < CLAIM_AGE_MAX)
    }

    /// Tests: as if the claim of the start had failed.
    #[cfg(test)]
    pub(crate) fn forget_claim(&self) {
        *self.claimed.lock() = None;
    }

    /// Says from now on that this process is still there, however long an upload takes.
    pub(crate) fn keep_claim(self: &Arc<Self>) {
        let (archive, owner) = (Arc::downgrade(self), self.owner.clone());
        let (bucket, clock) = (self.reading(), self.clock().clone());
        self.spawn(async move {
            loop {
                tokio::time::sleep(RENEWAL).await;
                let (expected, holds) = match archive.upgrade() {
                    Some(archive) if !archive.is_stopped() => (archive.expected(), archive.holds_claim()),
                    // Once it ends it lets go, and does not take it again.
                    _ => return,
                };
                let claimed = claim(&bucket, &expected, &owner, (&clock, holds)).await;
                let Some(archive) = archive.upgrade() else { return };
                match claimed {
                    Ok(()) => *archive.claimed.lock() = Some(Instant::now()),
                    Err(error) if archive.lose(&error) => {
                        // Not even what is under way.
                        archive.stop();
                        return;
                    }
                    Err(error) => tracing::warn!(%error, "cannot say that this process writes to the archive"),
                }
            }
        });
    }

    /// Why this process must not write there any more, if so.
    pub(crate) fn taken(&self) -> Option<ArchiveError> {
        self.taken.lock().as_ref().map(Lost::error)
    }

    /// Lets the next one have the prefix.
    pub(crate) fn release(&self) -> Result<(), ArchiveError> {
        let (owner, bucket) = (self.owner.clone(), self.reading());
        self.wait(async move { owner.release(&bucket).await })
    }

    /// Keeps in mind that the prefix is lost, if that is what an error says.
    fn lose(&self, error: &ArchiveError) -> bool {
        let Some(lost) = Lost::of(error) else { return false };
        *self.taken.lock() = Some(lost);
        true
    }
}

async fn claim(
    bucket: &Bucket,
    expected: &Expected,
    owner: &Owner,
    (clock, holds): (&Clock, bool),
) -> Result<(), ArchiveError> {
    prefix::check(bucket, expected).await?;
    owner.claim(bucket, clock, holds).await
}
