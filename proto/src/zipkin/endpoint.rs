//! A node on the network: the span's own, or the one it spoke to.

use std::borrow::Cow;

use crate::json::{JsonError, Reader};

/// `localEndpoint` or `remoteEndpoint`. What is empty or 0 is absent.
#[derive(Debug, Default)]
pub(super) struct Endpoint<'a> {
    pub(super) service: Cow<'a, [u8]>,
    /// The IPv6 one where there are both, as in the Collector.
    pub(super) address: Cow<'a, [u8]>,
    pub(super) port: u16,
}

impl<'a> Endpoint<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, JsonError> {
        let mut endpoint = Self::default();
        let mut members = reader.object()?;
        while let Some(key) = reader.key(&mut members)? {
            match &*key {
                b"serviceName" => {
                    endpoint.service = reader.string().map_err(|error| error.of_field("serviceName"))?;
                }
                b"ipv4" => {
                    let address = reader.string().map_err(|error| error.of_field("ipv4"))?;
                    if endpoint.address.is_empty() {
                        endpoint.address = address;
                    }
                }
                b"ipv6" => {
                    let address = reader.string().map_err(|error| error.of_field("ipv6"))?;
                    if !address.is_empty() {
                        endpoint.address = address;
                    }
                }
                b"port" => {
                    let port = reader.integer(0, u16::MAX.into()).map_err(|error| error.of_field("port"))?;
                    endpoint.port = port as u16;
                }
                _ => reader.skip()?,
            }
        }
        Ok(endpoint)
    }
}
