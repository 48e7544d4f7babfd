//! Notes of what deltas counted, where the series alone does not tell: their names, and when nobody needs them.

use std::collections::HashMap;

use parking_lot::Mutex;
use ring::digest::{Context, SHA256};
use weir_proto::TenantId;
use weir_store::{Note, SeriesRef};

use super::stretches::Stretches;

/// What their names begin with; a hash of the series' labels follows.
pub(super) const PREFIX: &str = "otlp.delta/";

/// How often those are looked for that nobody needs, ns.
const SWEPT_EVERY_NS: u64 = 600_000_000_000;

/// When those of each tenant were last looked for. What stands is the store's to know: only what is durable counts.
#[derive(Debug, Default)]
pub(super) struct DeltaNotes(Mutex<HashMap<TenantId, u64>>);

/// A hash that stays what it is: it is stored.
pub(super) fn stored_hash(parts: &[&[u8]]) -> u64 {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    let first = context.finish().as_ref().first_chunk().copied();
    u64::from_be_bytes(first.expect("a digest has 32 bytes"))
}

/// The name of a series' note.
pub(super) fn name(series: &SeriesRef) -> String {
    format!("{PREFIX}{:016x}", stored_hash(&[series.labels().as_bytes()]))
}

/// The note that says what a series' deltas counted; without bytes that it says so itself.
pub(super) fn note(series: &SeriesRef, bytes: Vec<u8>) -> Note {
    Note { name: name(series), bytes: bytes.into() }
}

impl DeltaNotes {
    /// Notes that take away those that are older than what a sum is remembered for. Now and then the tenant's notes
    /// are asked for.
    pub(super) fn outdated(
        &self,
        tenant: &TenantId,
        now_ns: u64,
        remembered_ns: u64,
        stored: impl FnOnce() -> Vec<Note>,
    ) -> Vec<Note> {
        let mut swept = self.0.lock();
        match swept.get_mut(tenant) {
            Some(swept_ns) if now_ns.saturating_sub(*swept_ns) < SWEPT_EVERY_NS => return Vec::new(),
            Some(swept_ns) => *swept_ns = now_ns,
            None => drop(swept.insert(tenant.clone(), now_ns)),
        }
        drop(swept);
        let is_outdated = |note: &Note| {
            // One that nobody can read is of nobody.
            let newest_ns = Stretches::from_bytes(&note.bytes).map_or(0, |stretches| stretches.newest_ns());
            now_ns.saturating_sub(newest_ns) > remembered_ns + SWEPT_EVERY_NS
        };
        let outdated = stored().into_iter().filter(is_outdated);
        outdated.map(|Note { name, .. }| Note { name, bytes: Vec::new().into() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_hashes_never_change() {
        assert_eq!(stored_hash(&[b"a", b"bc"]), 0x9a8a_cca1_b6c6_c0be);
        assert_eq!(stored_hash(&[b"abc"]), 0xce91_dc5e_ec01_39ad);
    }

    #[test]
    fn what_is_outdated_is_looked_for_now_and_then() {
        const HOUR_NS: u64 = 3_600_000_000_000;

        let notes = DeltaNotes::default();
        let noted = |name: &str, ms: i64| Note { name: name.into(), bytes: Stretches::up_to_ms(ms).to_bytes().into() };
        let stored =
            || vec![noted("old", 1), noted("new", 3_600_000), Note { name: "unread".into(), bytes: vec![9].into() }];
        let outdated = |now_ns: u64| -> Vec<String> {
            let all = notes.outdated(&TenantId::default(), now_ns, HOUR_NS, stored);
            assert!(all.iter().all(|note| note.bytes.is_empty()));
            all.into_iter().map(|note| note.name).collect()
        };
        assert_eq!(outdated(2 * HOUR_NS), ["old", "unread"]);
        assert_eq!(outdated(2 * HOUR_NS + 1), [""; 0]);
        // They may not have been appended.
        assert_eq!(outdated(2 * HOUR_NS + SWEPT_EVERY_NS), ["old", "unread"]);
    }
}
