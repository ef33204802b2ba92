use std::time::{Duration, Instant};

use futures_util::future::join_all;
use promostack::rate::{self, Limits, Slot};

use crate::support::Database;

/// Slots under two limits, taken by many at once, are as far apart as the limits say.
#[tokio::test(flavor = "multi_thread")]
async fn slots_keep_their_distance() {
    let database = Database::fresh().await;
    let pool = database.pool();
    promostack::app::MIGRATIONS.run(&pool).await.unwrap();
    // However slow the machine is: a second of it is no part of an hour that counts.
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
    let limits = Limits { in_all: 20.0, per_chat: 1.0 };
    let began = Instant::now();
    let taken = join_all((0..20).map(|chat| rate::take(&pool, &limits, chat))).await;
    let took = began.elapsed();
    let waits = taken.into_iter().map(|slot| match slot.unwrap() {
        Slot::After(wait) => wait,
        Slot::Later(_) => panic!("twenty a second fit into one"),
    });
    let longest = waits.max().unwrap();
    // The last slot is 19 spacings after the first, give or take a rounded microsecond each.
    let spacings = Duration::from_millis(19 * 50);
    let rounding = Duration::from_millis(1);
    assert!(took + longest + rounding >= spacings, "{took:?} {longest:?}");
    assert!(longest <= spacings + rounding, "{longest:?}");

    // The chat's own limit is the stricter one, and a long wait takes no slot.
    let hourly = Limits { per_chat: 1.0 / hour.as_secs_f64(), ..limits };
    let first = rate::take(&pool, &hourly, 100).await.unwrap();
    assert!(matches!(first, Slot::After(_)), "{first:?}");
    let mut least = hour + 2 * second;
    for _ in 0..3 {
        let again = rate::take(&pool, &hourly, 100).await.unwrap();
        let Slot::Later(wait) = again else { panic!("{again:?}") };
        assert!(wait > hour / 2 && wait <= least, "{wait:?} {least:?}");
        least = wait;
    }
    let other = rate::take(&pool, &limits, 101).await.unwrap();
    assert!(matches!(other, Slot::After(_)), "{other:?}");

    rate::pause(&pool, hour).await.unwrap();
    let paused = rate::take(&pool, &limits, 99).await.unwrap();
    assert!(matches!(paused, Slot::Later(wait) if wait > hour / 2), "{paused:?}");
}
