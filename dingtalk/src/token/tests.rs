#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const LIFE: Duration = Duration::from_secs(7200);

#[derive(Clone, Default)]
struct Source {
    cache: Arc<TokenCache>,
    fetches: Arc<AtomicU32>,
}

impl Source {
    async fn get(&self) -> Result<String, ApiError> {
        let token = self.cache.get(async || {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let number = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
            Ok((Secret::new(format!("token{number}")), LIFE))
        });
        token.await.map(|token| token.expose().to_owned())
    }

    async fn fail(&self, error: ApiError) -> Result<String, ApiError> {
        let token = self.cache.get(async || {
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.fetches.fetch_add(1, Ordering::SeqCst);
            Err(error)
        });
        token.await.map(|token| token.expose().to_owned())
    }

    fn fetches(&self) -> u32 {
        self.fetches.load(Ordering::SeqCst)
    }
}

fn unavailable() -> ApiError {
    ApiError::Unavailable {
        code: "-1".into(),
        message: "busy".into(),
    }
}

fn bad_credentials() -> ApiError {
    ApiError::Credentials {
        code: "40096".into(),
        message: "bad".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn refresh_is_due_five_minutes_before_the_end_or_in_the_last_fifth() {
    let check = |life: u64, age: u64, expected: bool| {
        let fetched_at = Instant::now();
        let token = Token {
            value: "t".into(),
            fetched_at,
            life: Duration::from_secs(life),
        };
        let now = fetched_at + Duration::from_secs(age);
        assert_eq!(
            needs_refresh(&token, now),
            expected,
            "life {life} age {age}"
        );
    };
    check(7200, 0, false);
    check(7200, 6899, false);
    check(7200, 6900, true);
    check(7200, 9000, true);
    check(60, 47, false);
    check(60, 48, true);
    check(0, 0, true);
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_share_one_fetch() {
    let source = Source::default();
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { source.get().await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), "token1");
    }
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_share_one_failure_and_the_next_tries_again() {
    let source = Source::default();
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { source.fail(unavailable()).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Err(unavailable()));
    }
    assert_eq!(source.fetches(), 1);
    assert_eq!(source.get().await.unwrap(), "token2");
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_not_tried_again_at_once() {
    let source = Source::default();
    assert_eq!(source.fail(bad_credentials()).await, Err(bad_credentials()));
    assert_eq!(source.get().await, Err(bad_credentials()));
    assert_eq!(source.fetches(), 1);
    tokio::time::advance(AFTER_BAD_CREDENTIALS).await;
    assert_eq!(source.get().await.unwrap(), "token2");
}

#[tokio::test(start_paused = true)]
async fn an_ageing_token_is_replaced_ahead_of_its_end_by_one_caller() {
    let source = Source::default();
    assert_eq!(source.get().await.unwrap(), "token1");
    tokio::time::advance(Duration::from_secs(7000)).await;
    let (first, second) = tokio::join!(source.get(), source.get());
    assert_eq!(
        (first.unwrap(), second.unwrap()),
        ("token2".to_owned(), "token1".to_owned())
    );
    assert_eq!(source.get().await.unwrap(), "token2");
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_ageing_token_serves_on_while_it_cannot_be_replaced() {
    let source = Source::default();
    source.get().await.unwrap();
    tokio::time::advance(Duration::from_secs(7000)).await;
    assert_eq!(source.fail(unavailable()).await.unwrap(), "token1");
    assert_eq!(source.fail(unavailable()).await.unwrap(), "token1");
    assert_eq!(source.fetches(), 2);
    tokio::time::advance(Duration::from_secs(300)).await;
    assert_eq!(source.fail(unavailable()).await, Err(unavailable()));
}

#[tokio::test(start_paused = true)]
async fn only_the_refused_token_is_dropped() {
    let source = Source::default();
    source.get().await.unwrap();
    source.cache.invalidate(&"token0".into());
    assert_eq!(source.get().await.unwrap(), "token1");
    source.cache.invalidate(&"token1".into());
    assert_eq!(source.get().await.unwrap(), "token2");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_leaves_the_way_free() {
    let source = Source::default();
    let impatient = tokio::time::timeout(Duration::from_millis(10), source.get()).await;
    assert!(impatient.is_err());
    assert_eq!(source.get().await.unwrap(), "token1");
}
