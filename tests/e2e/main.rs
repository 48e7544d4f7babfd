//! End to end: the built binary, its real ports, real clients, and everything that can go wrong with disk and power.

mod bad_input;
mod crash;
mod damage;
mod disk_full;
mod disk_image;
mod fixture;
mod happy;
mod power_cut;
mod raw_http;
mod sdk;
mod sync_failure;
