//! The allocator: mimalloc, told to leave freed memory to the kernel without a hurry, or at once.

use std::time::Duration;

/// mimalloc: the receive path allocates per request from many threads (docs/decisions/0004-mimalloc.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_decommits` in mimalloc.h; the crate does not name it.
const PURGE_DECOMMITS: libmimalloc_sys::mi_option_t = 5;
/// `mi_option_purge_delay`, of milliseconds.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Freed pages are marked as free (MADV_FREE) instead of given back: the kernel takes them when it needs memory, and until then batches
/// and runs that are sealed find them there, cleared of nothing. What it saves: docs/performance.md.
pub(crate) fn keep_freed_memory() {
    set_purge_decommits(false);
}

/// Freed memory is given back at once from now on, and what is taken is taken in small pages: for machines that do other things.
#[allow(unsafe_code)]
pub(crate) fn give_back_freed_memory() {
    set_purge_decommits(true);
    // SAFETY: the option exists (mimalloc 2 and 3), and is read atomically by the allocator.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) }
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "memory is still taken in huge pages");
    }
}

/// Answers that hold more than this together are large.
const LARGE_ANSWERS_BYTES: u64 = 32 << 20;
/// So long after the last large answer freed memory is still given back: mimalloc waits for a second, and for somebody who allocates.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// While answers are large, and shortly afterwards, what they free is given back instead of kept: what comes in never needs as much again.
/// Looks every quarter of a second, for ever.
pub(crate) async fn give_back_large_answers() {
    let mut ticks = tokio::time::interval(Duration::from_millis(250));
    let (mut gives_back, mut last_large) = (false, None);
    loop {
        let now = ticks.tick().await;
        if weir_query::http::answers_held_most() > LARGE_ANSWERS_BYTES {
            last_large = Some(now);
        }
        let wanted = last_large.is_some_and(|last| now.duration_since(last) < AFTERWARDS);
        if wanted != gives_back {
            gives_back = wanted;
            set_purge_decommits(wanted);
        }
    }
}

/// Whether freed pages are given back, or marked as free.
#[allow(unsafe_code)]
fn set_purge_decommits(is_on: bool) {
    // SAFETY: the option exists (mimalloc 2 and 3), is a switch, and is read atomically by the allocator.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DECOMMITS, is_on.into()) }
}

/// Lets go of the pages of the program that were needed to start; those that are needed on are there again at their next use, from the
/// page cache.
#[allow(unsafe_code)]
pub(crate) fn let_go_of_program() {
    let Ok(own) = std::env::current_exe() else { return };
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for (from, to) in maps.lines().filter_map(|line| code_of(line, &own)) {
        // SAFETY: the range is mapped from the program's file, and nothing is ever written to it, not even by the loader: it is code, or
        // what lies before it. Dropped pages are read again from the file.
        let outcome = unsafe { libc::madvise(from as *mut libc::c_void, to - from, libc::MADV_DONTNEED) };
        tracing::debug!(outcome, bytes = to - from, "the program's pages are let go");
    }
}

/// The range of a line of `/proc/self/maps` that is code of this program, or what its file begins with: constants, and what only the
/// loader reads. What the loader changes lies behind the code.
fn code_of(line: &str, own: &std::path::Path) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (range, rights, offset) = (words.next()?, words.next()?, words.next()?);
    let path = words.nth(2)?;
    let (from, to) = range.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    let is_unchanged = rights == "r-xp" || rights == "r--p" && number(offset) == Some(0);
    (is_unchanged && own == path).then_some((number(from)?, number(to)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_goes_on_without_its_pages() {
        let line = "55d0-55e0 r-xp 0010 fe:00 123   /usr/bin/weir";
        assert_eq!(code_of(line, "/usr/bin/weir".as_ref()), Some((0x55d0, 0x55e0)));
        for (other, is_taken) in [("rw-p 0010", false), ("r--p 0010", false), ("r--p 0000", true)] {
            let line = line.replace("r-xp 0010", other);
            assert_eq!(code_of(&line, "/usr/bin/weir".as_ref()).is_some(), is_taken, "{other}");
        }
        assert_eq!(code_of(line, "/usr/bin/other".as_ref()), None);
        let_go_of_program();
        assert_eq!(code_of("", "/".as_ref()), None);
    }
}
