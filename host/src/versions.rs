//! Keeps the components of the last versions of each plugin on disk, so that a delivery that a version began can go on
//! with it after a restart.
//!
//! Beside the store lies a folder with a file for each component, named by its SHA-256, and one that says which plugin had
//! which: the present version first. What no plugin names is removed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::active::{Active, VERSIONS_KEPT};
use crate::config;
use crate::engine::Sandbox;
use crate::ids::{PluginDigest, PluginName};
use crate::plugin::{Component, LoadError, Plugin};

/// Which plugin had which versions.
const INDEX: &str = "plugins.json";

/// Versions by plugin, the present one first, as digests in hexadecimal.
type Index = BTreeMap<String, Vec<String>>;

/// The versions of the plugins.
pub struct Versions {
    folder: PathBuf,
    sandbox: Sandbox,
    /// Those that a delivery needed and the snapshot does not have.
    loaded: tokio::sync::Mutex<HashMap<(PluginName, PluginDigest), Arc<Plugin>>>,
}

/// Why a version cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Gone {
    /// It was replaced too often, or its file is gone.
    #[error("its component is not kept")]
    NotKept,
    /// The file is not what was kept.
    #[error("its kept component is damaged")]
    Damaged,
    /// It does not fit what `bot.toml` says of the plugin now.
    #[error("its kept component cannot be loaded: {0}")]
    Load(LoadError),
    /// Looking for it failed.
    #[error("looking for its kept component failed: {0}")]
    Failed(String),
}

impl Versions {
    /// Those that belong to a store. Nothing is read or written yet.
    pub fn beside(store: &Path, sandbox: Sandbox) -> Self {
        Self {
            folder: store.with_extension("versions"),
            sandbox,
            loaded: tokio::sync::Mutex::default(),
        }
    }

    /// Keeps a component that is about to be active. That it cannot be kept is logged and holds nothing up: only a restart
    /// would miss it.
    pub async fn keep(&self, component: &Component) {
        let (folder, component) = (self.folder.clone(), component.clone());
        let digest = component.digest();
        let kept = off_the_runtime(move || keep(&folder, &component)).await;
        if let Err(error) = kept {
            tracing::warn!(%digest, %error, "cannot keep the component of a plugin for later starts");
        }
    }

    /// Takes note of the versions that are active now, and removes what is older than the last ones.
    pub async fn note(&self, active: &Active) {
        let present = active.plugins.iter();
        let present: BTreeMap<String, String> = present
            .map(|(name, plugin)| (name.to_string(), plugin.digest().to_string()))
            .collect();
        // A plugin that is out of service for now keeps its versions.
        let named: BTreeSet<String> = active.config.plugins.iter().map(name_of).collect();
        let folder = self.folder.clone();
        match off_the_runtime(move || note(&folder, &present, &named)).await {
            Ok(index) => {
                let digests: BTreeSet<&String> = index.values().flatten().collect();
                let mut loaded = self.loaded.lock().await;
                loaded.retain(|(_, digest), _| digests.contains(&digest.to_string()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take note of the versions of plugins");
            }
        }
    }

    /// Loads a version of a plugin with its present settings, unless that has been done.
    pub async fn load(&self, current: &Plugin, digest: PluginDigest) -> Result<Arc<Plugin>, Gone> {
        let settings = current.settings();
        let place = (settings.name.clone(), digest);
        // Held while it is loaded, so that two deliveries do not both load it.
        let mut loaded = self.loaded.lock().await;
        if let Some(plugin) = loaded.get(&place)
            && plugin.settings() == settings
        {
            return Ok(Arc::clone(plugin));
        }
        let file = file(&self.folder, &digest.to_string());
        let most = settings.limits.component;
        let read = tokio::task::spawn_blocking(move || Component::read(&file, most)).await;
        let component = match read {
            Ok(Ok(component)) => component,
            Ok(Err(LoadError::Read { error, .. })) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Gone::NotKept);
            }
            Ok(Err(error)) => return Err(Gone::Load(error)),
            Err(error) => return Err(Gone::Failed(error.to_string())),
        };
        if component.digest() != digest {
            return Err(Gone::Damaged);
        }
        let plugin = Plugin::load(&self.sandbox, settings.clone(), component).await;
        let plugin = Arc::new(plugin.map_err(Gone::Load)?);
        tracing::info!(plugin = %settings.name, version = plugin.version(), %digest, "an older version of a plugin is loaded for what it began");
        loaded.insert(place, Arc::clone(&plugin));
        Ok(plugin)
    }
}

fn name_of(plugin: &config::Plugin) -> String {
    plugin.name.to_string()
}

async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn file(folder: &Path, digest: &str) -> PathBuf {
    folder.join(format!("{digest}.wasm"))
}

