//! The receivers through their real ports.

mod bad_input;
mod config;
mod connections;
mod corpora;
mod export;
mod floods;
mod json;
mod logs;
mod loki;
mod metrics;
mod payload;
mod port;
mod scraping;
mod shutdown;
mod words;
mod zipkin;
