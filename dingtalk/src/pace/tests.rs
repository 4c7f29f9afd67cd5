//! Paces calls on a clock that stands still.
#![allow(clippy::unwrap_used)]

use tokio::time::advance;

use super::*;

const API: Lane<'static> = Lane::Api("/chat/send");

fn limited(code: &str, seconds: u64) -> ApiError {
    ApiError::RateLimited {
        code: code.to_owned(),
        message: String::new(),
        retry_after: Duration::from_secs(seconds),
    }
}

fn pacer(calls: u32) -> Pacer {
    Pacer::new(Pace {
        calls: NonZeroU32::new(calls),
        ..Pace::default()
    })
}

/// How long a call waits, in milliseconds, or how long it would.
async fn wait(pacer: &Pacer, lane: Lane<'_>) -> Result<u128, u128> {
    let asked = Instant::now();
    match pacer.admit(lane).await {
        Ok(()) => Ok(asked.elapsed().as_millis()),
        Err(ApiError::RateLimited { retry_after, .. }) => Err(retry_after.as_millis()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn no_stretch_of_a_second_has_more_calls_than_allowed() {
    let pacer = pacer(20);
    let started = Instant::now();
    let mut left = Vec::new();
    for _ in 0..70 {
        pacer.admit(API).await.unwrap();
        left.push(started.elapsed());
    }
    for (first, last) in left.iter().zip(&left[20..]) {
        assert!(
            *last - *first >= Duration::from_secs(1),
            "{first:?} {last:?}"
        );
    }
    assert_eq!(left[19], Duration::ZERO, "the first are not held up");
    assert!(left[69] < Duration::from_secs(4), "{:?}", left[69]);
}

#[tokio::test(start_paused = true)]
async fn each_api_has_places_of_its_own() {
    let pacer = pacer(1);
    assert_eq!(wait(&pacer, API).await, Ok(0));
    assert_eq!(wait(&pacer, Lane::Api("/chat/get")).await, Ok(0));
    assert_eq!(wait(&pacer, API).await, Ok(1100));
}

#[tokio::test(start_paused = true)]
async fn whoever_would_wait_too_long_is_told_how_long_and_takes_no_place() {
    let pacer = pacer(1);
    let held: Vec<_> = (0..4)
        .map(|_| pacer.reserve(API, "/chat/send", Instant::now()))
        .collect();
    let waits: Vec<u128> = held
        .iter()
        .map(|place| match place {
            Ok(at) => at.duration_since(Instant::now()).as_millis(),
            Err(wait) => wait.as_millis(),
        })
        .collect();
    assert_eq!(waits, [0, 1100, 2200, 3300]);
    assert!(held[3].is_err());
    assert_eq!(wait(&pacer, API).await, Err(3300));
    advance(Duration::from_millis(400)).await;
    assert_eq!(wait(&pacer, API).await, Ok(2900));
}

#[tokio::test(start_paused = true)]
async fn a_webhook_takes_twenty_messages_a_minute_and_others_do_not_notice() {
    let pacer = Pacer::new(Pace::default());
    let (one, other) = (pacer.spot("one"), pacer.spot("other"));
    for _ in 0..20 {
        assert_eq!(
            wait(&pacer, Lane::Webhook("/robot/sendBySession", one)).await,
            Ok(0)
        );
    }
    assert_eq!(
        wait(&pacer, Lane::Webhook("/robot/sendBySession", one)).await,
        Err(60_100)
    );
    assert_eq!(
        wait(&pacer, Lane::Webhook("/robot/sendBySession", other)).await,
        Ok(0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_lifted_pace_holds_nobody_up() {
    let pacer = Pacer::new(Pace::lifted());
    let spot = pacer.spot("one");
    for _ in 0..1000 {
        assert_eq!(wait(&pacer, API).await, Ok(0));
        assert_eq!(
            wait(&pacer, Lane::Webhook("/robot/sendBySession", spot)).await,
            Ok(0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_dingtalk_says_holds_up_what_it_was_said_of() {
    let check = async |code: &str, seconds: u64, waits: [Result<u128, u128>; 3]| {
        let pacer = Pacer::new(Pace::lifted());
        let (here, there) = (pacer.spot("here"), pacer.spot("there"));
        let said = Lane::Conversation("/v1.0/robot/groupMessages/send", here);
        let same_api = Lane::Conversation("/v1.0/robot/groupMessages/send", there);
        pacer.heard(said, Err(&limited(code, seconds)));
        // The last first: waiting moves the clock.
        let other = wait(&pacer, API).await;
        let same_api = wait(&pacer, same_api).await;
        let same = wait(&pacer, said).await;
        assert_eq!([same, same_api, other], waits, "{code}");
    };
    check("90018", 1, [Ok(0), Ok(1000), Ok(0)]).await;
    check("90002", 1, [Ok(0), Ok(1000), Ok(0)]).await;
    check(
        "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
        1,
        [Ok(0), Ok(1000), Ok(0)],
    )
    .await;
    check("send.too.fast", 60, [Err(60_000), Ok(0), Ok(0)]).await;
    check("410100", 600, [Err(600_000), Ok(0), Ok(0)]).await;
    check(
        "client.throttled",
        300,
        [Err(300_000), Err(300_000), Err(300_000)],
    )
    .await;
    // It is the receiver who has had enough, not DingTalk.
    check("143105", 86_400, [Ok(0), Ok(0), Ok(0)]).await;
}

#[tokio::test(start_paused = true)]
async fn complaints_in_a_row_make_the_pauses_grow_and_a_success_ends_that() {
    let pacer = Pacer::new(Pace::lifted());
    let html = ApiError::Unavailable {
        code: "client.html".to_owned(),
        message: String::new(),
    };
    for expected in [Ok(0), Ok(1000), Ok(2000), Err(4000)] {
        pacer.heard(API, Err(&html));
        assert_eq!(wait(&pacer, API).await, expected);
    }
    advance(Duration::from_secs(4)).await;
    pacer.heard(API, Ok(()));
    pacer.heard(API, Err(&html));
    assert_eq!(wait(&pacer, API).await, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_already_hears_of_a_pause_too() {
    let pacer = std::sync::Arc::new(pacer(1));
    assert_eq!(wait(&pacer, API).await, Ok(0));
    let waiting = tokio::spawn({
        let pacer = std::sync::Arc::clone(&pacer);
        async move { wait(&pacer, API).await }
    });
    // So that it has begun to wait.
    tokio::task::yield_now().await;
    advance(Duration::from_millis(100)).await;
    pacer.heard(API, Err(&limited("90018", 2)));
    assert_eq!(waiting.await.unwrap(), Ok(2100));
}

#[tokio::test(start_paused = true)]
async fn quiet_webhooks_are_forgotten() {
    let pacer = Pacer::new(Pace::default());
    for number in 0..=SWEEP_AT {
        let spot = pacer.spot(&number.to_string());
        pacer
            .admit(Lane::Webhook("/robot/sendBySession", spot))
            .await
            .unwrap();
        if number == SWEEP_AT / 2 {
            advance(Duration::from_secs(62)).await;
        }
    }
    assert!(pacer.lock().spots.len() <= SWEEP_AT / 2 + 1);
}
