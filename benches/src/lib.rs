//! The load generator and what measures Weir with it: shop traffic, clients, schedules, verification.

pub mod client;
pub mod figures;
pub mod judged;
pub mod line_files;
pub mod line_questions;
pub mod load;
pub mod otelcol;
pub mod process;
pub mod query;
pub mod series;
pub mod server;
pub mod standard;
pub mod truth;
pub mod verify;

pub use weir_shop as shop;
pub use weir_shop::{json_lines as lines, rng};
