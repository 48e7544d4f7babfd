//! Where frames go: the journal in production, a list in tests.

use std::time::Duration;

/// Lines for one frame, and where their files stand behind them.
#[derive(Debug, Clone, Default)]
pub(super) struct Package {
    /// An export request.
    pub(super) payload: Vec<u8>,
    /// Lines in it.
    pub(super) lines: u32,
    /// Sources with their cursors; an empty one for a file that is forgotten.
    pub(super) cursors: Vec<(String, Vec<u8>)>,
}

/// Nothing more is taken: Weir is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped;

/// What takes packages, in their order: one is durable before the next is handed on. It makes nobody wait: who reads has to look at the
/// files all the while.
pub(super) trait Deliver {
    /// Whether the package before is durable, so that another is taken.
    fn is_free(&mut self) -> Result<bool, Stopped>;

    /// Takes a package, when it is free.
    fn hand_over(&mut self, package: Package) -> Result<(), Stopped>;

    /// Waits until the package before is durable, for so long at most.
    fn wait(&mut self, at_most: Duration) -> Result<(), Stopped>;
}
