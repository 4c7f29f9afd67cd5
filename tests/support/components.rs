//! Where components are that `cargo xtask test` has built.

use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the checkout")
        .to_owned()
}

/// The component of a sample plugin or of a guest of the stories, the one in Rust or one that belfry built.
///
/// # Panics
///
/// If nobody has built it.
pub fn path(name: &str) -> PathBuf {
    find(name).unwrap_or_else(|| panic!("there is no component {name:?}: run `cargo xtask test`"))
}

/// As [`path`], if somebody has built it.
pub fn find(name: &str) -> Option<PathBuf> {
    let sample = checkout().join(format!("plugins/{name}.wasm"));
    let guest = checkout().join(format!(
        "tests/guests/target/wasm32-wasip2/release/{}.wasm",
        name.replace('-', "_")
    ));
    let other = checkout().join(format!("tests/guests/{name}.wasm"));
    [sample, guest, other]
        .into_iter()
        .find(|path| path.is_file())
}

/// Whether the guests that take long to build and to compile are left out, as `cargo xtask test --quick` does.
pub fn is_quick() -> bool {
    std::env::var_os("BELFRY_TEST_QUICK").is_some()
}

/// The belfry program.
///
/// # Panics
///
/// If nobody has built it.
pub fn belfry() -> PathBuf {
    let program = beside_tests().join("belfry");
    assert!(
        program.is_file(),
        "there is no belfry program: run `cargo xtask test`"
    );
    program
}

/// Compiled components, shared by all stories.
pub fn cache() -> PathBuf {
    beside_tests().join("tests-cache")
}

/// The folder of the profile, such as `target/debug`: programs lie there, and tests in its `deps`.
fn beside_tests() -> PathBuf {
    let program = std::env::current_exe().expect("a program knows where it is");
    let folder = program.parent().expect("a program lies in a folder");
    if folder.ends_with("deps") {
        folder
            .parent()
            .expect("deps lies in the folder of its profile")
            .to_owned()
    } else {
        folder.to_owned()
    }
}
