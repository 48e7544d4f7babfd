//! Sees to it that each journal file says what the numbers in it stand for.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use weir_proto::{TenantId, metrics::Metadata};

use super::{batch::SentFrame, twins::Twins};
use crate::{
    head::{Registry, SeriesRef},
    journal::{Entry, JournalFile, Prefaces, StoredFrame},
    samples::payload::{DEFINITIONS_NONE_BYTES, Payload, put_definitions},
};

/// Puts the definitions that a file has not had before the first frame that needs them.
pub(crate) struct Definitions {
    registry: Arc<Registry>,
    file: u32,
    /// Counts groups, tried ones included: a definition that was written in vain is written again with the next one.
    group: u32,
    /// Families that this group tells of, by tenant, at their versions.
    families: HashMap<TenantId, u64>,
    twins: Twins,
}

impl Definitions {
    /// Of the series of `registry`.
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self { registry, file: 0, group: 0, families: HashMap::new(), twins: Twins::default() }
    }

    /// What the file has not been told of a tenant's families, with the version that it has then.
    fn family_news(&mut self, tenant: &TenantId) -> Option<(Vec<Metadata>, u64)> {
        let (news, version) = self.registry.tenant(tenant).family_news(self.file);
        if news.is_empty() || self.families.get(tenant) == Some(&version) {
            return None;
        }
        self.families.insert(tenant.clone(), version);
        Some((news, version))
    }
}

impl Prefaces<SentFrame> for Definitions {
    fn begin(&mut self, file: u32) {
        self.file = file;
        self.group = self.group.wrapping_add(1).max(1);
        self.families.clear();
        self.twins = Twins::new(self.group);
    }

    fn complete<'e>(
        &mut self,
        entry: &mut Entry<SentFrame>,
        before: impl Iterator<Item = &'e Entry<SentFrame>> + Clone,
    ) {
        self.twins.take_out(entry, before.map(|entry| &entry.attachment));
        let due: Vec<&SeriesRef> =
            entry.attachment.series().filter(|series| series.0.is_definition_due(self.file, self.group)).collect();
        let news = self.family_news(&entry.header.tenant);
        if due.is_empty() && news.is_none() {
            return;
        }
        let (families, version) = news.map_or_else(Default::default, |(news, version)| (news, Some(version)));
        let columns = &entry.payload[DEFINITIONS_NONE_BYTES..];
        let labels_bytes: usize = due.iter().map(|series| series.labels().as_bytes().len() + 4).sum();
        let mut payload = Vec::with_capacity(64 + labels_bytes + columns.len());
        put_definitions(&mut payload, due.iter().map(|series| (series.0.number, series.labels())), families.iter());
        payload.extend_from_slice(columns);
        // The version says what comes behind the columns.
        payload[0] = entry.payload[0];
        entry.attachment.families = families;
        entry.attachment.families_version = version;
        entry.payload = payload.into();
    }
}

/// Gives frames that recovery copies out of a file the definitions that they had there.
pub(crate) fn complete_copied(from: &Arc<JournalFile>, frames: &mut [StoredFrame]) {
    let mut payloads: Vec<Option<Payload>> = frames.iter().map(|frame| Payload::read(&frame.payload)).collect();
    let numbers: HashSet<u64> = payloads.iter().flatten().flat_map(Payload::numbers).collect();
    let mut known = HashMap::new();
    let mut families: HashMap<(TenantId, String), Metadata> = HashMap::new();
    for frame in from.frames().flatten() {
        // A file has as many samples as fit it, of which nothing is needed here.
        let Some((series, metadata)) = Payload::read_definitions(&frame.payload) else { continue };
        known.extend(series.into_iter().filter(|(number, _)| numbers.contains(number)));
        for family in metadata {
            families.insert((frame.header.tenant.clone(), family.family.clone()), family);
        }
    }
    let mut written: HashSet<u64> = HashSet::new();
    let mut told: HashSet<TenantId> = HashSet::new();
    for (frame, payload) in frames.iter_mut().zip(&mut payloads) {
        let Some(payload) = payload else { continue };
        for (number, labels) in &payload.series {
            known.insert(*number, labels.clone());
            written.insert(*number);
        }
        let missing: HashSet<u64> = payload.numbers().filter(|number| !written.contains(number)).collect();
        for number in missing {
            if let Some(labels) = known.get(&number) {
                payload.series.push((number, labels.clone()));
                written.insert(number);
            }
        }
        if told.insert(frame.header.tenant.clone()) {
            let own: HashSet<String> = payload.metadata.iter().map(|family| family.family.clone()).collect();
            let of_tenant =
                families.iter().filter(|((tenant, name), _)| *tenant == frame.header.tenant && !own.contains(name));
            payload.metadata.extend(of_tenant.map(|(_, family)| family.clone()));
        }
        frame.payload = payload.to_bytes().into();
    }
}
