//! The keys of a receiver's HTTP port, said once: read, bounded and handed to the server in one way.

/// Declares settings that have the keys of an HTTP port where `..port` stands, with their defaults, `check_port` (what no port can work with,
/// under keys that begin with `below`) and `server_options`.
///
/// A macro, and not a field with serde's `flatten`: that reads all keys before it knows whose they are, and with it the place of a wrong value
/// and the keys that are known here are lost.
macro_rules! http_settings {
    (
        below $below:literal;
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$before_meta:meta])* pub $before:ident: $before_type:ty = $before_default:expr,)*
            ..port,
            $($(#[$after_meta:meta])* pub $after:ident: $after_type:ty = $after_default:expr,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$before_meta])* pub $before: $before_type,)*
            /// Longest wait for a request's header; an idle HTTP/1 connection is closed after it too. Default 60s.
            #[serde(deserialize_with = "weir_proto::duration::deserialize")]
            pub read_header_timeout: std::time::Duration,
            /// Longest wait for a request's whole body. Default 30s.
            #[serde(deserialize_with = "weir_proto::duration::deserialize")]
            pub read_timeout: std::time::Duration,
            /// A connection without requests for this long is closed. Default 60s.
            #[serde(deserialize_with = "weir_proto::duration::deserialize")]
            pub idle_timeout: std::time::Duration,
            /// Requests in flight on one HTTP/2 connection. Default 256.
            pub max_concurrent_streams: u32,
            /// Connections at once; further ones are closed as soon as they arrive. Default 4096.
            pub connections_max: usize,
            /// Headers of one request, in bytes; larger ones are answered 431. Default 65536.
            pub header_bytes_max: u32,
            $($(#[$after_meta])* pub $after: $after_type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($before: $before_default,)*
                    read_header_timeout: std::time::Duration::from_secs(60),
                    read_timeout: std::time::Duration::from_secs(30),
                    idle_timeout: std::time::Duration::from_secs(60),
                    max_concurrent_streams: 256,
                    connections_max: 4096,
                    header_bytes_max: 64 << 10,
                    $($after: $after_default,)*
                }
            }
        }

        impl $name {
            pub(super) fn check_port(&self, check: weir_port::Check) -> Result<(), weir_port::InvalidConfig> {
                let count = 1..=u32::MAX as usize;
                let bytes = 1..=1 << 30;
                check.within(concat!($below, "max_request_body_size"), self.max_request_body_size, bytes)?;
                let streams = self.max_concurrent_streams as usize;
                check.within(concat!($below, "max_concurrent_streams"), streams, count.clone())?;
                check.within(concat!($below, "connections_max"), self.connections_max, count)?;
                let header_bytes = self.header_bytes_max as usize;
                check.within(concat!($below, "header_bytes_max"), header_bytes, weir_port::HEADER_BYTES)?;
                check.positive(concat!($below, "read_header_timeout"), self.read_header_timeout)?;
                check.positive(concat!($below, "read_timeout"), self.read_timeout)?;
                check.positive(concat!($below, "idle_timeout"), self.idle_timeout)
            }

            pub(super) fn server_options(&self, protocol: &'static str) -> weir_port::ServerOptions {
                weir_port::ServerOptions {
                    connections_max: self.connections_max,
                    header_bytes_max: self.header_bytes_max,
                    streams_max: self.max_concurrent_streams,
                    ..weir_port::ServerOptions::http(protocol, self.read_header_timeout, self.idle_timeout)
                }
            }
        }
    };
}

pub(super) use http_settings;