fn keep(folder: &Path, component: &Component) -> io::Result<()> {
    let file = file(folder, &component.digest().to_string());
    let is_there =
        fs::metadata(&file).is_ok_and(|there| there.len() == component.bytes().len() as u64);
    if is_there {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    write(&file, component.bytes())
}

/// Writes a file so that after a crash it is there in whole or not at all.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = file.with_extension("new");
    let mut written = File::create(&fresh)?;
    written.write_all(bytes)?;
    written.sync_all()?;
    fs::rename(&fresh, file)?;
    // The name is in the folder.
    match file.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Brings the index up to date and removes files that it no longer names.
fn note(
    folder: &Path,
    present: &BTreeMap<String, String>,
    named: &BTreeSet<String>,
) -> io::Result<Index> {
    let path = folder.join(INDEX);
    let before = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice::<Index>(&bytes).ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Index::new()),
        Err(error) => return Err(error),
    };
    let is_readable = before.is_some();
    let before = before.unwrap_or_default();
    let after = follow(&before, present, named);
    if after != before || !is_readable {
        fs::create_dir_all(folder)?;
        write(&path, &serde_json::to_vec_pretty(&after)?)?;
    }
    // Without knowing what was there before, nothing is known to be superfluous.
    if is_readable {
        clean(folder, &after)?;
    }
    Ok(after)
}

/// The versions that are kept from now on. Pure.
fn follow(before: &Index, present: &BTreeMap<String, String>, named: &BTreeSet<String>) -> Index {
    let mut after = before.clone();
    after.retain(|name, _| named.contains(name));
    for (name, digest) in present {
        let versions = after.entry(name.clone()).or_default();
        versions.retain(|other| other != digest);
        versions.insert(0, digest.clone());
        versions.truncate(1 + VERSIONS_KEPT);
    }
    after
}

fn clean(folder: &Path, index: &Index) -> io::Result<()> {
    let wanted: BTreeSet<PathBuf> = index
        .values()
        .flatten()
        .map(|digest| file(folder, digest))
        .collect();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let is_ours = path
            .extension()
            .is_some_and(|ending| ending == "wasm" || ending == "new");
        if is_ours && !wanted.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(folder: &Path, bytes: &[u8]) -> Component {
        let file = folder.join("component");
        fs::write(&file, bytes).unwrap();
        Component::read(&file, 1 << 20).unwrap()
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned()))
            .collect()
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_present_version_comes_first_and_only_the_last_ones_stay() {
        let all = names(&["a", "b"]);
        let mut index = Index::new();
        for digest in ["1", "2", "1", "3", "4"] {
            index = follow(&index, &map(&[("a", digest)]), &all);
        }
        assert_eq!(index["a"], ["4", "3", "1"]);
        // Out of service it keeps them, out of the file it does not.
        let without = follow(&index, &map(&[("b", "9")]), &all);
        assert_eq!(
            (without["a"].len(), &without["b"][..]),
            (3, &["9".to_owned()][..])
        );
        let removed = follow(&without, &map(&[]), &names(&["b"]));
        assert_eq!(removed.keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn what_no_plugin_names_is_removed_and_what_others_put_there_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let versions = folder.path().join("belfry.versions");
        let digests: Vec<String> = (0..5_u8)
            .map(|number| {
                let component = component(folder.path(), &[number]);
                let digest = component.digest().to_string();
                keep(&versions, &component).unwrap();
                keep(&versions, &component).unwrap();
                let present = map(&[("a", &digest)]);
                note(&versions, &present, &names(&["a"])).unwrap();
                digest
            })
            .collect();
        fs::write(versions.join("README"), "mine").unwrap();
        fs::write(versions.join("half.new"), "").unwrap();
        note(&versions, &map(&[("a", &digests[4])]), &names(&["a"])).unwrap();
        let mut left: Vec<String> = fs::read_dir(&versions)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut expected: Vec<String> = digests[2..]
            .iter()
            .map(|digest| format!("{digest}.wasm"))
            .collect();
        expected.extend(["README".to_owned(), INDEX.to_owned()]);
        expected.sort();
        assert_eq!(left, expected);
    }

    #[test]
    fn an_index_that_cannot_be_read_costs_no_component() {
        let folder = tempfile::tempdir().unwrap();
        let versions = folder.path().join("belfry.versions");
        let old = component(folder.path(), b"old");
        keep(&versions, &old).unwrap();
        fs::write(versions.join(INDEX), "{").unwrap();
        let present = map(&[("a", "new")]);
        note(&versions, &present, &names(&["a"])).unwrap();
        assert!(file(&versions, &old.digest().to_string()).exists());
        // From then on it is known again.
        note(&versions, &present, &names(&["a"])).unwrap();
        assert!(!file(&versions, &old.digest().to_string()).exists());
    }
}
