//! Spans as far as calls are concerned, and the names of who calls and is called.

use std::collections::HashMap;

use serde::Serialize;

use crate::bottlenecks::Category;

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Callee {
    /// A service that sends spans.
    Service,
    /// A database, by its system.
    Database,
    /// A cache, by its system.
    Cache,
    /// A message broker, by its system.
    Queue,
    /// Anything else, by the name or address that the client has for it.
    External,
}

impl Callee {
    /// What a system that `db.system.name` names is.
    pub(super) fn of_system(system: &str) -> Self {
        if Category::of_system(system) == Category::Cache { Self::Cache } else { Self::Database }
    }
}

/// Who calls or is called: a number that [`Names`] gave out, from 1. In three bytes, big end first: a span is held with two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Code([u8; 3]);

impl Code {
    /// Nobody's.
    pub(super) const NOBODY: Self = Self([0; 3]);

    /// The `n`th, below 2^24.
    pub(super) fn of(n: usize) -> Self {
        Self([(n >> 16) as u8, (n >> 8) as u8, n as u8])
    }

    fn number(self) -> usize {
        let [high, middle, low] = self.0.map(usize::from);
        high << 16 | middle << 8 | low
    }
}

/// Names that are told apart; spans of further services, and further callees, are left out.
const NAMES_MAX: usize = if cfg!(test) { 8 } else { 100_000 };

/// Every name once.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By kind, so that a lookup borrows.
    codes: HashMap<Callee, HashMap<String, Code>>,
    names: Vec<(Callee, String)>,
    /// How often there was no room for another.
    pub(super) left_out: u64,
}

impl Names {
    pub(super) fn code(&mut self, kind: Callee, name: &str) -> Option<Code> {
        let codes = self.codes.entry(kind).or_default();
        if let Some(&code) = codes.get(name) {
            return Some(code);
        }
        if self.names.len() >= NAMES_MAX {
            self.left_out += 1;
            return None;
        }
        self.names.push((kind, name.to_owned()));
        let code = Code::of(self.names.len());
        codes.insert(name.to_owned(), code);
        Some(code)
    }

    pub(super) fn name(&self, code: Code) -> &(Callee, String) {
        &self.names[code.number() - 1]
    }
}

/// One span. Traces are told apart by 64 bits of a hash: two of ten million share theirs with a probability of one in a million.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallSpan {
    pub(super) trace: u64,
    pub(super) id: u64,
    /// 0 for roots.
    pub(super) parent: u64,
    /// 24 bits of precision: memory is dear, and percentiles have less.
    pub(super) duration_ns: f32,
    /// How many spans it stands for.
    pub(super) weight: f32,
    pub(super) service: Code,
    /// Whom a client or producer says that it calls; or [`Code::NOBODY`].
    pub(super) peer: Code,
    pub(super) kind: CallKind,
    pub(super) is_error: bool,
}

/// A message that a consumer took, by the span that it links to.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallLink {
    /// Of the span that is linked to.
    pub(super) trace: u64,
    pub(super) id: u64,
    /// The consumer, a hash of its ids.
    pub(super) consumer: u64,
    pub(super) duration_ns: f32,
    /// How many consumers this one stands for.
    pub(super) weight: f32,
    pub(super) service: Code,
    pub(super) is_error: bool,
    /// Whether the consumer has a parent, which then is who sent the message, unless a link says so too.
    pub(super) has_parent: bool,
}

/// Of OTLP's SpanKinds those that calls are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CallKind {
    /// Internal, or not said.
    Inner,
    Server,
    Client,
    Producer,
    Consumer,
}

impl CallKind {
    /// Of an OTLP SpanKind.
    pub(super) fn of(kind: i32) -> Self {
        match kind {
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Inner,
        }
    }

    /// Whether it calls something beyond its process.
    pub(super) fn calls(self) -> bool {
        matches!(self, Self::Client | Self::Producer)
    }

    /// Whether a child of this kind is a call even within one service.
    pub(super) fn is_answered_by(self, child: Self) -> bool {
        matches!((self, child), (Self::Client, Self::Server) | (Self::Producer, Self::Consumer))
    }
}
