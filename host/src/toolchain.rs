//! In which languages can plugins be written, and how does a folder of sources become a component?
//!
//! One file a language. Each says what marks its folders, what it needs, and how it compiles; the rest is shared:
//!
//! | language | a folder with | needs |
//! | --- | --- | --- |
//! | Rust | `Cargo.toml` | rustup's target `wasm32-wasip2` |
//! | Go | `go.mod` | Go 1.25 or newer, else by pip |
//! | C | `*.c` | zig, by pip |
//! | Python | `app.py` | componentize-py, by pip |
//! | TypeScript | `plugin.ts` | TypeScript and componentize-qjs, by npm |
//! | JavaScript | `plugin.js` | componentize-qjs, by npm |
//!
//! The first row that fits counts. A plugin's contract lies in its folder `wit`: `world.wit` names what it imports, and
//! `wit/deps` is kept at the contract of this belfry by every build.

use std::path::{Path, PathBuf};
use std::{fs, io};

mod bindings;
mod bundle;
mod c;
mod declarations;
mod go;
mod javascript;
mod python;
mod rust;
mod scaffold;
mod snapshot;
mod tool;

pub(crate) use scaffold::{Name, first_config, scaffold};
pub(crate) use tool::{Missing, Tools};

/// A language, as `--lang` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// With rustup and cargo.
    Rust,
    /// With the standard compiler.
    Go,
    /// With zig's C compiler.
    C,
    /// With componentize-py, which brings CPython.
    Python,
    /// With the TypeScript compiler, then as JavaScript.
    #[value(name = "ts", alias = "typescript")]
    TypeScript,
    /// With componentize-qjs, which brings QuickJS.
    #[value(name = "js", alias = "javascript")]
    JavaScript,
}

/// Languages in the order in which a folder is asked for their marks.
const LANGUAGES: &[Language] = &[
    Language::Rust,
    Language::Go,
    Language::C,
    Language::Python,
    Language::TypeScript,
    Language::JavaScript,
];

/// Folders inside a plugin's folder that hold nothing an author wrote.
const MADE: &[&str] = &[
    "target",
    "gen",
    "deps",
    "dist",
    "node_modules",
    "__pycache__",
];

/// One folder that is to be built.
pub(crate) struct Job<'a> {
    /// The folder, absolute.
    folder: &'a Path,
    tools: &'a Tools,
    /// Told what is going on, in words for people.
    report: &'a (dyn Fn(&str) + Sync),
}

/// A component that was made.
#[derive(Debug)]
pub(crate) struct Built {
    /// The language it was written in.
    pub(crate) language: Language,
    /// Its size.
    pub(crate) bytes: usize,
    /// Whether it differs from the one that was there.
    pub(crate) is_new: bool,
}

/// Why a folder was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// Nothing in it tells the language.
    #[error("cannot tell the language of {folder:?}: it has none of {}", marks().join(", "))]
    Unrecognised { folder: PathBuf },
    /// Something has to be installed first.
    #[error("cannot build without {}", join(.0))]
    Missing(Vec<Missing>),
    #[error("cannot start {program}")]
    Start {
        program: String,
        #[source]
        source: io::Error,
    },
    /// A compiler said no; it has said why on standard error.
    #[error("{program} failed in {folder:?}, see above")]
    Failed { program: String, folder: PathBuf },
    #[error("nothing in {folder:?} became a component; {hint}")]
    NoComponent { folder: PathBuf, hint: &'static str },
    /// The folder `wit` does not say what the plugin is.
    #[error("cannot read the world in {folder:?}: {reason}")]
    World { folder: PathBuf, reason: String },
    /// The compiler made something that does not fit the world.
    #[error("cannot make a component of what was compiled: {0}")]
    Encode(String),
    #[error("cannot read or write {file:?}")]
    File {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Language {
    /// The language of a folder, by the file that marks it.
    pub(crate) fn of(folder: &Path) -> Result<Self, Error> {
        let mut languages = LANGUAGES.iter().copied();
        languages
            .find(|language| language.marks(folder))
            .ok_or_else(|| Error::Unrecognised {
                folder: folder.to_owned(),
            })
    }

    /// Its name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Go => "Go",
            Self::C => "C",
            Self::Python => "Python",
            Self::TypeScript => "TypeScript",
            Self::JavaScript => "JavaScript",
        }
    }

    /// The folder of its template below `templates/`.
    fn template(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Go => "go",
            Self::C => "c",
            Self::Python => "python",
            Self::TypeScript => "ts",
            Self::JavaScript => "js",
        }
    }

    /// The command that runs the test of its template, inside the folder and after the first build.
    pub(crate) async fn test_command(self, folder: &Path, tools: &Tools) -> String {
        match self {
            Self::Rust => "cargo test".to_owned(),
            Self::Go => go::test_command(folder, tools).await,
            Self::C => "cc -o gen/test test.c answer.c && gen/test".to_owned(),
            Self::Python => "python3 -m unittest".to_owned(),
            Self::TypeScript => "belfry plugin build . && node --test".to_owned(),
            Self::JavaScript => "node --test".to_owned(),
        }
    }

    /// What marks its folders, for people.
    fn mark(self) -> &'static str {
        match self {
            Self::Rust => rust::MARK,
            Self::Go => go::MARK,
            Self::C => c::MARK,
            Self::Python => python::MARK,
            Self::TypeScript => javascript::TYPED_MARK,
            Self::JavaScript => javascript::MARK,
        }
    }

    fn marks(self, folder: &Path) -> bool {
        match self {
            Self::C => c::marks(folder),
            _ => folder.join(self.mark()).is_file(),
        }
    }

    /// What must be installed before a folder of this language builds.
    pub(crate) async fn missing(self, folder: &Path, tools: &Tools) -> Vec<Missing> {
        let missing = match self {
            Self::Rust => rust::missing(folder).await,
            Self::Go => go::missing(folder, tools).await,
            Self::C => c::missing(tools),
            Self::Python => python::missing(tools),
            Self::TypeScript => return javascript::missing_for_types(tools).collect(),
            Self::JavaScript => javascript::missing(tools),
        };
        missing.into_iter().collect()
    }

    async fn compile(self, job: &Job<'_>) -> Result<Vec<u8>, Error> {
        match self {
            Self::Rust => rust::compile(job).await,
            Self::Go => go::compile(job).await,
            Self::C => c::compile(job).await,
            Self::Python => python::compile(job).await,
            Self::TypeScript => javascript::compile_typed(job).await,
            Self::JavaScript => javascript::compile(job).await,
        }
    }
}

