//! What admission looks at beside the fields themselves: UTF-8, nesting, counts, and everything inside attributes, bodies, events and links.

use super::{
    ItemFault, KeySet, Limits, ScanError,
    attributes::{check_array, check_key_value, check_list, is_ascii},
};

/// Called by the readers of messages for what they pass. By default nothing is looked at.
pub(super) trait Check {
    /// Whether messages are looked into that views show later only: events, links.
    const LOOKS_AHEAD: bool = false;

    /// Begins with a message whose surroundings may be at fault already.
    fn start(&mut self, _inherited: Option<ItemFault>) {}

    /// The first fault met since.
    fn fault(&self) -> Option<ItemFault> {
        None
    }

    /// The size of an item.
    fn item_bytes(&mut self, _bytes: usize) {}

    /// A string field.
    fn string(&mut self, _text: &[u8]) {}

    /// The key of a KeyValue.
    fn key(&mut self, _key: &[u8]) {}

    /// The keys met since, in events and links too.
    fn keys(&self) -> KeySet {
        KeySet::ALL
    }

    /// A KeyValue of an item, resource, scope, event or link.
    fn attribute(&mut self, _message: &[u8]) -> Result<(), ScanError> {
        Ok(())
    }

    /// How many of them one message had.
    fn attributes_count(&mut self, _count: u32) {}

    /// An ArrayValue.
    fn array(&mut self, _array: &[u8]) -> Result<(), ScanError> {
        Ok(())
    }

    /// A KeyValueList.
    fn list(&mut self, _list: &[u8]) -> Result<(), ScanError> {
        Ok(())
    }
}

/// Bytes that passed admission before: only what is asked for is read.
pub(super) struct Trusted;

impl Check for Trusted {}

/// The stack's own bound on nesting, whatever the limits say.
const DEPTH_CEILING: u32 = 256;

/// Bytes from outside. Faults are remembered, wire errors returned.
pub(super) struct Admission {
    limits: Limits,
    depth: u32,
    fault: Option<ItemFault>,
    keys: KeySet,
}

impl Admission {
    /// Nothing looked at yet.
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, depth: 1, fault: None, keys: KeySet::EMPTY }
    }

    #[cold]
    fn blame(&mut self, fault: ItemFault) {
        self.fault.get_or_insert(fault);
    }

    /// Runs `walk` one level deeper, or blames the item: what lies deeper is not worth the stack.
    fn nested(&mut self, walk: impl FnOnce(&mut Self) -> Result<(), ScanError>) -> Result<(), ScanError> {
        if self.depth >= self.limits.depth_max.min(DEPTH_CEILING) {
            self.blame(ItemFault::TooDeep);
            return Ok(());
        }
        self.depth += 1;
        walk(self)?;
        self.depth -= 1;
        Ok(())
    }
}

impl Check for Admission {
    const LOOKS_AHEAD: bool = true;

    fn start(&mut self, inherited: Option<ItemFault>) {
        self.fault = inherited;
        self.keys = KeySet::EMPTY;
    }

    fn fault(&self) -> Option<ItemFault> {
        self.fault
    }

    fn item_bytes(&mut self, bytes: usize) {
        if bytes > self.limits.span_bytes_max as usize {
            self.blame(ItemFault::TooLarge);
        }
    }

    #[inline(always)]
    fn string(&mut self, text: &[u8]) {
        if !is_ascii(text) && std::str::from_utf8(text).is_err() {
            self.blame(ItemFault::InvalidUtf8);
        }
    }

    #[inline(always)]
    fn key(&mut self, key: &[u8]) {
        self.keys.insert(key);
    }

    fn keys(&self) -> KeySet {
        self.keys
    }

    #[inline(always)]
    fn attribute(&mut self, message: &[u8]) -> Result<(), ScanError> {
        check_key_value(message, self)
    }

    #[inline]
    fn attributes_count(&mut self, count: u32) {
        if count > self.limits.attributes_max {
            self.blame(ItemFault::TooManyAttributes);
        }
    }

    #[cold]
    fn array(&mut self, array: &[u8]) -> Result<(), ScanError> {
        self.nested(|check| check_array(array, check))
    }

    #[cold]
    fn list(&mut self, list: &[u8]) -> Result<(), ScanError> {
        self.nested(|check| check_list(list, check))
    }
}
