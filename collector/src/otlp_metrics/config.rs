//! `receivers.otlp.metrics`: Prometheus' keys under `otlp`, and what becomes of deltas.

use serde::Deserialize;

/// `receivers.otlp.metrics`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// What names become. Default UnderscoreEscapingWithSuffixes.
    pub translation_strategy: TranslationStrategy,
    /// Resource attributes that every series gets as labels.
    pub promote_resource_attributes: Vec<String>,
    /// Whether all of them are. Default false.
    pub promote_all_resource_attributes: bool,
    /// Those that are not then.
    pub ignore_resource_attributes: Vec<String>,
    /// Whether `target_info` has service.name, service.namespace and service.instance.id, too. Default false.
    pub keep_identifying_resource_attributes: bool,
    /// Whether histograms with explicit bounds become native ones with custom buckets. Default false.
    pub convert_histograms_to_nhcb: bool,
    /// Whether series get `otel_scope_…` labels. Default false.
    pub promote_scope_metadata: bool,
    /// Whether a label that begins with one underscore begins with `key_`. Default true.
    pub label_name_underscore_sanitization: bool,
    /// Whether each character that a label cannot have becomes an underscore, not a run of them one. Default true.
    pub label_name_preserve_multiple_underscores: bool,
    /// What becomes of points that count since the one before. Default cumulative.
    pub delta: DeltaForm,
    /// Series whose sums are known; further ones are rejected. Default 200000.
    pub delta_series_max: usize,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            translation_strategy: TranslationStrategy::default(),
            promote_resource_attributes: Vec::new(),
            promote_all_resource_attributes: false,
            ignore_resource_attributes: Vec::new(),
            keep_identifying_resource_attributes: false,
            convert_histograms_to_nhcb: false,
            promote_scope_metadata: false,
            label_name_underscore_sanitization: true,
            label_name_preserve_multiple_underscores: true,
            delta: DeltaForm::default(),
            delta_series_max: 200_000,
        }
    }
}

/// How OTLP's names become Prometheus'.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TranslationStrategy {
    #[default]
    UnderscoreEscapingWithSuffixes,
    NoUTF8EscapingWithSuffixes,
    UnderscoreEscapingWithoutSuffixes,
    NoTranslation,
}

impl TranslationStrategy {
    /// Whether names keep whatever characters they have.
    pub(super) fn keeps_utf8(self) -> bool {
        matches!(self, Self::NoUTF8EscapingWithSuffixes | Self::NoTranslation)
    }

    /// Whether units and kinds are added to names.
    pub(super) fn adds_suffixes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::NoUTF8EscapingWithSuffixes)
    }
}

/// What is kept of a delta.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeltaForm {
    /// The sum of all since the first: `rate` works.
    #[default]
    Cumulative,
    /// The delta itself, as a gauge.
    Native,
}

impl MetricsConfig {
    /// What cannot be together, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.promote_all_resource_attributes && !self.promote_resource_attributes.is_empty() {
            return Err("'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured \
                        simultaneously"
                .into());
        }
        if !self.ignore_resource_attributes.is_empty() && !self.promote_all_resource_attributes {
            return Err(
                "'ignore_resource_attributes' can only be set when 'promote_all_resource_attributes' is true".into()
            );
        }
        let lists = [&self.promote_resource_attributes, &self.ignore_resource_attributes];
        for list in lists {
            for (index, name) in list.iter().enumerate() {
                if name.is_empty() {
                    return Err("an empty resource attribute".into());
                }
                if list[..index].contains(name) {
                    return Err(format!("duplicated resource attribute {name:?}"));
                }
            }
        }
        Ok(())
    }
}
