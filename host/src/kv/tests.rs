//! What every key-value store keeps to: one suite, run on each implementation.

use std::sync::Arc;

use super::*;
use crate::store::sqlite::Store;

async fn on_each<F: AsyncFn(&dyn Kv)>(story: F) {
    let folder = tempfile::tempdir().unwrap();
    story(&SqliteKv::new(
        Store::open(&folder.path().join("kv.db")).unwrap(),
    ))
    .await;
    story(&MemoryKv::default()).await;
    story(&Overlay::new(Arc::new(MemoryKv::default()))).await;
}

fn set(key: &str, value: &[u8]) -> Write {
    Write {
        key: key.to_owned(),
        value: Some(value.to_vec()),
        expected: None,
        max_total: MAX_TOTAL,
    }
}

#[tokio::test]
async fn values_are_kept_apart_by_plugin() {
    on_each(async |kv| {
        let (a, b) = (PluginName::from("a"), PluginName::from("b"));
        assert!(kv.write(&a, set("k", b"1")).await.unwrap());
        assert_eq!(kv.get(&a, "k").await.unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(kv.get(&b, "k").await.unwrap(), None);
        kv.write(&a, set("k", b"2")).await.unwrap();
        assert_eq!(kv.get(&a, "k").await.unwrap().as_deref(), Some(&b"2"[..]));
        kv.write(
            &a,
            Write {
                key: "k".to_owned(),
                value: None,
                expected: None,
                max_total: MAX_TOTAL,
            },
        )
        .await
        .unwrap();
        assert_eq!(kv.get(&a, "k").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_conditional_write_happens_only_on_the_expected_value() {
    on_each(async |kv| {
        let a = PluginName::from("a");
        let on = |expected: Option<&[u8]>, value: &[u8]| Write {
            expected: Some(expected.map(<[u8]>::to_vec)),
            max_total: MAX_TOTAL,
            ..set("k", value)
        };
        assert!(kv.write(&a, on(None, b"1")).await.unwrap());
        assert!(!kv.write(&a, on(None, b"2")).await.unwrap());
        assert!(!kv.write(&a, on(Some(b"0"), b"2")).await.unwrap());
        assert!(kv.write(&a, on(Some(b"1"), b"2")).await.unwrap());
        assert_eq!(kv.get(&a, "k").await.unwrap().as_deref(), Some(&b"2"[..]));
    })
    .await;
}

#[tokio::test]
async fn keys_are_listed_in_byte_order_page_by_page() {
    on_each(async |kv| {
        let a = PluginName::from("a");
        for key in ["b/2", "b/1", "a", "b/é", "c", "b"] {
            kv.write(&a, set(key, b"")).await.unwrap();
        }
        kv.write(&PluginName::from("z"), set("b/9", b""))
            .await
            .unwrap();
        assert_eq!(
            kv.keys(&a, "b/", None, 10).await.unwrap(),
            ["b/1", "b/2", "b/é"]
        );
        assert_eq!(kv.keys(&a, "b/", Some("b/1"), 1).await.unwrap(), ["b/2"]);
        assert_eq!(kv.keys(&a, "b/", Some("a"), 1).await.unwrap(), ["b/1"]);
        assert_eq!(kv.keys(&a, "", None, 2).await.unwrap(), ["a", "b"]);
        assert!(kv.keys(&a, "x", None, 2).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn limits_hold_exactly() {
    on_each(async |kv| {
        let a = PluginName::from("a");
        let key = "k".repeat(MAX_KEY);
        assert!(kv.write(&a, set(&key, b"")).await.unwrap());
        assert_eq!(
            kv.write(&a, set(&"k".repeat(MAX_KEY + 1), b"")).await,
            Err(KvError::InvalidKey)
        );
        assert_eq!(kv.get(&a, "").await, Err(KvError::InvalidKey));
        assert_eq!(
            kv.write(&a, set("v", &vec![0; MAX_VALUE + 1])).await,
            Err(KvError::ValueTooLarge)
        );
        kv.write(
            &a,
            Write {
                key,
                value: None,
                expected: None,
                max_total: MAX_TOTAL,
            },
        )
        .await
        .unwrap();

        let value = vec![0; MAX_VALUE];
        let fits = MAX_TOTAL / (MAX_VALUE + 2);
        for number in 0..fits {
            assert!(
                kv.write(&a, set(&format!("{number:02}"), &value))
                    .await
                    .unwrap()
            );
        }
        assert_eq!(
            kv.write(&a, set("zz", &value)).await,
            Err(KvError::Full(MAX_TOTAL))
        );
        assert!(
            kv.write(&a, set("00", &value)).await.unwrap(),
            "replacing takes no more space"
        );
        assert!(
            kv.write(&PluginName::from("b"), set("zz", &value))
                .await
                .unwrap()
        );
        kv.write(
            &a,
            Write {
                key: "00".to_owned(),
                value: None,
                expected: None,
                max_total: MAX_TOTAL,
            },
        )
        .await
        .unwrap();
        assert!(
            kv.write(&a, set("zz", &value)).await.unwrap(),
            "what is removed makes room"
        );
    })
    .await;
}

#[tokio::test]
async fn an_overlay_shows_its_own_writes_and_changes_nothing_below() {
    let a = PluginName::from("a");
    let below = Arc::new(MemoryKv::default());
    for key in ["k/1", "k/2", "k/4"] {
        below.write(&a, set(key, b"below")).await.unwrap();
    }
    let overlay = Overlay::new(Arc::clone(&below) as _);
    let gone = Write {
        value: None,
        ..set("k/2", b"")
    };
    overlay.write(&a, gone).await.unwrap();
    overlay.write(&a, set("k/3", b"above")).await.unwrap();
    overlay.write(&a, set("k/4", b"above")).await.unwrap();
    let mut shown = Vec::new();
    for key in overlay.keys(&a, "k/", None, 10).await.unwrap() {
        let value = overlay.get(&a, &key).await.unwrap().unwrap();
        shown.push((key, String::from_utf8(value).unwrap()));
    }
    let expected = [("k/1", "below"), ("k/3", "above"), ("k/4", "above")];
    assert_eq!(
        shown,
        expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
    );
    assert_eq!(
        overlay.keys(&a, "k/", Some("k/1"), 1).await.unwrap(),
        ["k/3"]
    );
    assert_eq!(overlay.get(&a, "k/2").await.unwrap(), None);
    // What is below counts against the space.
    let most = Write {
        max_total: 8 + 8 + 8 + 3,
        ..set("k/5", b"")
    };
    assert_eq!(overlay.write(&a, most.clone()).await, Ok(true));
    let more = Write {
        max_total: most.max_total,
        ..set("k/6", b"")
    };
    assert_eq!(overlay.write(&a, more).await, Err(KvError::Full(27)));
    assert_eq!(
        below.keys(&a, "", None, 10).await.unwrap(),
        ["k/1", "k/2", "k/4"]
    );
    assert_eq!(
        below.get(&a, "k/4").await.unwrap().as_deref(),
        Some(&b"below"[..])
    );
}
