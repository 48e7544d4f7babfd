//! What others rearranged: their commits that change no row, but put rows of files that were there into other ones (`OPTIMIZE`).
//!
//! Such a commit says of every file that it takes out or puts in that data does not change. The files that were there before are kept in
//! mind with those that have their rows now, so that the one can take the others' place again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    action::{Action, decode_path},
    state::{DataFile, State},
};

/// Files whose rows are in others now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rearranged {
    /// Those that were in the table, by path.
    pub before: BTreeMap<String, DataFile>,
    /// Those that are there instead.
    pub after: BTreeSet<String>,
}

/// The tag of a removed file in a checkpoint of ours: what it was, and with which others it is in other files now.
const BEFORE_TAG: &str = "weir.before";

/// The tag of a file in a checkpoint of ours that has rows of removed ones.
const AFTER_TAG: &str = "weir.after";

/// The tag of a removed file in a checkpoint of ours of whose rows some may be in others' files.
const CHANGED_TAG: &str = "weir.changed";

/// What the first tag says.
#[derive(Serialize, Deserialize)]
struct Before {
    group: usize,
    bytes: u64,
    modified_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stats: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
}

/// What a commit does to files, by path.
struct Touched {
    removed: BTreeSet<String>,
    added: BTreeSet<String>,
    data_change: bool,
}

impl State {
    /// Whether others put a file's rows into other files.
    pub(super) fn is_rearranged(&self, path: &str) -> bool {
        self.rearranged.iter().any(|group| group.before.contains_key(path))
    }

    /// Takes in what a commit of somebody else is about to do to files.
    pub(super) fn rearrange(&mut self, actions: &[Action]) {
        let Touched { removed, added, data_change } = self.touched(actions);
        let (touched, others): (Vec<Rearranged>, Vec<Rearranged>) =
            std::mem::take(&mut self.rearranged).into_iter().partition(|group| {
                !group.after.is_disjoint(&removed) || added.iter().any(|path| group.before.contains_key(path))
            });
        self.rearranged = others;
        self.changed.retain(|path| !added.contains(path));
        // Rows came, went or were changed: what was there before does not come back. Where files came for those that went, or some of
        // those that they were in are left, some of their rows may be there.
        if data_change {
            let is_left = |group: &Rearranged| !added.is_empty() || !group.after.is_subset(&removed);
            let left = touched.into_iter().filter(is_left).flat_map(|group| group.before.into_keys());
            let rewritten = removed.iter().filter(|_| !added.is_empty()).cloned();
            self.changed.extend(left.chain(rewritten).filter(|path| !added.contains(path)));
            return;
        }
        if removed.is_empty() && touched.is_empty() {
            return;
        }
        let mut group = Rearranged::default();
        for Rearranged { before, after } in touched {
            group.before.extend(before);
            group.after.extend(after);
        }
        for path in &removed {
            if let Some(file) = self.files.get(path).filter(|_| !group.after.contains(path)) {
                group.before.insert(path.clone(), file.clone());
            }
        }
        group.after.retain(|path| !removed.contains(path));
        let is_new = |path: &String| !group.before.contains_key(path);
        group.after.extend(added.iter().filter(|path| is_new(path)).cloned());
        group.before.retain(|path, _| !added.contains(path));
        if !group.before.is_empty() {
            self.rearranged.push(group);
        }
    }

    fn touched(&self, actions: &[Action]) -> Touched {
        let adds = actions.iter().filter_map(|action| action.add.as_ref());
        let removes = actions.iter().filter_map(|action| action.remove.as_ref());
        let data_change = adds.clone().any(|add| add.data_change) || removes.clone().any(|remove| remove.data_change);
        let added: BTreeSet<String> = adds.map(|add| decode_path(&add.path)).collect();
        let removed = removes.map(|remove| decode_path(&remove.path));
        // One that is said anew, with other statistics, is where it was.
        let removed = removed.filter(|path| self.files.contains_key(path) && !added.contains(path)).collect();
        let added = added.into_iter().filter(|path| !self.files.contains_key(path)).collect();
        Touched { removed, added, data_change }
    }