impl Job<'_> {
    fn say(&self, text: &str) {
        (self.report)(text);
    }
}

/// How a folder is built.
pub(crate) struct Options<'a> {
    /// Where tools are looked for.
    pub(crate) tools: &'a Tools,
    /// Whether missing ones are installed.
    pub(crate) install: bool,
    /// Told what is going on, in words for people.
    pub(crate) report: &'a (dyn Fn(&str) + Sync),
}

/// Builds a folder and puts the component into its place in one step; the same bytes again leave the file as it is.
pub(crate) async fn build(
    folder: &Path,
    component: &Path,
    options: &Options<'_>,
) -> Result<Built, Error> {
    let folder = fs::canonicalize(folder).map_err(at(folder))?;
    let language = Language::of(&folder)?;
    let job = Job {
        folder: &folder,
        tools: options.tools,
        report: options.report,
    };
    if options.install {
        for missing in language.missing(&folder, options.tools).await {
            tool::install(&missing, &job).await?;
        }
    }
    let missing = language.missing(&folder, options.tools).await;
    if !missing.is_empty() {
        return Err(Error::Missing(missing));
    }
    let wit = folder.join("wit");
    if wit.is_dir() {
        bundle::write_contract(&wit).map_err(at(&wit))?;
    }
    let bytes = language.compile(&job).await?;
    Ok(Built {
        language,
        bytes: bytes.len(),
        is_new: replace(component, &bytes).map_err(at(component))?,
    })
}

/// The folders with an author's files, that of the plugin first; the first is to be watched alone, the others with all
/// below them.
pub(crate) fn source_folders(folder: &Path) -> Vec<PathBuf> {
    let mut inner: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| is_source(Path::new(&entry.file_name())) && entry.path().is_dir())
        .map(|entry| entry.path())
        .collect();
    inner.sort();
    inner.insert(0, folder.to_owned());
    inner
}

/// Whether a path, relative to a plugin's folder, may be an author's work, and not what a build made.
pub(crate) fn is_source(path: &Path) -> bool {
    path.components().all(|part| {
        let name = part.as_os_str().to_string_lossy();
        !MADE.contains(&name.as_ref()) && (!name.starts_with('.') || name == "." || name == "..")
    })
}

fn marks() -> Vec<&'static str> {
    LANGUAGES.iter().map(|language| language.mark()).collect()
}

fn join(missing: &[Missing]) -> String {
    let texts: Vec<String> = missing.iter().map(Missing::to_string).collect();
    texts.join("\nand without ")
}

fn at(file: &Path) -> impl FnOnce(io::Error) -> Error {
    let file = file.to_owned();
    move |source| Error::File { file, source }
}

/// Gives a file these bytes in one step, so that nobody reads half of it; says whether it had others before.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<bool> {
    if fs::read(file).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let fresh = file.with_file_name(format!(".{name}.new"));
    fs::write(&fresh, bytes)?;
    fs::rename(&fresh, file)?;
    Ok(true)
}

#[cfg(test)]
mod tests;
