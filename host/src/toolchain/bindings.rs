//! How does a plugin's world become bindings, and a core module a component? With the crates behind `wit-bindgen` and
//! `wasm-tools`, so that authors need neither program.

use std::fs;
use std::path::{Path, PathBuf};

use wit_bindgen_core::wit_parser::{Resolve, WorldId};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use super::Error;
use super::declarations::declarations;

/// The world that a plugin's folder `wit` declares.
pub(super) struct World {
    resolve: Resolve,
    id: WorldId,
}

/// What else a component is made of, beside its core module.
#[derive(Default)]
pub(super) struct Parts<'a> {
    /// Stands in for WASI's first version where the module imports that.
    pub(super) wasi: Option<&'a [u8]>,
    /// Whether the adapter must take its memory from the system, because the module's allocator is not ready when it starts.
    pub(super) grows_memory: bool,
}

impl World {
    /// Reads the world of a plugin's folder.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let wit = folder.join("wit");
        let mut resolve = Resolve::default();
        let world = resolve
            .push_dir(&wit)
            .and_then(|(package, _)| resolve.select_world(&[package], None));
        match world {
            Ok(id) => Ok(Self { resolve, id }),
            Err(error) => Err(Error::World {
                folder: wit,
                reason: format!("{error:#}"),
            }),
        }
    }

    /// The world in TypeScript.
    pub(super) fn declarations(&self) -> String {
        declarations(&self.resolve, self.id)
    }

    /// Writes bindings below a folder. Files that are as they should be are not touched, so that compilers' caches hold.
    pub(super) fn write_bindings(
        &mut self,
        generator: &mut dyn WorldGenerator,
        folder: &Path,
    ) -> Result<(), Error> {
        let mut files = Files::default();
        generator
            .generate(&mut self.resolve, self.id, &mut files)
            .map_err(|error| Error::World {
                folder: folder.to_owned(),
                reason: format!("{error:#}"),
            })?;
        for (name, bytes) in files.iter() {
            write(&folder.join(name), bytes)?;
        }
        Ok(())
    }

    /// Writes into a core module what it means, for compilers that cannot link an object that says so.
    pub(super) fn embed(&self, module: &mut Vec<u8>) -> Result<(), Error> {
        embed_component_metadata(module, &self.resolve, self.id, StringEncoding::UTF8)
            .map_err(|error| Error::Encode(format!("{error:#}")))
    }
}

/// A module that stands between another and its host, from text, with the world that it calls.
pub(super) fn adapter(module: &str, world: &str) -> Result<Vec<u8>, Error> {
    let mut module = wat::parse_str(module).map_err(|error| Error::Encode(error.to_string()))?;
    let mut resolve = Resolve::default();
    let embedded = resolve
        .push_str("adapter.wit", world)
        .and_then(|package| resolve.select_world(&[package], None))
        .and_then(|world| {
            embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        });
    embedded.map_err(|error| Error::Encode(format!("{error:#}")))?;
    Ok(module)
}

/// Makes a component of a core module.
pub(super) fn encode(module: &[u8], parts: &Parts<'_>) -> Result<Vec<u8>, Error> {
    let component = ComponentEncoder::default()
        .validate(true)
        .realloc_via_memory_grow(parts.grows_memory)
        .module(module)
        .and_then(|encoder| match parts.wasi {
            Some(adapter) => encoder.adapter("wasi_snapshot_preview1", adapter),
            None => Ok(encoder),
        })
        .and_then(|mut encoder| encoder.encode());
    component.map_err(|error| Error::Encode(format!("{error:#}")))
}

/// Writes a file, and the folders above it, unless it is as it should be.
pub(super) fn write(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    if fs::read(file).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let written = file
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(file, bytes));
    written.map_err(|source| Error::File {
        file: PathBuf::from(file),
        source,
    })
}
