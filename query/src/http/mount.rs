//! Paths on this port that others answer: pushes and what the writing side shows of itself. The root hands them in.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    response::Response,
};

type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A path with what answers it: bodies within its own limits, credentials asked for by itself.
#[derive(Clone)]
pub struct Mount {
    pub(super) kind: MountKind,
    /// As axum writes paths.
    pub(super) path: &'static str,
    /// For the list of endpoints.
    pub(super) about: &'static str,
    pub(super) answer: Arc<dyn Fn(Request) -> Answering + Send + Sync>,
}

/// How a mounted path is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MountKind {
    /// By POST.
    Push,
    /// By GET, or HEAD.
    Show,
    /// By any method, and whatever is below the path, too.
    Below,
}

impl MountKind {
    /// As the header `Allow` has it.
    pub(super) fn methods(self) -> &'static str {
        match self {
            Self::Push => "POST",
            Self::Show => "GET,HEAD",
            Self::Below => "any",
        }
    }
}

impl Mount {
    /// `answer` gets every POST to `path`.
    pub fn post<F, R, B>(path: &'static str, about: &'static str, answer: F) -> Self
    where
        F: Fn(Request) -> R + Send + Sync + 'static,
        R: Future<Output = http::Response<B>> + Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync,
    {
        Self::new(MountKind::Push, path, about, answer)
    }

    /// `answer` gets every GET of `path`.
    pub fn get<F, R, B>(path: &'static str, about: &'static str, answer: F) -> Self
    where
        F: Fn(Request) -> R + Send + Sync + 'static,
        R: Future<Output = http::Response<B>> + Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync,
    {
        Self::new(MountKind::Show, path, about, answer)
    }

    /// `answer` gets every request to `path`, and to what is below it.
    pub fn below<F, R, B>(path: &'static str, about: &'static str, answer: F) -> Self
    where
        F: Fn(Request) -> R + Send + Sync + 'static,
        R: Future<Output = http::Response<B>> + Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync,
    {
        Self::new(MountKind::Below, path, about, answer)
    }

    /// Whether requests to `path` come here with bodies that have a limit of their own.
    pub(super) fn takes(&self, path: &str) -> bool {
        match self.kind {
            MountKind::Push => self.path == path,
            MountKind::Show => false,
            MountKind::Below => {
                path.strip_prefix(self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        }
    }

    fn new<F, R, B>(kind: MountKind, path: &'static str, about: &'static str, answer: F) -> Self
    where
        F: Fn(Request) -> R + Send + Sync + 'static,
        R: Future<Output = http::Response<B>> + Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync,
    {
        let answer = move |request| -> Answering {
            let answering = answer(request);
            Box::pin(async move { answering.await.map(Body::new) })
        };
        Self { kind, path, about, answer: Arc::new(answer) }
    }
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount").field("path", &self.path).finish_non_exhaustive()
    }
}
