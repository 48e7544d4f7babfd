//! What others answer on this port beside the routes: pushes and the web UI. The root hands it in.

use super::{about::About, mount::Mount, site::Site};

/// Everything on this port that does not read the store.
#[derive(Debug, Default)]
pub struct Guests {
    /// Pushes, which belong to the writing side.
    pub mounts: Vec<Mount>,
    /// The web UI.
    pub site: Site,
    /// What runs.
    pub about: About,
}
