//! The OTLP receivers through their real ports.

mod bad_input;
mod config;
mod connections;
mod export;
mod floods;
mod payload;
mod port;
mod shutdown;
