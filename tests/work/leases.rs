use std::time::Duration;

use futures_util::future::join_all;
use promostack::lease;
use uuid::Uuid;

use crate::support::Database;

/// Of any number of processes, one gets the lease; a dead one's runs out; what
/// was done is not due again before its rest.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_gets_the_lease() {
    let database = Database::fresh().await;
    let pool = database.pool();
    promostack::app::MIGRATIONS.run(&pool).await.unwrap();
    lease::register(&pool, "timer").await.unwrap();
    let holders: Vec<_> = (1..=16).map(Uuid::from_u128).collect();
    let take = async || {
        let taken = join_all(holders.iter().map(|holder| lease::take(&pool, "timer", *holder))).await;
        let taken = taken.into_iter().map(Result::unwrap);
        holders.iter().copied().zip(taken).filter(|(_, taken)| *taken).map(|(holder, _)| holder).collect::<Vec<_>>()
    };
    let first = take().await;
    assert_eq!(first.len(), 1);
    assert_eq!(take().await, first, "only its holder has it, who extends it");

    sqlx::query("update timers set locked_until = now() - interval '1 second'").execute(&pool).await.unwrap();
    let second = take().await;
    assert_eq!(second.len(), 1, "a lease that ran out goes to one of the others");

    if second != first {
        lease::give_back(&pool, "timer", first[0], Duration::ZERO, None).await.unwrap();
        assert_eq!(take().await, second, "who lost the lease cannot give it back");
    }
    lease::give_back(&pool, "timer", second[0], Duration::from_secs(60), Some("what went wrong")).await.unwrap();
    assert!(take().await.is_empty(), "it rests");
    let error: String = sqlx::query_scalar("select last_error from timers").fetch_one(&pool).await.unwrap();
    assert_eq!(error, "what went wrong");
    sqlx::query("update timers set next_at = now()").execute(&pool).await.unwrap();
    assert_eq!(take().await.len(), 1, "and is due again");
}
