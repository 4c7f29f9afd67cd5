//! Lists the files of `wit/` and `templates/`, so that the program can write them into the folders of plugins.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let host = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let checkout = Path::new(&host)
        .parent()
        .ok_or_else(|| io::Error::other("the package is not in a checkout"))?;
    let mut code = String::new();
    for (constant, folder) in [("WIT", "wit"), ("TEMPLATES", "templates")] {
        let root = checkout.join(folder);
        println!("cargo::rerun-if-changed={}", root.display());
        let mut files = Vec::new();
        collect(&root, &mut files)?;
        files.sort();
        code.push_str(&format!("const {constant}: &[(&str, &str)] = &[\n"));
        for file in &files {
            let name = file.strip_prefix(&root).map_err(io::Error::other)?;
            code.push_str(&format!("    ({name:?}, include_str!({file:?})),\n"));
        }
        code.push_str("];\n");
    }
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let bundle = Path::new(&out).join("bundle.rs");
    // A target folder may have been copied with hard links; the copy must keep its own list.
    let _ = fs::remove_file(&bundle);
    fs::write(bundle, code)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
