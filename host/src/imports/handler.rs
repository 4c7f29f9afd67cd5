//! `belfry:bot/handler`: what plugins export.

use wasmtime::AsContextMut;
use wasmtime::component::{ComponentExportIndex, InstancePre};

use super::bindings::PluginPre;
use super::bindings::belfry::bot::event::Event;
use super::bindings::exports::belfry::bot::handler::{Description, Failure};

/// A component that is linked, with what it exports.
pub struct GuestPre<T: 'static> {
    linked: PluginPre<T>,
    handle: ComponentExportIndex,
}

impl<T: Send + 'static> GuestPre<T> {
    /// Finds what the component must export.
    pub fn new(linked: InstancePre<T>) -> wasmtime::Result<Self> {
        let linked = PluginPre::new(linked)?;
        let component = linked.instance_pre().component();
        let handle = component
            .get_export_index(None, "belfry:bot/handler@0.1.0")
            .and_then(|handler| component.get_export_index(Some(&handler), "handle"))
            .ok_or_else(|| wasmtime::format_err!("it exports no `handle`"))?;
        Ok(Self { linked, handle })
    }

    /// Asks a fresh instance what it is. This finds whether all exports are of their types.
    pub async fn describe(
        &self,
        mut store: impl AsContextMut<Data = T>,
    ) -> wasmtime::Result<Description> {
        let guest = self.linked.instantiate_async(&mut store).await?;
        guest.belfry_bot_handler().call_describe(store).await
    }

    /// Handles an event in a fresh instance. Only the type of what is called is compared again, because every event pays
    /// for that.
    pub async fn handle(
        &self,
        mut store: impl AsContextMut<Data = T>,
        event: &Event,
    ) -> wasmtime::Result<Result<(), Failure>> {
        let linked = self.linked.instance_pre();
        let guest = linked.instantiate_async(&mut store).await?;
        let handle =
            guest.get_typed_func::<(&Event,), (Result<(), Failure>,)>(&mut store, &self.handle)?;
        let (ended,) = handle.call_async(store, (event,)).await?;
        Ok(ended)
    }
}
