//! What can be wrong with a request to a bucket, in the kinds that a caller can do something about.

use std::{error::Error as _, io, path::PathBuf};

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// There is no such object (or no such bucket).
    #[error("{key}: not found: {reason}")]
    NotFound {
        /// The object.
        key: String,
        /// The store's words.
        reason: String,
    },
    /// The store says no: keys, rights, or a clock that is wrong. Trying again soon does not help.
    #[error("{key}: the store refuses: {reason}")]
    Denied {
        /// The object.
        key: String,
        /// The store's words.
        reason: String,
    },
    /// Something else is there under that name.
    #[error("{key}: there is something else: {reason}")]
    Conflict {
        /// The object.
        key: String,
        /// In what it differs.
        reason: String,
    },
    /// What is there is not what it should be.
    #[error("{key}: damaged: {reason}")]
    Corrupt {
        /// The object.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store does not answer, or says that it cannot now: later it may.
    #[error("the store is away: {reason}")]
    Away {
        /// The last failure.
        reason: String,
    },
    /// A file of ours that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Options or a key that make no sense.
    #[error("{0}")]
    Options(String),
}

impl BucketError {
    /// Whether there is no such object.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether trying later may help without anybody doing something.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

/// What an attempt came to when it did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another attempt may succeed; the store is to blame.
    Again(String),
    /// Another attempt may succeed; the store answered in good order (a conflict under way).
    Busy(String),
    /// It will not.
    Never(BucketError),
}

/// Statuses of HTTP that pass: timeouts, conflicts under way, too much, and all of the server's own.
fn passes(status: u16) -> bool {
    matches!(status, 408 | 425 | 429) || status >= 500
}

/// S3's codes for what the network did to a request on its way, sent with a status that blames the client.
const BROKEN_ON_THE_WAY: [&str; 6] =
    ["BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "RequestTimeout", "InvalidDigest", "SlowDown"];

impl Failure {
    /// What to make of the store's error for `key`.
    pub(super) fn of(key: &str, error: object_store::Error) -> Self {
        use object_store::Error;
        let key = key.to_owned();
        let reason = chain(&error);
        match error {
            Error::NotFound { .. } => Self::Never(BucketError::NotFound { key, reason }),
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                Self::Never(BucketError::Denied { key, reason })
            }
            Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. } => Self::Busy(reason),
            Error::NotSupported { .. } | Error::NotImplemented { .. } | Error::UnknownConfigurationKey { .. } => {
                Self::Never(BucketError::Denied { key, reason })
            }
            Error::InvalidPath { .. } => Self::Never(BucketError::Options(reason)),
            _ => match status(&reason) {
                Some(status) if passes(status) => Self::Again(reason),
                Some(409) => Self::Busy(reason),
                Some(403 | 401) => Self::Never(BucketError::Denied { key, reason }),
                Some(404) => Self::Never(BucketError::NotFound { key, reason }),
                Some(416) => Self::Never(BucketError::Corrupt { key, reason }),
                Some(_) if BROKEN_ON_THE_WAY.iter().any(|code| reason.contains(code)) => Self::Again(reason),
                Some(status) if status >= 400 => Self::Never(BucketError::Denied { key, reason }),
                _ => Self::Again(reason),
            },
        }
    }
}

/// The status in the words of an error; the library has it in a type that is not public.
fn status(reason: &str) -> Option<u16> {
    let (_, rest) = reason.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// Characters of a reason that are kept: answers may be whole pages.
const REASON_CHARACTERS_MAX: usize = 600;

/// An error with what caused it, each part once, on one line.
fn chain(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    let text = text.replace(['\n', '\r'], " ");
    match text.char_indices().nth(REASON_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
