//! The allocator: mimalloc, told to leave freed memory to the kernel without a hurry.

/// mimalloc: the receive path allocates per request from many threads (docs/decisions/0004-mimalloc.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_decommits` in mimalloc.h; the crate does not name it.
const PURGE_DECOMMITS: libmimalloc_sys::mi_option_t = 5;

/// Freed pages are marked as free (MADV_FREE) instead of given back: the kernel takes them when it needs memory, and until then batches
/// and runs that are sealed find them there, cleared of nothing. What it saves: docs/performance.md.
#[allow(unsafe_code)]
pub(crate) fn keep_freed_memory() {
    // SAFETY: the option exists (mimalloc 2 and 3), is a switch, and is read atomically by the allocator.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DECOMMITS, 0) }
}
