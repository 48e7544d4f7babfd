//! What a receiver's settings tell of it: its names, what is wrong with them, where it listens.

use serde::de::DeserializeOwned;
use weir_proto::yaml::Flaw;

/// A key, from below the receiver's, and the address that it has.
pub type Listener<'a> = (&'static [&'static str], &'a str);

/// The settings of a type of receiver.
pub trait ReceiverSettings: DeserializeOwned {
    /// What the configuration calls it; more than one where the Collector has renamed it.
    const NAMES: &'static [&'static str];

    /// Finds values that no receiver can work with.
    ///
    /// # Errors
    /// The first one.
    fn flaw(&self) -> Result<(), Flaw>;

    /// Where connections are taken. None by default.
    fn listeners(&self) -> Vec<Listener<'_>> {
        Vec::new()
    }
}
