//! How is a guest started once for all its instances? Its module is run up to the end of `_initialize`, and what is then in
//! its memory becomes the memory it begins with.

use futures_util::FutureExt;
use wasmtime::{Caller, Config, Engine, Extern, Instance, Linker, Module, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

use super::Error;

/// How much a start may do: some seconds of work.
const FUEL: u64 = 10_000_000_000;

/// More bytes of entropy at once are refused.
const MOST_ENTROPY: usize = 64 * 1024;

/// WASI's `EBADF`: there are no files.
const NO_FILE: i32 = 8;
/// WASI's `EFAULT`: an address outside of memory.
const BAD_ADDRESS: i32 = 21;

/// A module that goes on where the start of this one ended.
pub(super) fn take(module: &[u8]) -> Result<Vec<u8>, Error> {
    started(module).map_err(|error| Error::Encode(format!("its start failed: {error:#}")))
}

fn started(module: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let mut wizer = Wizer::new();
    wizer.init_func("_initialize");
    let (context, instrumented) = wizer.instrument(module)?;

    let mut config = Config::new();
    config.consume_fuel(true);
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, instrumented)?;
    let mut store = Store::new(&engine, 0);
    store.set_fuel(FUEL)?;
    let mut linker = Linker::new(&engine);
    add_wasi(&mut linker)?;
    // At build time there is no host to call.
    linker.define_unknown_imports_as_traps(&module)?;
    let instance = linker.instantiate(&mut store, &module)?;
    instance
        .get_typed_func::<(), ()>(&mut store, "_initialize")?
        .call(&mut store, ())?;
    let mut state = Started { store, instance };
    wizer
        .snapshot(&context, &mut state)
        .now_or_never()
        .expect("nothing in it waits")
}

/// The calls that Go makes of WASI when it starts; `nowasi.wat` answers them alike afterwards. The state of the store
/// counts what was asked of clock and entropy.
fn add_wasi(linker: &mut Linker<u64>) -> wasmtime::Result<()> {
    const WASI: &str = "wasi_snapshot_preview1";
    linker.func_wrap(WASI, "args_get", |_: i32, _: i32| 0i32)?;
    linker.func_wrap(WASI, "args_sizes_get", no_texts)?;
    linker.func_wrap(WASI, "environ_get", |_: i32, _: i32| 0i32)?;
    linker.func_wrap(WASI, "environ_sizes_get", no_texts)?;
    linker.func_wrap(WASI, "sched_yield", || 0i32)?;
    linker.func_wrap(
        WASI,
        "clock_time_get",
        |mut caller: Caller<'_, u64>, _: i32, _: i64, place: i32| {
            // Before the time at which `nowasi.wat` goes on.
            let now = count(&mut caller) * 1000;
            write(&mut caller, place, &now.to_le_bytes())
        },
    )?;
    linker.func_wrap(
        WASI,
        "random_get",
        |mut caller: Caller<'_, u64>, place: i32, length: i32| {
            let length = length.cast_unsigned() as usize;
            if length > MOST_ENTROPY {
                return BAD_ADDRESS;
            }
            let seed = count(&mut caller);
            write(&mut caller, place, &pseudo_random(seed, length))
        },
    )?;
    linker.func_wrap(WASI, "fd_prestat_get", |_: i32, _: i32| NO_FILE)?;
    linker.func_wrap(WASI, "fd_fdstat_get", |_: i32, _: i32| NO_FILE)?;
    linker.func_wrap(WASI, "fd_fdstat_set_flags", |_: i32, _: i32| NO_FILE)?;
    linker.func_wrap(WASI, "fd_close", |_: i32| NO_FILE)?;
    // Go throws when it cannot write what it prints. Nobody hears it at build time.
    linker.func_wrap(WASI, "fd_write", swallow)?;
    Ok(())
}

/// Takes what is printed: pairs of address and length.
fn swallow(mut caller: Caller<'_, u64>, _: i32, pieces: i32, count: i32, written: i32) -> i32 {
    let mut all = 0_u32;
    for number in 0..count.cast_unsigned() {
        let place = pieces
            .cast_unsigned()
            .saturating_add(number.saturating_mul(8));
        let mut length = [0; 4];
        let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
            return BAD_ADDRESS;
        };
        if memory
            .read(&caller, place as usize + 4, &mut length)
            .is_err()
        {
            return BAD_ADDRESS;
        }
        all = all.saturating_add(u32::from_le_bytes(length));
    }
    write(&mut caller, written, &all.to_le_bytes())
}

fn no_texts(mut caller: Caller<'_, u64>, count: i32, bytes: i32) -> i32 {
    write(&mut caller, count, &[0; 4]) | write(&mut caller, bytes, &[0; 4])
}

fn count(caller: &mut Caller<'_, u64>) -> u64 {
    *caller.data_mut() += 1;
    *caller.data()
}

/// Bytes that look random and are the same in every build.
fn pseudo_random(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn write(caller: &mut Caller<'_, u64>, place: i32, bytes: &[u8]) -> i32 {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return BAD_ADDRESS;
    };
    // An address is a number without a sign.
    let place = place.cast_unsigned() as usize;
    match memory.write(caller, place, bytes) {
        Ok(()) => 0,
        Err(_) => BAD_ADDRESS,
    }
}

/// A guest after its start, as wizer looks into it.
struct Started {
    store: Store<u64>,
    instance: Instance,
}

impl InstanceState for Started {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self
            .instance
            .get_global(&mut self.store, name)
            .expect("wizer asks for what it has made the module export");
        match global.get(&mut self.store) {
            Val::I32(value) => SnapshotVal::I32(value),
            Val::I64(value) => SnapshotVal::I64(value),
            Val::F32(value) => SnapshotVal::F32(value),
            Val::F64(value) => SnapshotVal::F64(value),
            Val::V128(value) => SnapshotVal::V128(value.as_u128()),
            _ => unreachable!("wizer refuses modules with globals that are references"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        let memory = self
            .instance
            .get_memory(&mut self.store, name)
            .expect("wizer asks for what it has made the module export");
        contents(memory.data(&self.store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_start_did_is_there_at_the_beginning() {
        let module = wat::parse_str(
            r#"(module
                (import "belfry:bot/log@0.1.0" "log" (func))
                (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
                (memory (export "memory") 1)
                (func (export "_initialize") (i32.store8 (i32.const 7) (i32.const 42)) (drop (call $random (i32.const 8) (i32.const 8)))))"#,
        )
        .unwrap();
        let started = take(&module).unwrap();
        assert_eq!(started, take(&module).unwrap(), "a build is repeatable");
        let engine = Engine::default();
        let module = Module::new(&engine, started).unwrap();
        assert!(module.get_export("_initialize").is_none());
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&module).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        assert_eq!(memory.data(&store)[7], 42);
        assert_ne!(memory.data(&store)[8..16], [0; 8]);
    }

    #[test]
    fn a_start_that_never_ends_or_calls_the_host_is_refused() {
        for (text, said) in [
            (
                r#"(module (memory (export "memory") 1) (func (export "_initialize") (loop (br 0))))"#,
                "fuel",
            ),
            (
                r#"(module (import "belfry:bot/log@0.1.0" "log" (func $log)) (memory (export "memory") 1)
                    (func (export "_initialize") (call $log)))"#,
                "belfry:bot/log",
            ),
        ] {
            let error = take(&wat::parse_str(text).unwrap()).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
