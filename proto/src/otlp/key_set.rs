//! A small set of attribute keys that may claim more than was put in: enough to tell that a span has none of the keys asked for.

/// 64 bits, each for some of the keys. By default it claims every key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySet(u64);

impl KeySet {
    /// Claims no key.
    pub const EMPTY: Self = Self(0);

    /// Claims every key.
    pub const ALL: Self = Self(u64::MAX);

    /// One key alone.
    #[inline(always)]
    pub fn of(key: &[u8]) -> Self {
        let mut set = Self::EMPTY;
        set.insert(key);
        set
    }

    /// Puts a key in.
    #[inline(always)]
    pub fn insert(&mut self, key: &[u8]) {
        // Length, middle and end: keys of one namespace differ there.
        let (Some(last), Some(middle)) = (key.last(), key.get(key.len() / 2)) else {
            self.0 |= 1;
            return;
        };
        let mixed = key.len() * 5 + usize::from(*last) + usize::from(*middle) * 3;
        self.0 |= 1 << (mixed % u64::BITS as usize);
    }

    /// Whether a key may be in both. `false` is certain.
    #[inline(always)]
    pub fn may_share(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl Default for KeySet {
    fn default() -> Self {
        Self::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &[&str]) -> KeySet {
        let mut set = KeySet::EMPTY;
        keys.iter().for_each(|key| set.insert(key.as_bytes()));
        set
    }

    #[test]
    fn a_key_that_was_put_in_is_always_shared() {
        for key in ["", "a", "enduser.id", "http.response.status_code", "schlüssel"] {
            assert!(of(&["url.path", key]).may_share(of(&[key])), "{key}");
            assert!(KeySet::ALL.may_share(KeySet::of(key.as_bytes())), "{key}");
            assert!(!KeySet::EMPTY.may_share(of(&[key])), "{key}");
        }
    }

    #[test]
    fn most_other_keys_are_told_apart() {
        let span =
            of(&["http.request.method", "url.path", "server.address", "http.response.status_code", "http.route"]);
        let others = ["enduser.id", "error.type", "db.system.name", "rpc.method", "app.lane", "exception.message"];
        let shared = others.iter().filter(|key| span.may_share(of(&[key]))).count();
        assert!(shared <= 1, "{shared} of {}", others.len());
    }
}
