//! A tenant's name: whose data it is.

use std::{fmt, sync::Arc};

/// Whose data it is; in every frame, path and query. 1 to 64 characters of `a-z A-Z 0-9 _ -`, so that it is safe as
/// a folder's name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

/// Text that cannot name a tenant.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a tenant's name is 1 to 64 of the characters a-z A-Z 0-9 _ -")]
pub struct InvalidTenant;

impl TenantId {
    /// Longest name in bytes.
    pub const LEN_MAX: usize = 64;

    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, InvalidTenant> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > Self::LEN_MAX || !name.bytes().all(allowed) {
            return Err(InvalidTenant);
        }
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantId {
    /// The tenant of whoever names none.
    fn default() -> Self {
        Self("default".into())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_as_folders() {
        assert!(TenantId::new("team-a_1").is_ok());
        for bad in ["", ".", "..", "a/b", "a b", &"x".repeat(65), "é"] {
            assert_eq!(TenantId::new(bad), Err(InvalidTenant), "{bad:?}");
        }
    }
}
