//! Makes the key by which DingTalk recognises a request that it has seen before.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::ids::DeliveryId;
use crate::journal::Place;

/// An idempotency key, 32 hexadecimal digits: a function of the delivery and of the place of the call in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The key of a call.
    pub fn of(delivery: &DeliveryId, place: Place) -> Self {
        let mut hash = Sha256::new();
        hash.update(delivery.event.as_bytes());
        hash.update(place.run.to_be_bytes());
        hash.update(place.number.to_be_bytes());
        hash.update(delivery.plugin.as_str());
        let digest = hash.finalize();
        let first = std::array::from_fn(|at| digest[at]);
        Self(Uuid::from_bytes(first).simple().to_string())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::ids::EventId;

    /// A key that came out differently would let DingTalk do again what an older belfry began.
    #[test]
    fn keys_do_not_change_with_belfry() {
        let delivery = DeliveryId {
            event: EventId::from_bytes(std::array::from_fn(|at| at as u8)),
            plugin: "leave".into(),
        };
        let key = Key::of(&delivery, Place { run: 1, number: 2 });
        assert_eq!(key.as_str(), "bbc2d504c2a35165f6fd8213378113ab");
    }

    #[test]
    fn a_key_is_the_same_for_the_same_call_and_for_no_other() {
        let event = clock::event_id();
        let delivery = |plugin: &str| DeliveryId {
            event,
            plugin: plugin.into(),
        };
        let place = |run, number| Place { run, number };
        let key = Key::of(&delivery("a"), place(0, 1));
        assert_eq!(key, Key::of(&delivery("a"), place(0, 1)));
        assert_eq!(key.as_str().len(), 32);
        assert!(
            key.as_str()
                .bytes()
                .all(|digit| b"0123456789abcdef".contains(&digit))
        );
        for other in [
            Key::of(&delivery("b"), place(0, 1)),
            Key::of(&delivery("a"), place(1, 1)),
            Key::of(&delivery("a"), place(0, 2)),
        ] {
            assert_ne!(key, other);
        }
    }
}