    /// Takes in what a commit of ours did: what it put in is back, what it took out is gone.
    pub(super) fn settle(&mut self, actions: &[Action]) {
        let adds = actions.iter().filter_map(|action| Some(&action.add.as_ref()?.path));
        let removes = actions.iter().filter_map(|action| Some(&action.remove.as_ref()?.path));
        for path in adds.chain(removes).map(|path| decode_path(path)) {
            for group in &mut self.rearranged {
                group.before.remove(&path);
                group.after.remove(&path);
            }
            self.changed.remove(&path);
        }
        self.rearranged.retain(|group| !group.before.is_empty());
    }

    /// Tags the actions of a checkpoint with what was rearranged or changed.
    pub(super) fn tag(&self, actions: &mut [Action]) {
        for remove in actions.iter_mut().filter_map(|action| action.remove.as_mut()) {
            if self.changed.contains(&decode_path(&remove.path)) {
                remove.tags.get_or_insert_default().insert(CHANGED_TAG.to_owned(), Some(String::new()));
            }
        }
        for (number, group) in self.rearranged.iter().enumerate() {
            for action in actions.iter_mut() {
                if let Some(add) = action.add.as_mut().filter(|add| group.after.contains(&decode_path(&add.path))) {
                    add.tags.get_or_insert_default().insert(AFTER_TAG.to_owned(), Some(number.to_string()));
                }
                let Some(remove) = &mut action.remove else { continue };
                if let Some(file) = group.before.get(&decode_path(&remove.path)) {
                    let before = Before {
                        group: number,
                        bytes: file.bytes,
                        modified_ms: file.modified_ms,
                        stats: file.stats.clone(),
                        tags: file.tags.clone(),
                    };
                    let before = serde_json::to_string(&before).expect("texts and numbers");
                    remove.tags.get_or_insert_default().insert(BEFORE_TAG.to_owned(), Some(before));
                }
            }
        }
    }

