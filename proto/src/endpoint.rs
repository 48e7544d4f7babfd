//! Endpoints as the Collector writes them: `host:port`, `:port`.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::Error};

/// The endpoint with a host: `:4317` means every IPv4 address.
pub fn with_host(endpoint: &str) -> Cow<'_, str> {
    if endpoint.starts_with(':') { format!("0.0.0.0{endpoint}").into() } else { endpoint.into() }
}

/// For `#[serde(deserialize_with)]`: a host (or none) and a port. Whether the host exists is seen when it is opened.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let endpoint = String::deserialize(deserializer)?;
    let port = endpoint.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() {
        return Err(D::Error::custom(format!(
            "`{endpoint}` is not an endpoint; write it like 127.0.0.1:4317 or :4317"
        )));
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use serde::de::{
        IntoDeserializer,
        value::{Error, StrDeserializer},
    };

    use super::*;

    #[test]
    fn an_endpoint_has_a_port() {
        let read = |text| {
            let text: StrDeserializer<'_, Error> = IntoDeserializer::into_deserializer(text);
            deserialize(text)
        };
        for good in ["127.0.0.1:4317", "localhost:0", "[::]:4317", ":4317"] {
            assert_eq!(read(good).as_deref(), Ok(good));
        }
        for bad in ["", "localhost", "4317", "localhost:", "localhost:http", "h:65536"] {
            let error = read(bad).expect_err(bad).to_string();
            assert!(error.starts_with(&format!("`{bad}` is not an endpoint")), "{error}");
        }
    }

    #[test]
    fn a_port_alone_is_every_address() {
        assert_eq!(with_host(":4317"), "0.0.0.0:4317");
        for whole in ["127.0.0.1:4317", "localhost:0", "[::]:4317", ""] {
            assert_eq!(with_host(whole), whole);
        }
    }
}
