//! Where things lie in the bucket.
//!
//! `<tenant>/<table>/` is an open table: files of rows, and `_delta_log/`. What only Weir reads lies under `_weir/`, so that nobody
//! takes it for a part of a table: `_weir/segments/<signal>/<tenant>/<name>.json` and `.idx` are a segment's manifest and index
//! (of metrics, `.chunks` are its samples), `_weir/owner.json` says who writes here.

use weir_proto::{Signal, TenantId};

use crate::segment::SegmentId;

/// Who writes here.
pub(crate) const OWNER: &str = "_weir/owner.json";

/// Which archive this is.
pub(crate) const PREFIX: &str = "_weir/prefix.json";

/// Before all manifests.
pub(crate) const SEGMENTS: &str = "_weir/segments";

/// A segment's objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Its table.
    pub(crate) table: String,
    /// The file of its rows, in the table.
    pub(crate) path: String,
    /// The same in the bucket.
    pub(crate) rows: String,
    /// The index: of trace ids, or of series.
    pub(crate) index: String,
    /// The chunks of series.
    pub(crate) chunks: String,
    /// The manifest.
    pub(crate) manifest: String,
}

/// What a signal's table is called.
pub(crate) fn table_name(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "spans",
        Signal::Logs => "logs",
        Signal::Metrics => "samples",
    }
}

/// Where a table is.
pub(crate) fn table(signal: Signal, tenant: &TenantId) -> String {
    format!("{tenant}/{}", table_name(signal))
}

/// What the objects of a segment are called: its id, and the checksum of its rows' file. Written again, they have the same name only
/// when they are the same.
pub(crate) fn name_of(id: &SegmentId, crc32c: u32) -> String {
    format!("{id}-{crc32c:08x}")
}

impl Keys {
    /// Of the segment whose objects are called `name`.
    pub(crate) fn of(id: &SegmentId, name: &str) -> Self {
        let table = table(id.signal, &id.tenant);
        let path = format!("{name}.parquet");
        let beside = format!("{SEGMENTS}/{}/{}/{name}", id.signal.name(), id.tenant);
        Self {
            rows: format!("{table}/{path}"),
            table,
            path,
            index: format!("{beside}.idx"),
            chunks: format!("{beside}.chunks"),
            manifest: format!("{beside}.json"),
        }
    }
}

/// The segment that a manifest's key is of, and what its objects are called.
pub(crate) fn parse_manifest(key: &str) -> Option<(SegmentId, String)> {
    let rest = key.strip_prefix(SEGMENTS)?.strip_prefix('/')?;
    let mut parts = rest.split('/');
    let (signal, tenant, file) = (parts.next()?, parts.next()?, parts.next()?);
    let name = file.strip_suffix(".json").filter(|_| parts.next().is_none())?;
    let signal = Signal::ALL.into_iter().find(|known| known.name() == signal)?;
    parse_name(signal, &TenantId::new(tenant).ok()?, name)
}

/// The same of any object beside a table: manifest, index or chunks.
pub(crate) fn parse_beside(key: &str) -> Option<(SegmentId, String)> {
    let (name, _) = [".idx", ".chunks", ".json"].iter().find_map(|end| Some((key.strip_suffix(end)?, end)))?;
    parse_manifest(&format!("{name}.json"))
}

/// The segment that objects called `name` are of.
pub(crate) fn parse_name(signal: Signal, tenant: &TenantId, name: &str) -> Option<(SegmentId, String)> {
    let (id, crc32c) = name.rsplit_once('-')?;
    let id = SegmentId::parse(signal, tenant.clone(), id).ok()?;
    let is_ours = name_of(&id, u32::from_str_radix(crc32c, 16).ok()?) == name;
    is_ours.then(|| (id, name.to_owned()))
}

/// The table that a key is in, and the rest of it: a file of rows, or one of the log.
pub(crate) fn parse_table(key: &str) -> Option<(Signal, TenantId, &str)> {
    let mut parts = key.splitn(3, '/');
    let (tenant, name, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let signal = Signal::ALL.into_iter().find(|&signal| table_name(signal) == name)?;
    Some((signal, TenantId::new(tenant).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_says_whose_it_is() {
        let id =
            SegmentId { signal: Signal::Logs, tenant: TenantId::default(), first_file: 3, last_file: 9, generation: 2 };
        let name = name_of(&id, 0xfe);
        let keys = Keys::of(&id, &name);
        assert_eq!(keys.rows, "default/logs/0000000003-0000000009-2-000000fe.parquet");
        assert_eq!(keys.manifest, "_weir/segments/logs/default/0000000003-0000000009-2-000000fe.json");
        assert_eq!(parse_manifest(&keys.manifest), Some((id.clone(), name.clone())));
        for beside in [&keys.index, &keys.chunks, &keys.manifest] {
            assert_eq!(parse_beside(beside), Some((id.clone(), name.clone())));
        }
        let (signal, tenant, path) = parse_table(&keys.rows).expect("a table");
        assert_eq!((signal, path), (Signal::Logs, keys.path.as_str()));
        assert_eq!(parse_name(signal, &tenant, path.strip_suffix(".parquet").expect("rows")), Some((id, name)));
        for foreign in [keys.index.as_str(), "_weir/segments/logs/default/x.json", "_weir/segments/a.json", "x"] {
            assert_eq!(parse_manifest(foreign), None, "{foreign}");
        }
    }
}
