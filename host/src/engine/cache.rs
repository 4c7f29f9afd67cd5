//! The folder of compiled components. What lies there is run as native code, so it is ours alone or it is not used.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why a folder is not used for compiled code.
#[derive(Debug, thiserror::Error)]
pub(super) enum CacheError {
    /// It cannot be made or looked at.
    #[error("cannot use the cache folder {folder:?}: {error}")]
    Io { folder: PathBuf, error: io::Error },
    /// Others could put code of theirs into it.
    #[error(
        "the cache folder {folder:?} can be written by others (mode {mode:03o}), who could run code as belfry: `chmod 700` \
         it, or name another one in engine.cache"
    )]
    Open { folder: PathBuf, mode: u32 },
    /// Its owner could put code into it.
    #[error(
        "the cache folder {folder:?} belongs to another user (uid {owner}), who could run code as belfry: name another one \
         in engine.cache"
    )]
    Foreign { folder: PathBuf, owner: u32 },
}

/// Makes the folder, for us alone, or sees to it that one that is there is nobody else's to write.
pub(super) fn prepare(folder: &Path) -> Result<(), CacheError> {
    let failed = |error| CacheError::Io {
        folder: folder.to_owned(),
        error,
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;

        // Of what a link leads to: that is where the code is.
        let found = fs::metadata(folder).map_err(failed)?;
        check(
            folder,
            found.uid(),
            found.mode(),
            rustix::process::geteuid().as_raw(),
        )?;
    }
    Ok(())
}

#[cfg(unix)]
fn check(folder: &Path, owner: u32, mode: u32, we: u32) -> Result<(), CacheError> {
    let (folder, mode) = (folder.to_owned(), mode & 0o777);
    if owner != we {
        return Err(CacheError::Foreign { folder, owner });
    }
    if mode & 0o022 != 0 {
        return Err(CacheError::Open { folder, mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(folder: &Path) -> u32 {
        fs::metadata(folder).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_is_made_for_us_alone_and_taken_again() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("deep/cache");
        for _ in 0..2 {
            prepare(&folder).unwrap();
            assert_eq!(mode(&folder), 0o700);
        }
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused_with_what_to_do() {
        let parent = tempfile::tempdir().unwrap();
        for (mode, is_fine) in [
            (0o700, true),
            (0o755, true),
            (0o775, false),
            (0o702, false),
            (0o777, false),
        ] {
            let folder = parent.path().join(format!("{mode:o}"));
            fs::create_dir(&folder).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            let link = parent.path().join(format!("link-{mode:o}"));
            std::os::unix::fs::symlink(&folder, &link).unwrap();
            for folder in [&folder, &link] {
                match prepare(folder) {
                    Ok(()) => assert!(is_fine, "{mode:o}"),
                    Err(error) => {
                        assert!(!is_fine, "{mode:o}: {error}");
                        let text = error.to_string();
                        assert!(
                            text.contains(&format!("can be written by others (mode {mode:03o})"))
                                && text.contains("chmod 700"),
                            "{text}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        let folder = Path::new("/var/cache/belfry");
        check(folder, 1000, 0o40_700, 1000).unwrap();
        let refused = check(folder, 1001, 0o40_700, 1000).unwrap_err().to_string();
        assert!(
            refused.contains("belongs to another user (uid 1001)"),
            "{refused}"
        );
        // Also root's: what we cannot write is no cache.
        assert!(check(folder, 0, 0o40_755, 1000).is_err());
    }

    #[test]
    fn what_is_no_folder_is_told() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "x").unwrap();
        let error = prepare(&file).unwrap_err().to_string();
        assert!(error.starts_with("cannot use the cache folder"), "{error}");
    }
}
