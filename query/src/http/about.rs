//! What the root tells of the process: what runs, where it listens, how it is configured.

/// Said by `/api/v1/status`.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Of the program.
    pub version: &'static str,
    /// When the process started, Unix ns.
    pub started_ns: u64,
    /// Where data comes in.
    pub receivers: Vec<ListensAt>,
    /// The configuration as text, without secrets.
    pub configuration: String,
}

/// An open port.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ListensAt {
    /// What is spoken there.
    pub protocol: &'static str,
    /// Host and port.
    pub endpoint: String,
}
