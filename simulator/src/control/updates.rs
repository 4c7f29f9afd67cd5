//! Streams what happens as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::broadcast::error::RecvError;

use crate::state::Shared;

pub(super) async fn stream(
    State(shared): State<Arc<Shared>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let updates = stream::unfold(shared.updates.subscribe(), async |mut updates| {
        loop {
            match updates.recv().await {
                Ok(update) => {
                    let event = Event::default().event(update.name).data(&*update.data);
                    return Some((Ok(event), updates));
                }
                // A listener that fell behind reads the lists again when it wants to be whole.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    // Says at once that the stream is open, so that nobody misses what happens next.
    let hello = stream::once(async { Ok(Event::default().comment("open")) });
    let stop = shared.stop.clone();
    let until_stop = hello
        .chain(updates)
        .take_until(Box::pin(stop.cancelled_owned()));
    Sse::new(until_stop).keep_alive(KeepAlive::default())
}
