//! What is in the log stays as it is.

use crate::process::{Database, Process, append};

#[tokio::test]
async fn the_database_refuses_to_change_the_past() {
    let database = Database::create().await;
    let process = Process::start(&database).await;
    process.log.append(append("a", 1, 3)).await;
    let before = process.log.read(0, 10).await.expect("the log can be read");
    assert_eq!(before.len(), 3);

    let mut connection = database.connect().await;
    for change in [
        "update events set actor = 'nobody' where position = 2",
        "update events set actor = actor where false",
        "delete from events where position = 3",
        "delete from events",
        "truncate events",
        "truncate events cascade",
    ] {
        let refused = sqlx::query(change).execute(&mut connection).await.expect_err(change);
        let message = refused.to_string();
        assert!(message.contains("append-only"), "{change}: {message}");
    }

    let after = process.log.read(0, 10).await.expect("the log can be read");
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
}
