//! What lies in the folder of a new plugin?

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

use super::{Language, bundle};

/// The name of a new plugin: lower-case words, digits allowed, joined by hyphens. It must be at once a folder, a crate, a
/// module and a chat command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

/// Why something is no name for a plugin.
#[derive(Debug, thiserror::Error)]
#[error(
    "must be 1 to 50 lower-case letters, digits and hyphens, beginning with a letter and each word not empty, such as `on-call`"
)]
pub(crate) struct BadName;

/// Why no folder was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScaffoldError {
    #[error("{0:?} is there already")]
    Exists(PathBuf),
    #[error("cannot write {file:?}")]
    Write {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let is_word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let is_name = text.len() <= 50
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.split('-').all(is_word);
        is_name.then(|| Self(text.to_owned())).ok_or(BadName)
    }
}

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts the name where a template wants it.
    fn fill(&self, text: &str) -> String {
        text.replace("{{name}}", &self.0)
            .replace("{{ident}}", &self.0.replace('-', "_"))
    }
}

/// Writes the folder of a new plugin into `parent` and returns it.
pub(crate) fn scaffold(
    language: Language,
    name: &Name,
    parent: &Path,
) -> Result<PathBuf, ScaffoldError> {
    let folder = parent.join(name.as_str());
    if folder.exists() {
        return Err(ScaffoldError::Exists(folder));
    }
    let files = bundle::template(language.template()).chain(bundle::template("all"));
    for (path, text) in files {
        let file = folder.join(name.fill(path));
        let written = file
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&file, name.fill(text)));
        written.map_err(|source| ScaffoldError::Write { file, source })?;
    }
    let wit = folder.join("wit");
    bundle::write_contract(&wit).map_err(|source| ScaffoldError::Write { file: wit, source })?;
    Ok(folder)
}

/// Writes the configuration of a bot for the simulator with this `[[plugin]]`, unless there is a file of that name; says
/// whether it did.
pub(crate) fn first_config(file: &Path, plugin: &str) -> Result<bool, ScaffoldError> {
    let written = fs::File::create_new(file).and_then(|mut new| {
        bundle::template("project").try_for_each(|(_, text)| new.write_all(text.as_bytes()))?;
        new.write_all(plugin.as_bytes())
    });
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(ScaffoldError::Write {
            file: file.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::LANGUAGES;

    #[test]
    fn a_name_serves_as_folder_crate_and_command() {
        for (text, good) in [
            ("hello", true),
            ("on-call2", true),
            ("a", true),
            ("", false),
            ("2nd", false),
            ("Hello", false),
            ("a--b", false),
            ("a-", false),
            ("-a", false),
            ("a_b", false),
            ("../a", false),
            ("问候", false),
        ] {
            assert_eq!(text.parse::<Name>().is_ok(), good, "{text:?}");
        }
        assert!("a".repeat(51).parse::<Name>().is_err());
    }

    #[test]
    fn every_language_has_a_template_that_is_recognised_as_its_own() {
        let name: Name = "on-call".parse().unwrap();
        for language in LANGUAGES {
            let parent = tempfile::tempdir().unwrap();
            let folder = scaffold(*language, &name, parent.path()).unwrap();
            assert_eq!(folder, parent.path().join("on-call"));
            assert_eq!(Language::of(&folder).unwrap(), *language);
            assert!(folder.join("wit/world.wit").is_file(), "{language:?}");
            assert!(folder.join("README.md").is_file(), "{language:?}");
            for file in super::super::tests::files(&folder) {
                let text = fs::read_to_string(&file).unwrap();
                assert!(!text.contains("{{"), "{file:?} has an unfilled place");
            }
            assert!(matches!(
                scaffold(*language, &name, parent.path()),
                Err(ScaffoldError::Exists(_))
            ));
        }
    }
}
