//! A segment's identity: the run of journal files it came from, and how often it was merged.

use std::{fmt, str::FromStr};

use weir_proto::{Signal, TenantId};

/// Which segment. Shown as its directory's name, `<first file>-<last file>-<generation>`, below the folders of signal and
/// tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentId {
    /// Of which signal's journal.
    pub signal: Signal,
    /// Whose.
    pub tenant: TenantId,
    /// First journal file of the run.
    pub first_file: u32,
    /// Last journal file of the run.
    pub last_file: u32,
    /// 0 when sealed; merged segments count from the highest generation among their inputs.
    pub generation: u32,
}

/// A directory's name that is no segment's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a segment's name: <first file>-<last file>-<generation>")]
pub struct InvalidSegmentName;

impl SegmentId {
    /// Reads a directory's name.
    pub fn parse(signal: Signal, tenant: TenantId, name: &str) -> Result<Self, InvalidSegmentName> {
        let mut parts = name.split('-');
        let mut next = || -> Option<u32> { u32::from_str(parts.next()?).ok() };
        let (Some(first_file), Some(last_file), Some(generation)) = (next(), next(), next()) else {
            return Err(InvalidSegmentName);
        };
        let id = Self { signal, tenant, first_file, last_file, generation };
        // One name only for each id: no signs, no other padding.
        if parts.next().is_some() || id.to_string() != name || first_file > last_file {
            return Err(InvalidSegmentName);
        }
        Ok(id)
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}-{:010}-{}", self.first_file, self.last_file, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_in_and_out() {
        let id = SegmentId {
            signal: Signal::Traces,
            tenant: TenantId::default(),
            first_file: 1,
            last_file: 7,
            generation: 2,
        };
        assert_eq!(id.to_string(), "0000000001-0000000007-2");
        assert_eq!(SegmentId::parse(Signal::Traces, TenantId::default(), &id.to_string()), Ok(id));
        for bad in
            ["", "1-7-2", "0000000001-0000000007", "0000000007-0000000001-0", "0000000001-0000000007-+2", "a-b-c"]
        {
            assert_eq!(SegmentId::parse(Signal::Traces, TenantId::default(), bad), Err(InvalidSegmentName), "{bad}");
        }
    }
}
