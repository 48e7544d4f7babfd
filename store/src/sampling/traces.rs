//! Every trace that the sampler knows: pending ones with their accounts, decided ones in the cache.

use weir_proto::TraceId;

use super::{
    TraceAccount,
    accounts::{Account, Accounts},
    decided::{DecidedTrace, DecidedTraces},
    slots::Slots,
    table::{TRACES_MAX, TraceTable, Tracked},
    verdicts::CacheLimits,
    wheel::Wheel,
};
use crate::{offset::Offset, verdict::outcome::Outcome};

/// Pending and decided traces.
#[derive(Debug, Default)]
pub(super) struct Traces {
    table: TraceTable,
    pub(super) accounts: Accounts,
    pub(super) wheel: Wheel,
    pub(super) slots: Slots,
    dropped: DecidedTraces,
    kept: DecidedTraces,
    limits: CacheLimits,
}

impl Traces {
    /// Where a trace is.
    #[inline]
    pub(super) fn find(&self, tenant: u32, id: TraceId) -> Option<Tracked> {
        let is = |place| match place {
            Tracked::Pending(number) => self.accounts.is(number, tenant, id),
            Tracked::Decided(kept, position) => {
                let trace = self.decided(kept).get(position);
                trace.trace_id == id && trace.tenant == tenant
            }
        };
        self.table.find(self.table.hash(tenant, id), is)
    }

    /// Brings the entries of traces that will be looked up into the processor's cache.
    pub(super) fn look_ahead(&self, tenant: u32, ids: impl Iterator<Item = TraceId>) {
        for id in ids {
            self.table.look_ahead(self.table.hash(tenant, id));
        }
    }

    /// The same with all that deciding these traces will touch.
    pub(super) fn look_ahead_to_decisions(&self, numbers: &[u32]) {
        for &number in numbers {
            std::hint::black_box(self.accounts[number].tenant);
        }
        for account in numbers.iter().map(|&number| &self.accounts[number]) {
            self.table.look_ahead(self.table.hash(account.tenant, account.trace.trace_id));
        }
        // Most are dropped, and the cache forgets as many.
        if self.dropped.len() + numbers.len() as u64 > self.most(false) {
            for trace in self.dropped.oldest_ones(numbers.len()) {
                self.table.look_ahead(self.table.hash(trace.tenant, trace.trace_id));
            }
        }
    }

    /// Opens the account of a trace that is not known, due at `due_ns`.
    pub(super) fn open(&mut self, trace: TraceAccount, tenant: u32, epoch: Offset, due_ns: u64) -> u32 {
        let hash = self.table.hash(tenant, trace.trace_id);
        let slot = self.slots.take();
        let number = self.accounts.open(trace, tenant, slot, epoch);
        self.wheel.add(number, due_ns);
        self.table.insert(hash, Tracked::Pending(number));
        number
    }

    /// Another moment at which a pending trace is due, if that is sooner.
    pub(super) fn due_sooner(&mut self, number: u32, due_ns: u64) {
        if due_ns < self.wheel.due_ns(number) {
            self.wheel.remove(number);
            self.wheel.add(number, due_ns);
        }
    }

    /// Closes the account of a trace that is decided now, and remembers the outcome for late spans. `gone` is told whom the cache
    /// forgets instead.
    pub(super) fn decide(
        &mut self,
        number: u32,
        outcome: Outcome,
        file: u32,
        gone: impl FnMut(&DecidedTrace),
    ) -> Account {
        self.wheel.remove(number);
        let account = self.accounts.close(number);
        let trace = decided_trace(account.trace.trace_id, account.tenant, account.epoch, outcome, file);
        self.remember(Some(Tracked::Pending(number)), outcome.keep, trace, gone);
        account
    }

