//! Events per second from HTTP push to recorded API call, `echo` in wasm against the same handler in the host.
//!
//! Both sides are whole hosts of their own, with listener, SQLite journal, dispatcher and HTTP client, in one process
//! with the pushers and the recording server. They differ in nothing but the sandbox: the handler in the host is given the
//! same event and calls the same host function, which counts, records and sends as it does for a guest.

mod native;

use std::net::SocketAddr;
use std::sync::Arc;

use belfry::app::{Host, MakeRun, Overrides};

use crate::places::Places;
use crate::push::{Pusher, Until, push_all};
use crate::report::{Goal, Line, Unit};
use crate::rounds::{Rounds, Side};
use crate::settings::{self, ECHO, Listeners, Plugin};
use crate::upstream::Upstream;

use self::native::Native;

/// Messages on their way at one time.
const IN_FLIGHT: usize = 64;

/// Measures events per second.
pub(crate) async fn measure(places: &Places, rounds: Rounds) -> anyhow::Result<Vec<Line>> {
    let (upstream, calls) = Upstream::start(IN_FLIGHT).await?;
    let client = native::client(upstream.address())?;
    let native: MakeRun = Box::new(|journal| Arc::new(Native::new(client, Arc::clone(journal))));
    let wasm = start(places, "throughput-wasm", upstream.address(), None).await?;
    let native = start(
        places,
        "throughput-native",
        upstream.address(),
        Some(native),
    )
    .await?;
    let mut pushers = Pusher::all(&upstream, calls, 1);
    let rounds = rounds
        .take(async |side, time| {
            let host = match side {
                Side::Ours => wasm.public,
                Side::Yardstick => native.public,
            };
            push_all(&mut pushers, host, Until::Elapsed(time)).await
        })
        .await?;
    wasm.stop().await;
    native.stop().await;
    Ok(vec![Line::compared(
        "throughput",
        Unit::PerSecond,
        Goal::RatioAtLeast(0.8),
        rounds,
    )])
}

async fn start(
    places: &Places,
    name: &str,
    upstream: SocketAddr,
    run: Option<MakeRun>,
) -> anyhow::Result<Host> {
    let folder = places.fresh(name)?;
    let echo = places.plugin("echo")?;
    let plugins = [Plugin {
        name: "echo".to_owned(),
        component: &echo,
        settings: ECHO,
    }];
    let config = settings::write(&folder, &Listeners::any(), upstream, &plugins)?;
    let overrides = Overrides {
        run,
        ..Overrides::default()
    };
    Host::start_with(&config, overrides).await
}
