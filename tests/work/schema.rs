use crate::support::Database;

/// All instants are UTC and nothing is counted in floats: by the types of the columns.
#[tokio::test(flavor = "multi_thread")]
async fn no_column_is_a_local_time_or_a_float() {
    let database = Database::fresh().await;
    let pool = database.pool();
    promostack::app::MIGRATIONS.run(&pool).await.unwrap();
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select table_schema || '.' || table_name || '.' || column_name, data_type from information_schema.columns
          where table_schema in ('public', 'read_models', 'sandbox') and table_name <> '_sqlx_migrations'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert!(columns.len() > 60, "there is something to look at");
    let refused = ["timestamp without time zone", "time without time zone", "real", "double precision", "money"];
    let wrong: Vec<_> = columns.iter().filter(|(_, kind)| refused.contains(&kind.as_str())).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
