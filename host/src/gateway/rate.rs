//! Who calls, and how often.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::answer::Refused;
use crate::config::{Gateway, Key};

/// The key that a request carries.
pub(super) fn authorize<'a>(
    settings: &'a Gateway,
    headers: &HeaderMap,
) -> Result<&'a Key, Refused> {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim());
    let digest = Sha256::digest(given.ok_or(Refused::Unauthorized)?);
    // Digests have one length, and all of them are compared: time tells neither a key nor which one it is near to.
    let mut found = None;
    for key in &settings.keys {
        if bool::from(digest.as_slice().ct_eq(&key.digest)) {
            found = Some(key);
        }
    }
    found.ok_or(Refused::Unauthorized)
}

/// A limiter and the rate that it was made for.
type Limiter = (u32, Arc<DefaultDirectRateLimiter>);

/// Counts the calls of each key. The names come from `bot.toml`, so there are few.
#[derive(Default)]
pub(super) struct Rates(Mutex<HashMap<String, Limiter>>);

impl Rates {
    /// Lets a call in, or says how long to wait.
    pub(super) fn admit(&self, key: &Key) -> Result<(), Refused> {
        let limiter = self.limiter(key);
        limiter.check().map_err(|wait| {
            let wait = wait.wait_time_from(DefaultClock::default().now());
            Refused::Rate {
                rate: key.rate,
                wait_s: wait.as_secs() + 1,
            }
        })
    }

    fn limiter(&self, key: &Key) -> Arc<DefaultDirectRateLimiter> {
        let mut limiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match limiters.get(&key.name) {
            Some((rate, limiter)) if *rate == key.rate => Arc::clone(limiter),
            // A changed rate begins anew.
            _ => {
                let rate = NonZeroU32::new(key.rate).unwrap_or(NonZeroU32::MIN);
                let limiter = Arc::new(RateLimiter::direct(Quota::per_second(rate)));
                limiters.insert(key.name.clone(), (key.rate, Arc::clone(&limiter)));
                limiter
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn key(name: &str, secret: &str, rate: u32) -> Key {
        Key {
            name: name.to_owned(),
            digest: Sha256::digest(secret).into(),
            scopes: BTreeSet::new(),
            rate,
        }
    }

    #[test]
    fn the_key_is_found_by_its_digest_and_nothing_else() {
        let settings = Gateway {
            app: "acme".into(),
            keys: vec![key("crm", "one", 1), key("erp", "two", 1)],
        };
        let of = |authorization: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
            authorize(&settings, &headers)
                .map(|key| key.name.clone())
                .ok()
        };
        assert_eq!(of("Bearer two").as_deref(), Some("erp"));
        assert_eq!(of("bearer  one ").as_deref(), Some("crm"));
        for wrong in ["Bearer", "Bearer ", "Bearer three", "Basic one", "one"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        assert!(authorize(&settings, &HeaderMap::new()).is_err());
    }

    #[test]
    fn each_key_has_a_rate_of_its_own_that_can_change() {
        let rates = Rates::default();
        let slow = key("slow", "s", 2);
        assert!(rates.admit(&slow).is_ok() && rates.admit(&slow).is_ok());
        let refused = rates.admit(&slow).unwrap_err();
        assert!(matches!(refused, Refused::Rate { rate: 2, wait_s: 1 }));
        assert!(rates.admit(&key("other", "o", 2)).is_ok());
        assert!(rates.admit(&key("slow", "s", 3)).is_ok());
    }
}
