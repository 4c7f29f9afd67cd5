//! What a plugin implements, and how it becomes a component.

use crate::bindings::exports::belfry::bot::handler::Guest;
use crate::event::Event;
use crate::{Description, Failure};

/// A plugin. It has no `self`, because no state outlives an event.
pub trait Plugin {
    /// Says what the plugin is. Runs once when it is loaded; calling a host function other than [`crate::log`] here ends
    /// in a trap, and the plugin is refused.
    fn describe() -> Description;

    /// Handles one event; `Ok` means that it is done and will not come again.
    ///
    /// # Errors
    ///
    /// [`Failure::Retry`] when trying later may help, [`Failure::Permanent`] when it cannot.
    fn handle(event: Event) -> Result<(), Failure>;
}

impl<P: Plugin> Guest for P {
    fn describe() -> Description {
        P::describe()
    }

    fn handle(event: Event) -> Result<(), Failure> {
        P::handle(event)
    }
}

/// Makes a type that implements [`Plugin`] the component's export. Call it once, at the top level of the crate.
#[macro_export]
macro_rules! export {
    ($plugin:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::export!($plugin with_types_in $crate::bindings);

        // Natively there is nothing to export, but the compiler should still check the plugin.
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            let _ = <$plugin as $crate::Plugin>::describe;
            let _ = <$plugin as $crate::Plugin>::handle;
        };
    };
}
