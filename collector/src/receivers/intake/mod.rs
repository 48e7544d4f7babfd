//! What receivers of items share: from a request that arrived to a durable batch.

mod format;
mod hint;
mod loki;
pub(crate) mod metrics;
mod post;
mod refused;
mod take;

pub(crate) use self::{
    format::{Format, Transcode},
    loki::LokiFormat,
    post::{Arriving, Post, Posted},
    refused::refused,
    take::{Accepted, Intake, Received},
};
