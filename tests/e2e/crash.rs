//! Killed again and again: nothing that was acknowledged is lost, nothing is done twice.
//!
//! `cargo xtask crash` is the same with a thousand kills.

use belfry_tests::crash::{self, Options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_five_kills_lose_nothing_and_do_nothing_twice() {
    let report = crash::run(Options {
        kills: 25,
        seed: 25,
        progress: false,
    })
    .await;
    assert!(report.is_sound(), "{report}");
    // It would be sound as well if nothing had arrived or nothing had been hit.
    for (way, count) in &report.counts {
        assert!(count.acknowledged >= 5, "{way:?}:\n{report}");
    }
    let hit = report.kills.values().filter(|kills| **kills > 0).count();
    assert!(hit >= 9, "{report}");
}
