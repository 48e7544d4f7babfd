//! End to end: the built binary, its real ports, real clients, and everything that can go wrong with disk and power.

mod alerting;
mod alerting_faults;
mod archive;
mod archive_kills;
mod bad_input;
mod bad_lines;
mod calls;
mod crash;
mod damage;
mod demo;
mod disk_full;
#[allow(dead_code, reason = "the torture uses all of it")]
mod disk_image;
mod filelog;
mod filelog_faults;
mod fixture;
mod following;
mod happy;
mod judged;
mod logql;
mod logs;
mod loki;
mod metrics;
mod parts;
mod power_cut;
mod probes;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../process/mod.rs"]
mod process;
mod raw_http;
mod replay;
mod rounds;
mod sampling;
mod sdk;
mod shippers;
mod sql;
mod sql_bombs;
mod sync_failure;
mod truth;
mod zipkin;
