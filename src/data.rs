//! Where data is kept when it is asked for, configured, or neither.

use std::path::{Path, PathBuf};

/// Folders that the environment names.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// `$XDG_STATE_HOME`.
    pub(crate) state_home: Option<PathBuf>,
    /// `$HOME`.
    pub(crate) home: Option<PathBuf>,
}

impl Places {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        // An empty or relative variable is as good as none (XDG Base Directory Specification).
        let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
        Self { state_home: folder("XDG_STATE_HOME"), home: folder("HOME") }
    }
}

/// The data folder: `--data`, then `storage.path`, then the user's state folder, then `./weir-data`.
pub(crate) fn folder(asked: Option<&Path>, configured: Option<&Path>, places: &Places) -> PathBuf {
    if let Some(path) = asked.or(configured) {
        return path.to_owned();
    }
    if let Some(state) = &places.state_home {
        return state.join("weir");
    }
    match &places.home {
        Some(home) => home.join(".local/state/weir"),
        None => PathBuf::from("weir-data"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_wish_wins() {
        let both = Places { state_home: Some("/state".into()), home: Some("/home/a".into()) };
        let home = Places { state_home: None, home: Some("/home/a".into()) };
        let none = Places::default();
        let flag = Some(Path::new("flag"));
        let file = Some(Path::new("file"));
        assert_eq!(folder(flag, file, &both), Path::new("flag"));
        assert_eq!(folder(None, file, &both), Path::new("file"));
        assert_eq!(folder(None, None, &both), Path::new("/state/weir"));
        assert_eq!(folder(None, None, &home), Path::new("/home/a/.local/state/weir"));
        assert_eq!(folder(None, None, &none), Path::new("weir-data"));
    }
}
