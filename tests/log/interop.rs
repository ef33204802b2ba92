//! Anything that speaks cqrs-es can read the log.

use aggregates::Campaign;
use cqrs_es::{
    EventStore,
    persist::{PersistedEventRepository, PersistedEventStore},
};
use postgres_es::PostgresEventRepository;

use crate::{
    executor::{draft, redeem, wish},
    process::{Database, Process},
};

#[tokio::test]
async fn stock_postgres_es_reads_the_same_events() {
    let database = Database::create().await;
    let process = Process::start(&database).await;
    let executor = process.executor::<Campaign>();
    executor.send("gold", wish(draft(Some(5)))).await.expect("it is new");
    executor
        .send("gold", wish(aggregates::campaign::Command::Activate { at: chrono::DateTime::UNIX_EPOCH }))
        .await
        .expect("it is a draft");
    for n in 0..3 {
        executor.send("gold", wish(redeem(n))).await.expect("it is active");
        executor.send(&format!("other-{n}"), wish(draft(None))).await.expect("it is new");
    }

    let stock = PostgresEventRepository::new(process.pool.clone());
    let theirs = stock.get_events::<Campaign>("gold").await.expect("stock postgres-es reads it");
    assert_eq!(theirs.len(), 5);
    let all = process.log.read(0, 100).await.expect("the log can be read");
    let ours: Vec<_> = all.into_iter().filter(|event| event.aggregate_id == "gold").collect();
    assert_eq!(ours.len(), 5);
    for (theirs, ours) in theirs.iter().zip(&ours) {
        assert_eq!(theirs.sequence as i64, ours.sequence);
        assert_eq!(
            (&theirs.aggregate_type, &theirs.aggregate_id, &theirs.event_type, &theirs.event_version),
            (&ours.aggregate_type, &ours.aggregate_id, &ours.event_type, &ours.event_version)
        );
        assert_eq!(theirs.payload, serde_json::from_str::<serde_json::Value>(&ours.payload).expect("JSON"));
    }

    let store = PersistedEventStore::<_, Campaign>::new_event_store(stock);
    let context = store.load_aggregate("gold").await.expect("stock cqrs-es folds it");
    assert_eq!(context.current_sequence, 5);
    let state = executor.look("gold", |campaign, _, _| campaign.clone()).await.expect("can be read");
    assert_eq!(context.aggregate, state);
}
