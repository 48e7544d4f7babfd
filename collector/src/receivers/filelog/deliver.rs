//! Where frames go: the journal in production, a list in tests.

/// Lines for one frame, and where their files stand behind them.
#[derive(Debug, Default)]
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

/// What takes packages, in their order: one is durable before the next is handed on.
pub(super) trait Deliver {
    /// Takes a package; may wait for the one before.
    fn hand_over(&mut self, package: Package) -> Result<(), Stopped>;

    /// Waits until everything is durable.
    fn settle(&mut self) -> Result<(), Stopped>;
}
