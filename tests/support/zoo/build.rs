//! Makes components that no compiler would make.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::components;

/// A plugin's module, in parts: instructions of its functions and further fields, in WebAssembly's text format.
#[derive(Debug)]
pub(super) struct Module {
    /// Its memory.
    pub(super) memory: &'static str,
    /// Whatever else it has.
    pub(super) fields: &'static str,
    /// Answers with the place of what the host writes.
    pub(super) realloc: &'static str,
    /// Answers with the place of a description.
    pub(super) describe: &'static str,
    /// Answers with the place of a result.
    pub(super) handle: &'static str,
}

/// A sound plugin that does nothing: the empty memory reads as an empty description and as success.
pub(super) const SOUND: Module = Module {
    memory: "1",
    fields: "",
    realloc: "i32.const 4096",
    describe: "i32.const 0",
    handle: "i32.const 0",
};

impl Module {
    pub(super) fn component(&self) -> Vec<u8> {
        component(&self.text())
    }

    fn text(&self) -> String {
        let Self {
            memory,
            fields,
            realloc,
            describe,
            handle,
        } = self;
        format!(
            r#"(module
  (memory (export "memory") {memory})
  {fields}
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
  (func (export "belfry:bot/handler@0.1.0#describe") (result i32) {describe})
  (func (export "belfry:bot/handler@0.1.0#handle") (param i32) (result i32) {handle}))"#
        )
    }
}

/// Makes a module of the world `plugin` a component.
fn component(text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_dir(components::checkout().join("wit"))
        .unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default().module(&module).unwrap();
    encoder.encode().unwrap()
}

/// A plugin that takes the compiler far longer than a tenth of a second, and another one at each call, so that no cache
/// knows it.
pub(super) fn slow_to_compile() -> Vec<u8> {
    let different = RandomState::new().build_hasher().finish();
    let mut fields = String::new();
    for number in 0..2_000_u64 {
        let steps = "i64.const 3 i64.mul i64.const 5 i64.add ".repeat(40);
        let begin = different.wrapping_add(number).cast_signed();
        fields.push_str(&format!("(func (result i64) i64.const {begin} {steps})\n"));
    }
    let text = SOUND.text();
    component(&text.replacen("(memory", &format!("{fields}(memory"), 1))
}

/// A good component, cut in half.
pub(super) fn truncated() -> Vec<u8> {
    let mut bytes = super::guest("echo");
    bytes.truncate(bytes.len() / 2);
    bytes
}

/// A module, as toolchains make it before the last step.
pub(super) fn module() -> Vec<u8> {
    wat::parse_str("(module)").unwrap()
}

/// A shell script.
pub(super) fn script() -> Vec<u8> {
    b"#!/bin/sh\nexit 0\n".to_vec()
}
