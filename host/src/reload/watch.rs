//! Notices that files change: hints from the system, and stamps that tell what is true.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify_debouncer_full::new_debouncer;
use notify_debouncer_full::notify::RecursiveMode;
use tokio::sync::Notify;

use super::{DEBOUNCE, RESCAN};
use crate::config::Config;

/// The stamps of all files that a snapshot comes from.
pub(super) type Stamps = BTreeMap<PathBuf, Stamp>;

/// Size and time of a file; `None` when there is none.
type Stamp = Option<(u64, std::time::SystemTime)>;

/// Looks at files; off the runtime, because there may be a thousand of them on a slow disk.
pub(super) async fn look(files: HashSet<PathBuf>) -> Stamps {
    tokio::task::spawn_blocking(move || stamps(files))
        .await
        .unwrap_or_default()
}

/// All files of a snapshot.
pub(super) fn files(path: &Path, config: &Config) -> HashSet<PathBuf> {
    let components = config.plugins.iter().map(|plugin| plugin.component.clone());
    components.chain([path.to_owned()]).collect()
}

/// As [`look`], at once.
pub(super) fn stamps(files: impl IntoIterator<Item = PathBuf>) -> Stamps {
    files
        .into_iter()
        .map(|file| {
            let stamp = std::fs::metadata(&file)
                .ok()
                .and_then(|meta| Some((meta.len(), meta.modified().ok()?)));
            (file, stamp)
        })
        .collect()
}

/// The folders to watch.
pub(super) fn folders(path: &Path, config: &Config) -> HashSet<PathBuf> {
    let here = || PathBuf::from(".");
    files(path, config)
        .iter()
        .map(|file| {
            file.parent()
                .filter(|folder| !folder.as_os_str().is_empty())
                .map_or_else(here, Path::to_owned)
        })
        .collect()
}

/// Watches folders, not files: editors save by renaming, after which a watched file is another one.
pub(super) fn watch(folders: &HashSet<PathBuf>, hint: Arc<Notify>) -> Option<impl Sized + use<>> {
    let notify = move |_| hint.notify_one();
    let mut debouncer = match new_debouncer(DEBOUNCE, None, notify) {
        Ok(debouncer) => debouncer,
        Err(error) => {
            tracing::warn!(%error, "cannot watch files, changes are found every {} s", RESCAN.as_secs());
            return None;
        }
    };
    for folder in folders {
        if let Err(error) = debouncer.watch(folder, RecursiveMode::NonRecursive) {
            tracing::warn!(?folder, %error, "cannot watch a folder");
        }
    }
    Some(debouncer)
}
