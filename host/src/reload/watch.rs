//! Notices that files change: hints from the system, and stamps that tell what is true.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify_debouncer_full::new_debouncer;
use notify_debouncer_full::notify::RecursiveMode;
use tokio::sync::Notify;

use super::{DEBOUNCE, RESCAN, RESCAN_BUSY};
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

/// The folders of all files of a snapshot.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Folders {
    watched: HashSet<PathBuf>,
    /// How long a change may stay unnoticed by the watch.
    pub(super) rescan: Duration,
}

/// The folders to watch: all but the one into which the store writes, where every commit would be a hint.
pub(super) fn folders(path: &Path, config: &Config) -> Folders {
    let store = folder_of(&config.store.path);
    let files = files(path, config);
    let all: HashSet<PathBuf> = files.iter().map(|file| folder_of(file)).collect();
    let (busy, watched): (HashSet<_>, _) = all.into_iter().partition(|folder| *folder == store);
    let rescan = if busy.is_empty() { RESCAN } else { RESCAN_BUSY };
    Folders { watched, rescan }
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Watches folders, not files: editors save by renaming, after which a watched file is another one.
pub(super) fn watch(folders: &Folders, hint: Arc<Notify>) -> Option<impl Sized + use<>> {
    let notify = move |_| hint.notify_one();
    let mut debouncer = match new_debouncer(DEBOUNCE, None, notify) {
        Ok(debouncer) => debouncer,
        Err(error) => {
            tracing::warn!(%error, "cannot watch files, changes are found every {} s", RESCAN.as_secs());
            return None;
        }
    };
    for folder in &folders.watched {
        if let Err(error) = debouncer.watch(folder, RecursiveMode::NonRecursive) {
            tracing::warn!(?folder, %error, "cannot watch a folder");
        }
    }
    Some(debouncer)
}
