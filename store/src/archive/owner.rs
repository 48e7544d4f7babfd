//! Who writes to a prefix of a bucket: one process at a time.
//!
//! The owner says so in an object, and says it again while it runs. Somebody else takes over when the owner released it, when it is
//! a process of this machine that is not there any more, or when it has not been heard of for [`LEASE_NS`].

use std::time::Duration;

use serde::{Deserialize, Serialize};
use weir_proto::time::{Clock, SECOND_NS};

use super::{
    ArchiveError,
    bucket::{Bucket, BucketError},
    layout::OWNER,
};

/// So long after its last word an owner is thought to be gone.
const LEASE_NS: u64 = 90 * SECOND_NS;

/// How often it is read at most until two answers are the same.
const ANSWERS_MAX: usize = 8;

/// So often it says that it is there.
pub(super) const RENEWAL: Duration = Duration::from_secs(30);

/// A process that writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// Of its data folder.
    instance: String,
    /// The machine, and what numbers of processes mean there.
    machine: String,
    /// Its number.
    process: u32,
    /// When that process started, in the machine's own words.
    process_since: String,
    /// When it said so last, Unix ns by its own clock.
    renewed_ns: u64,
    /// Whether it has let go.
    released: bool,
}

impl Owner {
    /// This process, with a data folder's number.
    pub(crate) fn this(instance: &str) -> Self {
        let process = std::process::id();
        Self {
            instance: instance.to_owned(),
            machine: machine(),
            process,
            process_since: started(process).unwrap_or_default(),
            renewed_ns: 0,
            released: false,
        }
    }

    /// Takes the prefix, or says again that it has it, or refuses because of the one that has it. `holds` says whether this process said
    /// lately that it has it.
    pub(crate) async fn claim(&self, bucket: &Bucket, clock: &Clock, holds: bool) -> Result<(), ArchiveError> {
        let mine = Self { renewed_ns: clock.now_ns(), ..self.clone() };
        let mut found = read_twice(|| read(bucket)).await?;
        if found == Found::Nobody {
            match bucket.put_new(OWNER, mine.bytes()).await {
                Ok(_) => return Ok(()),
                // Somebody was quicker.
                Err(BucketError::Conflict { .. }) => found = read_twice(|| read(bucket)).await?,
                Err(error) => return Err(error.into()),
            }
        }
        match found {
            Found::Owner(found) if !self.may_follow(&found, clock.now_ns()) => {
                let holder = format!("process {} on {}", found.process, found.machine);
                return Err(ArchiveError::InUse(holder));
            }
            // Whoever runs would have written it anew by now.
            Found::Unreadable(_) if !holds => {
                let silent_ns = clock.now_ns().saturating_sub(bucket.head(OWNER).await?.modified_ns);
                if silent_ns <= LEASE_NS {
                    return Err(ArchiveError::UnreadableOwner);
                }
                tracing::warn!(
                    key = OWNER,
                    "who writes to the archive cannot be read, and nobody said so lately: it is taken"
                );
            }
            _ => {}
        }
        bucket.put(OWNER, mine.bytes()).await?;
        self.check(bucket).await
    }

    /// Lets go.
    pub(crate) async fn release(&self, bucket: &Bucket) -> Result<(), ArchiveError> {
        self.check(bucket).await?;
        Ok(bucket.put(OWNER, Self { released: true, ..self.clone() }.bytes()).await?)
    }

    /// Whether it is still the owner.
    async fn check(&self, bucket: &Bucket) -> Result<(), ArchiveError> {
        match read_twice(|| read(bucket)).await? {
            Found::Owner(found) if !found.is(self) => {
                Err(ArchiveError::InUse(format!("process {} on {}", found.process, found.machine)))
            }
            _ => Ok(()),
        }
    }

    fn is(&self, other: &Self) -> bool {
        (&self.instance, &self.machine, self.process, &self.process_since)
            == (&other.instance, &other.machine, other.process, &other.process_since)
    }

    /// Whether `found` is gone, as far as can be told. A data folder has one process: the one before is not there any more.
    fn may_follow(&self, found: &Self, now_ns: u64) -> bool {
        if found.released || found.instance == self.instance || found.is(self) {
            return true;
        }
        let is_gone = found.machine == self.machine
            && started(found.process).is_none_or(|started| started != found.process_since);
        // A clock that is behind says nothing.
        let silent_ns = now_ns.saturating_sub(found.renewed_ns);
        is_gone || silent_ns > LEASE_NS
    }

    fn bytes(&self) -> bytes::Bytes {
        serde_json::to_vec(self).expect("plain structs become JSON").into()
    }
}

/// What two answers in a row say: a bit that is flipped on the way makes another owner, or another archive, of what is there.
pub(super) async fn read_twice<T: PartialEq, F: Future<Output = Result<T, ArchiveError>>>(
    read: impl Fn() -> F,
) -> Result<T, ArchiveError> {
    let mut before = read().await?;
    for _ in 0..ANSWERS_MAX {
        let next = read().await?;
        if next == before {
            break;
        }
        before = next;
    }
    Ok(before)
}

/// What is said of who writes there.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Nothing.
    Nobody,
    /// A process.
    Owner(Owner),
    /// Something that nobody can read: these bytes.
    Unreadable(bytes::Bytes),
}

async fn read(bucket: &Bucket) -> Result<Found, ArchiveError> {
    match bucket.get(OWNER).await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).map_or(Found::Unreadable(bytes), Found::Owner)),
        Err(BucketError::NotFound { .. }) => Ok(Found::Nobody),
        Err(error) => Err(error.into()),
    }
}

/// Name and boot of the machine, and the space in which it numbers processes: a container has its own.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {} {}", read("/proc/sys/kernel/hostname"), read("/proc/sys/kernel/random/boot_id"), space.display())
}

/// When a process of this machine started, in ticks; `None` when none of this number runs, or nobody says.
fn started(process: u32) -> Option<String> {
    started_of(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// From a process' `stat`. One that has ended and was not waited for yet (Z) runs no more.
fn started_of(stat: &str) -> Option<String> {
    // The name, in brackets, may hold anything. The start is the 22nd field, the first behind the name is the third, the state.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18).map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_gone_is_followed() {
        let me = Owner::this("1");
        let now_ns = 1000 * SECOND_NS;
        let other = Owner { instance: "2".into(), renewed_ns: now_ns - 5 * SECOND_NS, ..me.clone() };
        assert!(!me.may_follow(&other, now_ns), "it runs: it is this process");
        assert!(me.may_follow(&Owner { released: true, ..other.clone() }, now_ns));
        assert!(me.may_follow(&Owner { instance: "1".into(), ..other.clone() }, now_ns));
        assert!(me.may_follow(&Owner { process_since: "0".into(), ..other.clone() }, now_ns), "another had its number");
        let stat = |state| format!("12 (a ) b) {state} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20");
        assert_eq!(started_of(&stat("S")).as_deref(), Some("4711"));
        assert_eq!(started_of(&stat("Z")), None, "killed, and not waited for");
        let elsewhere = Owner { machine: "elsewhere".into(), ..other };
        assert!(!me.may_follow(&elsewhere, now_ns) && !me.may_follow(&elsewhere, 0));
        assert!(me.may_follow(&elsewhere, now_ns + LEASE_NS));
    }
}
