//! What policies have learned, as bytes to be kept over restarts: a version, then each policy's path and what it gave.

use super::set::PolicySet;
use crate::policies::{restore, save};

/// Layout: version, then entries of path length (u16 LE), path, length (u32 LE), bytes.
const VERSION: u8 = 1;

/// All that the sets have learned.
pub(super) fn write(sets: &[PolicySet]) -> Vec<u8> {
    let mut saved = Vec::new();
    for set in sets {
        for named in &set.policies {
            save(&set.id, named, &mut saved);
        }
    }
    let mut out = vec![VERSION];
    for (path, bytes) in saved {
        let (Ok(path_len), Ok(bytes_len)) = (u16::try_from(path.len()), u32::try_from(bytes.len())) else { continue };
        out.extend_from_slice(&path_len.to_le_bytes());
        out.extend_from_slice(path.as_bytes());
        out.extend_from_slice(&bytes_len.to_le_bytes());
        out.extend_from_slice(&bytes);
    }
    out
}

/// Gives it back to policies of the same set, name and type; what does not fit is passed over.
pub(super) fn read(bytes: &[u8], sets: &mut [PolicySet]) {
    let Some((&VERSION, mut rest)) = bytes.split_first() else { return };
    let mut saved = Vec::new();
    while let Some(entry) = entry(&mut rest) {
        saved.push(entry);
    }
    for set in sets {
        for named in &mut set.policies {
            restore(&set.id, named, &saved);
        }
    }
}

fn entry<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (path, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let (length, after) = after.split_first_chunk::<4>()?;
    let (bytes, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = after;
    Some((str::from_utf8(path).ok()?, bytes))
}
