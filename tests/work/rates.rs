use std::time::Duration;

use futures_util::future::join_all;
use promostack::rate::{self, Limits, Slot};

use crate::support::Database;

/// Slots under two limits, taken by many at once, are as far apart as the limits say.
#[tokio::test(flavor = "multi_thread")]
async fn slots_keep_their_distance() {
    let database = Database::fresh().await;
    let pool = database.pool();
    promostack::app::MIGRATIONS.run(&pool).await.unwrap();
    let limits = Limits { in_all: 20.0, per_chat: 1.0 };
    let taken = join_all((0..20).map(|chat| rate::take(&pool, &limits, chat))).await;
    let mut waits: Vec<Duration> = taken
        .into_iter()
        .map(|slot| match slot.unwrap() {
            Slot::After(wait) => wait,
            Slot::Later(_) => panic!("twenty a second fit into one"),
        })
        .collect();
    waits.sort();
    // They were taken over some milliseconds, so the last one is early by that much at the most.
    let spread = *waits.last().unwrap() - waits[0];
    assert!(spread > Duration::from_millis(500) && spread <= Duration::from_millis(950), "{spread:?}");

    // The chat's own limit is the stricter one, and a long wait takes no slot.
    let again = rate::take(&pool, &limits, 0).await.unwrap();
    assert!(matches!(again, Slot::After(wait) if wait > Duration::from_millis(500)), "{again:?}");
    let third = rate::take(&pool, &limits, 0).await.unwrap();
    let fourth = rate::take(&pool, &limits, 0).await.unwrap();
    assert!(
        matches!((third, fourth), (Slot::Later(a), Slot::Later(b)) if a.abs_diff(b) < Duration::from_millis(300))
            || matches!((third, fourth), (Slot::After(_), Slot::Later(_))),
        "{third:?} {fourth:?}"
    );

    rate::pause(&pool, Duration::from_secs(30)).await.unwrap();
    let paused = rate::take(&pool, &limits, 99).await.unwrap();
    assert!(matches!(paused, Slot::Later(wait) if wait > Duration::from_secs(28)), "{paused:?}");
}
