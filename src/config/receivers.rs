//! The types of receivers: a row each. Their settings say what they are called, what is wrong with them, and where they listen.

use std::collections::BTreeMap;

use weir_collector::receivers::{
    Listener, ReceiverSettings, elasticsearch::ElasticsearchConfig, filelog::FilelogConfig, loki::LokiConfig,
    otlp::OtlpConfig, prometheus::PrometheusConfig, remote_write::RemoteWriteConfig, splunk_hec::SplunkHecConfig,
    synthetic::SyntheticConfig, syslog::SyslogConfig, zipkin::ZipkinConfig,
};

use super::{
    check::Findings,
    components::{Kind, usable},
    elsewhere, prometheus,
    yaml::{Node, Reading, Step, Value},
};

macro_rules! receivers {
    ($($variant:ident($settings:ty);)*) => {
        /// A receiver of one of the types, with its settings.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) enum ReceiverConfig {
            $($variant(Box<$settings>),)*
        }

        /// What the types are called.
        pub(super) const TYPES: &[&[&str]] = &[$(<$settings>::NAMES),*];

        impl ReceiverConfig {
            /// The settings of a receiver of the type `name`, which is one of [`TYPES`].
            fn read(name: &str, node: &Node, steps: &[Step], reading: &mut Reading<'_>) -> Option<Self> {
                $(
                    if <$settings>::NAMES.contains(&name) {
                        let settings = reading.read(node, steps, <$settings>::flaw)?;
                        return Some(Self::$variant(Box::new(settings)));
                    }
                )*
                unreachable!("{name} is a type of receiver")
            }

            /// Where it takes connections.
            pub(super) fn listeners(&self) -> Vec<Listener<'_>> {
                match self {
                    $(Self::$variant(settings) => settings.listeners(),)*
                }
            }
        }
    };
}

receivers! {
    Elasticsearch(ElasticsearchConfig);
    Filelog(FilelogConfig);
    Loki(LokiConfig);
    Otlp(OtlpConfig);
    Prometheus(PrometheusConfig);
    RemoteWrite(RemoteWriteConfig);
    SplunkHec(SplunkHecConfig);
    Synthetic(SyntheticConfig);
    Syslog(SyslogConfig);
    Zipkin(ZipkinConfig);
}

/// `receivers`, by id; `None` when the file says nothing of them.
pub(super) fn receivers(root: &Node, findings: &mut Findings) -> Option<BTreeMap<String, ReceiverConfig>> {
    root.get("receivers").filter(|section| !matches!(section.node.value, Value::Null))?;
    let mut receivers = BTreeMap::new();
    for (id, entry) in usable(root, Kind::Receiver, findings) {
        let steps = [Step::Key("receivers".into()), Step::Key(entry.key.clone())];
        let mut node = entry.node.clone();
        elsewhere::take_out(&mut node, &entry.key, &mut findings.problems, &mut findings.warnings);
        prometheus::take_out(&mut node, &steps, findings);
        let mut reading = Reading { problems: &mut findings.problems };
        let name = id.split('/').next().unwrap_or_default();
        if let Some(config) = ReceiverConfig::read(name, &node, &steps, &mut reading) {
            receivers.insert(id, config);
        }
    }
    Some(receivers)
}
