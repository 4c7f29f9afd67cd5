//! What the store knows of a service's group, and who may create it.
//!
//! Alerts of one service can be handled at the same time. Whoever writes a claim first creates the group; the others
//! come back later and find it.

/// A claim that an event of this much later finds is a crashed attempt's.
const STALE_AFTER_MS: u64 = 60_000;

/// The event that is being handled, as far as claims go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) event_id: String,
    /// When the host received it, in Unix milliseconds: guests have no clock of their own to compare by.
    pub(crate) received_at_ms: u64,
}

/// What the store holds for a service.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// No group, and nobody makes one.
    Free,
    /// Somebody makes one.
    Claimed(Claim),
    /// The group.
    Group(String),
}

/// What to do about a slot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Tell the alert to this group.
    Tell(String),
    /// Write a claim, if the slot is still what it was, and create the group.
    Create,
    /// Come back later: somebody else creates it.
    Wait,
}

impl Slot {
    /// Reads a stored value; what nobody can have written is free.
    pub(crate) fn read(stored: Option<&[u8]>) -> Self {
        let text = stored.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let Some((word, rest)) = text.and_then(|text| text.split_once(' ')) else {
            return Self::Free;
        };
        match word {
            "group" if !rest.is_empty() => Self::Group(rest.to_owned()),
            "claim" => claim(rest).map_or(Self::Free, Self::Claimed),
            _ => Self::Free,
        }
    }

    /// The value to store.
    pub(crate) fn write(&self) -> Vec<u8> {
        match self {
            Self::Free => "free".to_owned(),
            Self::Claimed(claim) => format!("claim {} {}", claim.received_at_ms, claim.event_id),
            Self::Group(chat) => format!("group {chat}"),
        }
        .into_bytes()
    }

    /// What the handler of an event does about the slot.
    pub(crate) fn step(self, me: &Claim) -> Step {
        match self {
            Self::Group(chat) => Step::Tell(chat),
            Self::Free => Step::Create,
            // An earlier attempt of ours cannot be running any more.
            Self::Claimed(claim) if claim.event_id == me.event_id => Step::Create,
            Self::Claimed(claim)
                if me.received_at_ms.saturating_sub(claim.received_at_ms) > STALE_AFTER_MS =>
            {
                Step::Create
            }
            Self::Claimed(_) => Step::Wait,
        }
    }
}

fn claim(text: &str) -> Option<Claim> {
    let (received_at_ms, event_id) = text.split_once(' ')?;
    Some(Claim {
        event_id: event_id.to_owned(),
        received_at_ms: received_at_ms.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, received_at_ms: u64) -> Claim {
        Claim {
            event_id: id.to_owned(),
            received_at_ms,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for slot in [
            Slot::Free,
            Slot::Claimed(event("01-a b", 1_763_800_000_000)),
            Slot::Group("chat6a93".to_owned()),
        ] {
            assert_eq!(Slot::read(Some(&slot.write())), slot);
        }
    }

    #[test]
    fn an_unreadable_value_is_free() {
        for stored in [
            None,
            Some(&b""[..]),
            Some(b"\xff\xfe"),
            Some(b"claim x y"),
            Some(b"claim -1 y"),
            Some(b"group "),
        ] {
            assert_eq!(Slot::read(stored), Slot::Free);
        }
    }

    #[test]
    fn a_fresh_claim_of_another_event_is_respected() {
        for (held, me, step) in [
            (event("a", 1000), event("b", 1000), Step::Wait),
            (event("a", 1000), event("b", 61_000), Step::Wait),
            (event("a", 1000), event("b", 61_001), Step::Create),
            (event("a", 1000), event("a", 1000), Step::Create),
            (event("a", 99_000), event("b", 1000), Step::Wait),
        ] {
            assert_eq!(
                Slot::Claimed(held.clone()).step(&me),
                step,
                "{held:?} {me:?}"
            );
        }
    }

    #[test]
    fn an_existing_group_is_used_and_a_missing_one_created() {
        let me = event("a", 0);
        assert_eq!(
            Slot::Group("chat1".to_owned()).step(&me),
            Step::Tell("chat1".to_owned())
        );
        assert_eq!(Slot::Free.step(&me), Step::Create);
    }
}