    /// Adds a decided trace to the cache; `from` is where the table has it.
    pub(super) fn remember(
        &mut self,
        from: Option<Tracked>,
        keep: bool,
        trace: DecidedTrace,
        mut gone: impl FnMut(&DecidedTrace),
    ) {
        let hash = self.table.hash(trace.tenant, trace.trace_id);
        let most = self.most(keep);
        let to = (most > 0).then(|| Tracked::Decided(keep, self.decided_mut(keep).push(trace)));
        match (from, to) {
            (Some(from), to) => self.table.change(hash, from, to),
            (None, Some(to)) => self.table.insert(hash, to),
            (None, None) => {}
        }
        if let Some(Tracked::Decided(kept, position)) = from {
            gone(self.decided(kept).get(position));
            self.decided_mut(kept).get_mut(position).is_void = true;
            self.drop_void(kept);
        }
        self.shrink(keep, most, &mut gone);
    }

    /// How many decided traces late spans are recognised by, from now on.
    pub(super) fn limit(&mut self, limits: CacheLimits, mut gone: impl FnMut(&DecidedTrace)) {
        if limits == self.limits {
            return;
        }
        self.limits = limits;
        for keep in [false, true] {
            self.shrink(keep, self.most(keep), &mut gone);
        }
    }

    /// The limits in force.
    pub(super) fn limits(&self) -> CacheLimits {
        self.limits
    }

    /// Moves the oldest decided trace of a kind to the end, as if it had just been decided; if its verdict lies in `file`.
    pub(super) fn renew_oldest(&mut self, keep: bool, file: u32) -> Option<DecidedTrace> {
        self.drop_void(keep);
        let queue = self.decided_mut(keep);
        queue.oldest().filter(|oldest| oldest.file == file)?;
        let (position, mut trace) = queue.pop()?;
        trace.file = 0;
        let to = queue.push(trace);
        let hash = self.table.hash(trace.tenant, trace.trace_id);
        self.table.change(hash, Tracked::Decided(keep, position), Some(Tracked::Decided(keep, to)));
        Some(trace)
    }

    /// The decided traces of a kind.
    #[inline]
    pub(super) fn decided(&self, keep: bool) -> &DecidedTraces {
        if keep { &self.kept } else { &self.dropped }
    }

    /// The verdicts in the cache are durable, the new ones in `file`: answers how many those are.
    pub(super) fn settle(&mut self, file: u32) -> u64 {
        self.dropped.settle(file) + self.kept.settle(file)
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.table.bytes()
            + self.accounts.bytes()
            + self.wheel.bytes()
            + self.slots.bytes()
            + self.dropped.bytes()
            + self.kept.bytes()
    }

    fn most(&self, keep: bool) -> u64 {
        let most = if keep { self.limits.kept } else { self.limits.dropped };
        most.min(TRACES_MAX - 1)
    }

    fn decided_mut(&mut self, keep: bool) -> &mut DecidedTraces {
        if keep { &mut self.kept } else { &mut self.dropped }
    }

    fn drop_void(&mut self, keep: bool) {
        let queue = self.decided_mut(keep);
        while queue.oldest().is_some_and(|oldest| oldest.is_void) {
            queue.pop();
        }
    }

    /// Forgets the oldest until there are no more than `most`.
    fn shrink(&mut self, keep: bool, most: u64, gone: &mut impl FnMut(&DecidedTrace)) {
        let queue = if keep { &mut self.kept } else { &mut self.dropped };
        while queue.len() > most {
            let Some((position, trace)) = queue.pop() else { return };
            if trace.is_void {
                continue;
            }
            let hash = self.table.hash(trace.tenant, trace.trace_id);
            self.table.change(hash, Tracked::Decided(keep, position), None);
            gone(&trace);
        }
    }
}

/// What the cache keeps of a verdict.
pub(super) fn decided_trace(id: TraceId, tenant: u32, epoch: Offset, outcome: Outcome, file: u32) -> DecidedTrace {
    DecidedTrace {
        trace_id: id,
        adjusted_count: outcome.adjusted_count,
        epoch,
        tenant,
        file,
        policy: outcome.policy,
        is_probabilistic: outcome.is_probabilistic,
        is_void: false,
    }
}
