//! Applies the steps, one after the other.

use super::{
    Action, LabelSet, RelabelConfig,
    config::{has_reference, is_label_name},
    md5::md5,
};

/// Changes `labels` step by step; false when a step ends it.
pub fn relabel(labels: &mut LabelSet, steps: &[RelabelConfig]) -> bool {
    steps.iter().all(|step| apply(labels, step))
}

fn apply(labels: &mut LabelSet, step: &RelabelConfig) -> bool {
    let mut value = String::new();
    for (index, label) in step.source_labels.iter().enumerate() {
        if index > 0 {
            value.push_str(&step.separator);
        }
        value.push_str(labels.get(label));
    }
    let regex = step.regex.regex();
    match step.action {
        Action::Drop => return !regex.is_match(&value),
        Action::Keep => return regex.is_match(&value),
        Action::DropEqual => return labels.get(&step.target_label) != value,
        Action::KeepEqual => return labels.get(&step.target_label) == value,
        Action::Replace => replace(labels, step, &value),
        Action::Lowercase => labels.set(&step.target_label, value.to_lowercase()),
        Action::Uppercase => labels.set(&step.target_label, value.to_uppercase()),
        Action::HashMod => {
            let digest = md5(value.as_bytes());
            let last = digest.last_chunk().expect("16 bytes have 8");
            labels.set(&step.target_label, (u64::from_be_bytes(*last) % step.modulus).to_string());
        }
        Action::LabelMap => {
            for (name, value) in labels.clone().iter().filter(|(name, _)| regex.is_match(name)) {
                labels.set(&regex.replace_all(name, &*step.replacement), value);
            }
        }
        Action::LabelDrop => labels.retain(|name| !regex.is_match(name)),
        Action::LabelKeep => labels.retain(|name| regex.is_match(name)),
    }
    true
}

fn replace(labels: &mut LabelSet, step: &RelabelConfig, value: &str) {
    if !has_reference(&step.target_label) && !has_reference(&step.replacement) {
        if step.regex.regex().is_match(value) {
            labels.set(&step.target_label, &*step.replacement);
        }
        return;
    }
    let Some(captures) = step.regex.regex().captures(value) else { return };
    let mut target = String::new();
    captures.expand(&step.target_label, &mut target);
    if !is_label_name(&target) {
        return;
    }
    let mut replacement = String::new();
    captures.expand(&step.replacement, &mut replacement);
    labels.set(&target, replacement);
}
