//! The accounts of pending traces, oldest first.

use std::ops::{Index, IndexMut};

use weir_proto::TraceId;

use super::{TraceAccount, paged::Paged, slots::SlotNo};
use crate::offset::Offset;

const NONE: u32 = u32::MAX;

/// A pending trace.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) trace: TraceAccount,
    pub(super) tenant: u32,
    /// Where its outcome will be.
    pub(super) slot: SlotNo,
    /// The offset of its first span.
    pub(super) epoch: Offset,
    older: u32,
    newer: u32,
}

/// All of them, by number, in the order in which they were opened.
#[derive(Debug)]
pub(super) struct Accounts {
    accounts: Paged<Option<Account>>,
    free: Vec<u32>,
    next: u32,
    oldest: u32,
    newest: u32,
    count: u64,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { accounts: Paged::new(|| None), free: Vec::new(), next: 0, oldest: NONE, newest: NONE, count: 0 }
    }
}

impl Accounts {
    /// Opens an account, the newest.
    pub(super) fn open(&mut self, trace: TraceAccount, tenant: u32, slot: SlotNo, epoch: Offset) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.accounts.reach(self.next - 1);
            self.next - 1
        });
        let older = std::mem::replace(&mut self.newest, number);
        match older {
            NONE => self.oldest = number,
            older => self[older].newer = number,
        }
        *self.accounts.get_mut(number) = Some(Account { trace, tenant, slot, epoch, older, newer: NONE });
        self.count += 1;
        number
    }

    /// Closes an account.
    pub(super) fn close(&mut self, number: u32) -> Account {
        let account = self.accounts.get_mut(number).take().expect(IS_OPEN);
        match account.older {
            NONE => self.oldest = account.newer,
            older => self[older].newer = account.newer,
        }
        match account.newer {
            NONE => self.newest = account.older,
            newer => self[newer].older = account.older,
        }
        self.free.push(number);
        self.count -= 1;
        account
    }

    /// The account with this number, if it is open.
    pub(super) fn get(&self, number: u32) -> Option<&Account> {
        (number < self.next).then(|| self.accounts.get(number).as_ref())?
    }

    /// The one that was opened first.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// How many are open.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether an account is this trace's.
    #[inline]
    pub(super) fn is(&self, number: u32, tenant: u32, id: TraceId) -> bool {
        let account = &self[number];
        account.trace.trace_id == id && account.tenant == tenant
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.accounts.bytes() + self.free.capacity() * size_of::<u32>()
    }
}

const IS_OPEN: &str = "the table, the wheel and the list name open accounts only";

impl Index<u32> for Accounts {
    type Output = Account;

    #[inline]
    fn index(&self, number: u32) -> &Account {
        self.accounts.get(number).as_ref().expect(IS_OPEN)
    }
}

impl IndexMut<u32> for Accounts {
    #[inline]
    fn index_mut(&mut self, number: u32) -> &mut Account {
        self.accounts.get_mut(number).as_mut().expect(IS_OPEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::slots::Slots;

    #[test]
    fn accounts_are_listed_by_age_and_their_numbers_used_again() {
        let (mut accounts, mut slots) = (Accounts::default(), Slots::default());
        let mut open = |accounts: &mut Accounts, n: u8| {
            accounts.open(TraceAccount::new(TraceId([n; 16]), 1, 0), 0, slots.take(), Offset(u64::from(n)))
        };
        let numbers: Vec<u32> = (1..=20).map(|n| open(&mut accounts, n)).collect();
        // From the middle, the front and the back.
        for n in [10, 1, 2, 20, 11] {
            assert_eq!(accounts.close(numbers[n - 1]).epoch, Offset(n as u64));
        }
        let again = open(&mut accounts, 30);
        assert!(numbers.contains(&again));
        assert!(accounts.is(again, 0, TraceId([30; 16])) && !accounts.is(again, 1, TraceId([30; 16])));
        let mut left = Vec::new();
        while let Some(oldest) = accounts.oldest() {
            left.push(accounts.close(oldest).epoch.0);
        }
        assert_eq!(left, [3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19, 30]);
        assert_eq!(accounts.count(), 0);
    }

    #[test]
    fn an_account_is_small() {
        assert!(size_of::<Option<Account>>() <= 136, "{}", size_of::<Option<Account>>());
    }
}
