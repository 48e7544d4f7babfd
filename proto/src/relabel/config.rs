//! One step of relabelling, as it is written.

use serde::Deserialize;

use super::Pattern;

/// What is done with a label set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Sets a label to what the expression found.
    #[default]
    Replace,
    /// Goes on only with what matches.
    Keep,
    /// Ends what matches.
    Drop,
    /// Goes on only when label and value are equal.
    KeepEqual,
    /// Ends it when they are.
    DropEqual,
    /// Sets a label to a number below the modulus.
    HashMod,
    /// Copies labels whose names match to other names.
    LabelMap,
    /// Takes labels away whose names match.
    LabelDrop,
    /// Takes the others away.
    LabelKeep,
    /// Sets a label to the value in small letters.
    Lowercase,
    /// In capital ones.
    Uppercase,
}

impl Action {
    /// As written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Keep => "keep",
            Self::Drop => "drop",
            Self::KeepEqual => "keepequal",
            Self::DropEqual => "dropequal",
            Self::HashMod => "hashmod",
            Self::LabelMap => "labelmap",
            Self::LabelDrop => "labeldrop",
            Self::LabelKeep => "labelkeep",
            Self::Lowercase => "lowercase",
            Self::Uppercase => "uppercase",
        }
    }
}

/// One of `relabel_configs` or `metric_relabel_configs`, checked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct RelabelConfig {
    /// Labels whose values are looked at.
    pub source_labels: Vec<String>,
    /// Between them.
    pub separator: String,
    /// What they must be.
    pub regex: Pattern,
    /// For `hashmod`.
    pub modulus: u64,
    /// The label that is set.
    pub target_label: String,
    /// What it is set to.
    pub replacement: String,
    /// What is done.
    pub action: Action,
}

const SEPARATOR: &str = ";";
const REGEX: &str = "(.*)";
const REPLACEMENT: &str = "$1";

/// The keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    source_labels: Vec<String>,
    separator: Option<String>,
    regex: Option<String>,
    modulus: Option<u64>,
    target_label: Option<String>,
    replacement: Option<String>,
    #[serde(default)]
    action: Action,
}

/// Whether a template has references to groups.
pub(super) fn has_reference(template: &str) -> bool {
    template.contains('$')
}

/// UTF-8 validation, the default of Prometheus 3: any name will do.
pub(super) fn is_label_name(name: &str) -> bool {
    !name.is_empty()
}

impl TryFrom<Written> for RelabelConfig {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let action = written.action;
        let name = action.name();
        let target = written.target_label.clone().unwrap_or_default();
        let is_own = |text: &Option<String>, default: &str| text.as_deref().is_some_and(|text| text != default);
        let has_separator = is_own(&written.separator, SEPARATOR);
        let has_regex = is_own(&written.regex, REGEX);
        let has_replacement = is_own(&written.replacement, REPLACEMENT);
        let has_modulus = written.modulus.is_some_and(|modulus| modulus != 0);
        if action == Action::HashMod && !has_modulus {
            return Err("relabel configuration for hashmod requires non-zero modulus".into());
        }
        let sets_target = matches!(
            action,
            Action::Replace
                | Action::KeepEqual
                | Action::DropEqual
                | Action::HashMod
                | Action::Lowercase
                | Action::Uppercase
        );
        if sets_target && target.is_empty() {
            return Err(format!("relabel configuration for {name} action requires 'target_label' value"));
        }
        if matches!(action, Action::Lowercase | Action::Uppercase | Action::KeepEqual | Action::DropEqual)
            && has_replacement
        {
            return Err(format!("'replacement' can not be set for {name} action"));
        }
        if action == Action::LabelMap && written.replacement.as_deref() == Some("") {
            return Err("\"\" is invalid 'replacement' for labelmap action".into());
        }
        if matches!(action, Action::KeepEqual | Action::DropEqual) && (has_regex || has_modulus || has_separator) {
            return Err(format!("{name} action requires only 'source_labels' and `target_label`, and no other fields"));
        }
        let only_regex = matches!(action, Action::LabelDrop | Action::LabelKeep);
        if only_regex
            && (!written.source_labels.is_empty()
                || !target.is_empty()
                || has_modulus
                || has_separator
                || has_replacement)
        {
            return Err(format!("{name} action requires only 'regex', and no other fields"));
        }
        if let Some(empty) = written.source_labels.iter().find(|label| !is_label_name(label)) {
            return Err(format!("{empty:?} is not a valid label name"));
        }
        Ok(Self {
            source_labels: written.source_labels,
            separator: written.separator.unwrap_or_else(|| SEPARATOR.into()),
            regex: Pattern::new(written.regex.as_deref().unwrap_or(REGEX))?,
            modulus: written.modulus.unwrap_or_default(),
            target_label: target,
            replacement: written.replacement.unwrap_or_else(|| REPLACEMENT.into()),
            action,
        })
    }
}
