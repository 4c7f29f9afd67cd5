//! Lists the files of `page/`, so that the binary carries the whole page.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let page = Path::new(&root).join("page");
    println!("cargo::rerun-if-changed=page");
    let mut names = Vec::new();
    if page.is_dir() {
        for entry in fs::read_dir(&page)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    let mut table = String::from("const FILES: &[(&str, &[u8])] = &[\n");
    for name in &names {
        let path = page.join(name);
        table.push_str(&format!("    ({name:?}, include_bytes!({path:?})),\n"));
    }
    table.push_str("];\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("page_files.rs"), table)
}
