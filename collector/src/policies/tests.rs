//! Tables: a policy as configured, traces, and the verdicts that the Collector's documentation implies.

mod combined;
mod counts;
mod input;
mod learned;
mod limits;
mod single;
mod trace;
