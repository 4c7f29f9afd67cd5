//! wasmtime's floor: the least that runs the component at all.

use anyhow::{anyhow, bail};
use belfry::event::Content;
use belfry::imports::bindings::belfry::bot::api::{self, ConversationId, Error};
use belfry::imports::bindings::belfry::bot::event::{self, Event};
use belfry::imports::bindings::belfry::bot::message::{self, Mentions, RobotMessage};
use belfry::imports::bindings::belfry::bot::{kv, robot};
use belfry::imports::{PluginPre, to_guest};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::Handle;

/// Ticks of the engine's clock that no event lives to see.
const FOREVER: u64 = 1 << 40;

/// Everything that outlives an event.
pub(crate) struct Floor {
    engine: Engine,
    pre: PluginPre<Data>,
    event: Event,
}

/// The smallest data with which WASI can be linked.
struct Data {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl Floor {
    pub(super) fn new(engine: &Engine, component: &Component, text: &str) -> anyhow::Result<Self> {
        let pre = pre(engine, component).map_err(|error| anyhow!("{error:#}"))?;
        let envelope = super::ours::envelope(text);
        let content = Content::parse(&envelope.origin, &envelope.raw)?;
        Ok(Self {
            engine: engine.clone(),
            pre,
            event: to_guest(&envelope, content),
        })
    }
}

impl Handle for Floor {
    type Received = ();

    /// The event is the same for all, and lent.
    fn receive(&self) {}

    async fn handle(&self, (): ()) -> anyhow::Result<()> {
        let data = Data {
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
        };
        let mut store = Store::new(&self.engine, data);
        store.set_epoch_deadline(FOREVER);
        let handled = async {
            let plugin = self.pre.instantiate_async(&mut store).await?;
            plugin
                .belfry_bot_handler()
                .call_handle(&mut store, &self.event)
                .await
        };
        match handled.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => bail!("the plugin failed: {failure:?}"),
            Err(error) => bail!("the plugin ended: {error:#}"),
        }
    }
}

fn pre(engine: &Engine, component: &Component) -> wasmtime::Result<PluginPre<Data>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    api::add_to_linker::<_, HasSelf<Data>>(&mut linker, |data| data)?;
    message::add_to_linker::<_, HasSelf<Data>>(&mut linker, |data| data)?;
    event::add_to_linker::<_, HasSelf<Data>>(&mut linker, |data| data)?;
    robot::add_to_linker::<_, HasSelf<Data>>(&mut linker, |data| data)?;
    kv::add_to_linker::<_, HasSelf<Data>>(&mut linker, |data| data)?;
    // What the message does not lead to.
    for (name, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else {
            continue;
        };
        let is_linked = ["api", "message", "event", "robot", "kv"]
            .iter()
            .any(|linked| name.starts_with(&format!("belfry:bot/{linked}@")));
        if is_linked || !name.starts_with("belfry:bot/") {
            continue;
        }
        let mut instance = linker.instance(name)?;
        for (function, item) in interface.exports(engine) {
            if let ComponentItem::ComponentFunc(_) = item.ty {
                let unexpected = format!("nobody expects {name}#{function} to be called");
                instance.func_new(function, move |_, _, _, _| wasmtime::bail!("{unexpected}"))?;
            }
        }
    }
    PluginPre::new(linker.instantiate_pre(component)?)
}

impl api::Host for Data {}
impl message::Host for Data {}
impl event::Host for Data {}

impl robot::Host for Data {
    async fn reply(&mut self, _: RobotMessage, _: Mentions) -> wasmtime::Result<Result<(), Error>> {
        Ok(Ok(()))
    }

    async fn send(
        &mut self,
        _: ConversationId,
        _: RobotMessage,
    ) -> wasmtime::Result<Result<String, Error>> {
        Ok(Ok(String::new()))
    }

    async fn send_people(
        &mut self,
        _: Vec<String>,
        _: RobotMessage,
    ) -> wasmtime::Result<Result<robot::SentToPeople, Error>> {
        wasmtime::bail!("echo writes to nobody")
    }

    async fn state(
        &mut self,
        _: ConversationId,
        _: String,
        _: Option<String>,
        _: u32,
    ) -> wasmtime::Result<Result<robot::SentState, Error>> {
        wasmtime::bail!("echo asks for nothing")
    }

    async fn people_state(
        &mut self,
        _: String,
    ) -> wasmtime::Result<Result<robot::SentState, Error>> {
        wasmtime::bail!("echo asks for nothing")
    }

    async fn recall(
        &mut self,
        _: ConversationId,
        _: Vec<String>,
    ) -> wasmtime::Result<Result<robot::Recalled, Error>> {
        wasmtime::bail!("echo takes nothing back")
    }

    async fn recall_people(
        &mut self,
        _: Vec<String>,
    ) -> wasmtime::Result<Result<robot::Recalled, Error>> {
        wasmtime::bail!("echo takes nothing back")
    }
}

impl kv::Host for Data {
    async fn get(&mut self, _: String) -> wasmtime::Result<Result<Option<Vec<u8>>, kv::Error>> {
        Ok(Ok(Some(b"41".to_vec())))
    }

    async fn set(&mut self, _: String, _: Vec<u8>) -> wasmtime::Result<Result<(), kv::Error>> {
        Ok(Ok(()))
    }

    async fn delete(&mut self, _: String) -> wasmtime::Result<Result<(), kv::Error>> {
        bail_of_kv()
    }

    async fn compare_and_set(
        &mut self,
        _: String,
        _: Option<Vec<u8>>,
        _: Vec<u8>,
    ) -> wasmtime::Result<Result<bool, kv::Error>> {
        bail_of_kv()
    }

    async fn list_keys(
        &mut self,
        _: String,
        _: Option<String>,
        _: u32,
    ) -> wasmtime::Result<Result<Vec<String>, kv::Error>> {
        bail_of_kv()
    }
}

fn bail_of_kv<T>() -> wasmtime::Result<T> {
    wasmtime::bail!("the samples read one value and write it")
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}
