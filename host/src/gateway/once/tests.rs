use std::collections::BTreeSet;

use dingtalk::ApiError;

use super::*;
use crate::kv::MemoryKv;

fn caller(name: &str) -> Key {
    Key {
        name: name.to_owned(),
        digest: [0; 32],
        scopes: BTreeSet::new(),
        rate: 1,
    }
}

fn once(kv: &Arc<MemoryKv>) -> Once {
    Once::new(Arc::clone(kv) as _, TaskTracker::new())
}

async fn begin(once: &Once, name: &str, key: &str, body: &str) -> Result<Begun, Refused> {
    once.begin(&caller(name), key, body.to_owned(), Access::Write)
        .await
}

async fn ticket(once: &Once, key: &str) -> Ticket {
    match begin(once, "crm", key, "body").await {
        Ok(Begun::New(ticket)) => ticket,
        Ok(Begun::Known(answer)) => panic!("{answer:?}"),
        Err(refused) => panic!("{refused}"),
    }
}

async fn known(once: &Once, key: &str) -> Answer {
    match begin(once, "crm", key, "body").await {
        Ok(Begun::Known(answer)) => answer,
        Ok(Begun::New(_)) => panic!("{key} is new"),
        Err(refused) => panic!("{refused}"),
    }
}

#[tokio::test]
async fn the_same_key_and_body_get_the_recorded_answer() {
    let kv = Arc::default();
    let once = once(&kv);
    let first = ticket(&once, "k").await;
    let answer = Answer::of(Ok(json!({"messageId": "m1"})));
    once.finish(first, &answer).await;
    let again = known(&once, "k").await;
    assert_eq!((again.status, &again.body), (answer.status, &answer.body));
    assert!(again.is_replay);
    // Another body, and another caller.
    let other = begin(&once, "crm", "k", "other").await;
    assert!(matches!(other, Err(Refused::OtherBody)));
    assert!(matches!(
        begin(&once, "erp", "k", "other").await,
        Ok(Begun::New(_))
    ));
}

#[tokio::test]
async fn a_call_under_way_is_not_made_a_second_time() {
    let kv = Arc::default();
    let once = once(&kv);
    let first = ticket(&once, "k").await;
    assert!(matches!(
        begin(&once, "crm", "k", "body").await,
        Err(Refused::UnderWay)
    ));
    once.finish(first, &Answer::of(Ok(json!(1)))).await;
    assert!(known(&once, "k").await.is_replay);
}

#[tokio::test]
async fn a_call_that_a_crash_cut_off_is_in_doubt_and_not_made_again() {
    let kv = Arc::default();
    let before = once(&kv);
    drop(ticket(&before, "k").await);
    // The next process knows only what is in the store.
    let after = once(&kv);
    let answer = known(&after, "k").await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(answer.body["errcode"], "gateway.outcome-unknown");
    // A read may be made again.
    let read = after
        .begin(&caller("crm"), "k", "body".to_owned(), Access::Read)
        .await;
    assert!(matches!(read, Ok(Begun::New(_))));
}

#[tokio::test]
async fn what_was_certainly_not_done_may_be_asked_again() {
    let kv = Arc::default();
    let once = once(&kv);
    let (code, message) = ("c".to_owned(), "m".to_owned());
    let unavailable = ApiError::Unavailable {
        code: code.clone(),
        message: message.clone(),
    };
    let first = ticket(&once, "k").await;
    once.finish(first, &Answer::of(Err(unavailable))).await;
    let second = ticket(&once, "k").await;
    // A refusal of the arguments stays one; a lost answer stays in doubt.
    let invalid = ApiError::Invalid {
        code: code.clone(),
        message: message.clone(),
    };
    once.finish(second, &Answer::of(Err(invalid))).await;
    assert_eq!(known(&once, "k").await.status, StatusCode::CONFLICT);
    let third = ticket(&once, "l").await;
    let lost = ApiError::OutcomeUnknown { code, message };
    once.finish(third, &Answer::of(Err(lost))).await;
    assert_eq!(known(&once, "l").await.status, StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn old_answers_are_removed_and_younger_ones_stay() {
    let kv: Arc<MemoryKv> = Arc::default();
    let once = once(&kv);
    for key in ["a", "b"] {
        let ticket = ticket(&once, key).await;
        once.finish(ticket, &Answer::of(Ok(json!(1)))).await;
    }
    let keys = async || kv.keys(&SPACE.into(), "", None, 100).await.unwrap().len();
    once.remove_before(clock::earlier(clock::now(), KEEP))
        .await
        .unwrap();
    assert_eq!(keys().await, 4);
    once.remove_before(clock::later(clock::now(), KEEP))
        .await
        .unwrap();
    assert_eq!(keys().await, 0);
}

#[test]
fn bodies_are_the_same_whatever_the_order_of_their_members() {
    let api = dingtalk::catalog::find("chat.send").unwrap();
    let call = api.styled(dingtalk::ApiStyle::Legacy).unwrap();
    let of = |text: &str| digest(api, call, &serde_json::from_str(text).unwrap());
    assert_eq!(
        of(r#"{"a":1,"b":{"c":[1,{"d":2,"e":3}]}}"#),
        of(r#"{"b":{"c":[1,{"e":3,"d":2}]},"a":1}"#)
    );
    assert_ne!(of(r#"{"a":1}"#), of(r#"{"a":"1"}"#));
    assert_ne!(of(r#"{"a":[1,2]}"#), of(r#"{"a":[2,1]}"#));
}

#[test]
fn keys_have_visible_characters() {
    let of = |value: &[u8]| {
        let mut headers = HeaderMap::new();
        headers.insert(
            "idempotency-key",
            http::HeaderValue::from_bytes(value).unwrap(),
        );
        key(&headers).map_err(|_| ())
    };
    assert_eq!(of(b"9f1c-7"), Ok(Some("9f1c-7".to_owned())));
    assert_eq!(of("k".repeat(255).as_bytes()), Ok(Some("k".repeat(255))));
    for wrong in [&b""[..], b"a b", b"\xe4", "k".repeat(256).as_bytes()] {
        assert_eq!(of(wrong), Err(()), "{wrong:?}");
    }
    assert_eq!(key(&HeaderMap::new()).ok(), Some(None));
}
