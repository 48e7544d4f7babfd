//! Probes of servers on this machine: what is found, what fails, and what is sent.

mod dns;
mod grpc;
mod http;
mod tcp;
mod world;
