//! The allocator: mimalloc, told to keep freed memory for a while.

/// mimalloc: the receive path allocates per request from many threads (docs/decisions/0004-mimalloc.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` in mimalloc.h; the crate does not name it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// How long freed pages stay with the process. With mimalloc's 10 ms each batch and each run that is sealed gets pages that the kernel
/// has to clear again. What it saves is small and varies: docs/performance.md.
const PURGE_DELAY_MS: std::ffi::c_long = 1000;

/// Sets the delay; called first thing in `main`.
#[allow(unsafe_code)]
pub(crate) fn keep_freed_memory() {
    // SAFETY: the option exists (mimalloc 2 and 3), takes any number, and is read atomically by the allocator.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, PURGE_DELAY_MS) }
}