    /// Takes the tags of a checkpoint off again: what they say of what was rearranged, and of what was changed.
    pub(super) fn untag(actions: &mut [Action]) -> (Vec<Rearranged>, BTreeSet<String>) {
        let mut changed = BTreeSet::new();
        let mut groups: BTreeMap<usize, Rearranged> = BTreeMap::new();
        for action in actions {
            if let Some(add) = &mut action.add
                && let Some(Some(number)) = add.tags.as_mut().and_then(|tags| tags.remove(AFTER_TAG))
                && let Ok(number) = number.parse()
            {
                groups.entry(number).or_default().after.insert(decode_path(&add.path));
            }
            if let Some(remove) = &mut action.remove
                && remove.tags.as_mut().is_some_and(|tags| tags.remove(CHANGED_TAG).is_some())
            {
                changed.insert(decode_path(&remove.path));
            }
            if let Some(remove) = &mut action.remove
                && let Some(Some(before)) = remove.tags.as_mut().and_then(|tags| tags.remove(BEFORE_TAG))
                && let Ok(before) = serde_json::from_str::<Before>(&before)
            {
                let path = decode_path(&remove.path);
                let Before { group, bytes, modified_ms, stats, tags } = before;
                let file = DataFile { path: path.clone(), bytes, modified_ms, stats, tags };
                groups.entry(group).or_default().before.insert(path, file);
            }
        }
        (groups.into_values().filter(|group| !group.before.is_empty()).collect(), changed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::archive::delta::action;

    fn actions(lines: &[serde_json::Value]) -> Vec<Action> {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        action::read(lines.join("\n").as_bytes()).expect("actions")
    }

    fn add(path: &str, data_change: bool) -> serde_json::Value {
        json!({"add": {"path": path, "partitionValues": {}, "size": 7, "modificationTime": 1, "dataChange": data_change, "stats": "{}"}})
    }

    fn remove(path: &str, data_change: bool) -> serde_json::Value {
        json!({"remove": {"path": path, "deletionTimestamp": 1, "dataChange": data_change}})
    }

    /// A table of four files of ours, and what others make of it.
    fn after(foreign: &[&[serde_json::Value]]) -> State {
        let mut state = State::default();
        let ours = ["1", "2", "3", "4"].map(|path| add(path, true));
        state.apply(1, actions(&ours), true);
        for (version, lines) in foreign.iter().enumerate() {
            state.apply(version as u64 + 2, actions(lines), false);
        }
        state
    }

    fn changed_in(state: &State) -> Vec<String> {
        state.changed.iter().cloned().collect()
    }

    fn groups(state: &State) -> Vec<String> {
        let joined = |paths: Vec<&String>| paths.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let told = |group: &Rearranged| {
            format!("{} > {}", joined(group.before.keys().collect()), joined(group.after.iter().collect()))
        };
        state.rearranged.iter().map(told).collect()
    }

    #[test]
    fn what_others_put_together_is_known_until_they_change_it() {
        let first: &[_] = &[remove("1", false), remove("2", false), add("x", false)];
        assert_eq!(groups(&after(&[first])), ["1 2 > x"]);
        let second: &[_] = &[remove("x", false), remove("3", false), add("y", false), add("z", false)];
        assert_eq!(groups(&after(&[first, second])), ["1 2 3 > y z"]);
        let changed: &[_] = &[remove("y", true), add("w", true)];
        assert_eq!(groups(&after(&[first, second, changed])), Vec::<String>::new());
        assert_eq!(changed_in(&after(&[first, second, changed])), ["1", "2", "3", "y"]);
        // One of ours is rewritten, one is deleted, one is deleted with what it was put together with.
        let rewritten: &[_] = &[remove("1", true), add("v", true)];
        assert_eq!(changed_in(&after(&[rewritten, &[remove("2", true)]])), ["1"]);
        assert_eq!(changed_in(&after(&[first, &[remove("x", true)]])), Vec::<String>::new());
        assert_eq!(changed_in(&after(&[rewritten, &[add("1", true), remove("v", true)]])), ["v"]);
        let apart: &[_] = &[remove("3", false), remove("4", false), add("y", false)];
        assert_eq!(groups(&after(&[first, apart])), ["1 2 > x", "3 4 > y"]);
        assert_eq!(groups(&after(&[first, apart, changed])), ["1 2 > x"]);
        // Said anew, and no more.
        assert_eq!(groups(&after(&[&[remove("1", false), add("1", false)], &[add("2", false)]])), Vec::<String>::new());
        // As it was.
        let back: &[_] = &[remove("x", true), add("1", true), add("2", true)];
        assert_eq!(groups(&after(&[first, back])), Vec::<String>::new());
        let back: &[_] = &[remove("x", false), add("1", false), add("2", false)];
        assert_eq!(groups(&after(&[first, back])), Vec::<String>::new());
    }

    #[test]
    fn what_we_take_back_or_let_go_of_is_settled_and_a_checkpoint_keeps_the_rest() {
        let first: &[_] = &[remove("1", false), remove("2", false), add("x", false)];
        let second: &[_] = &[remove("3", false), add("y", false)];
        let mut state = after(&[first, second, &[remove("4", true), add("z", true)]]);
        let mut written = state.actions();
        assert_eq!(State::untag(&mut written), (state.rearranged.clone(), state.changed.clone()));
        let mut read = State::default();
        read.apply(4, written, true);
        assert_eq!((read.files, read.removed), (state.files.clone(), state.removed.clone()));
        assert!(state.is_rearranged("1") && !state.is_rearranged("4") && state.changed.contains("4"));
        state.apply(4, actions(&[remove("1", true)]), true);
        assert_eq!(groups(&state), ["2 > x", "3 > y"]);
        state.apply(5, actions(&[remove("x", false), add("2", false), remove("3", true), remove("y", true)]), true);
        assert_eq!(groups(&state), Vec::<String>::new());
        assert_eq!(state.files.keys().collect::<Vec<_>>(), ["2", "z"]);
    }
}
