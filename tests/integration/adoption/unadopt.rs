//! `{"unadopt":true}`: the database is as it was.

use serde_json::json;

use crate::support::platz::PlatzDatabase;

#[tokio::test]
async fn a_database_given_back_is_as_it_was() {
    let platz = PlatzDatabase::new().await;
    let (contents, catalog) = (platz.contents().await, platz.catalog().await);
    platz.adopt().await;
    assert_eq!(platz.invoke(json!({"unadopt": true})).await.unwrap(), json!({"unadopted": true}));
    assert_eq!(platz.catalog().await, catalog);
    assert_eq!(platz.contents().await, contents);
    assert_eq!(platz.invoke(json!({"unadopt": true})).await.unwrap(), json!({"unadopted": false}));
    assert_eq!(platz.adopt().await["adopted"]["charts"], 12, "and adopted once more");
}

#[tokio::test]
async fn an_interrupted_adoption_is_given_back() {
    let platz = PlatzDatabase::new().await;
    let catalog = platz.catalog().await;
    platz.interrupt_an_adoption().await;
    assert_eq!(platz.invoke(json!({"unadopt": true})).await.unwrap(), json!({"unadopted": true}));
    assert_eq!(platz.catalog().await, catalog);
}

#[tokio::test]
async fn a_database_of_our_own_is_not_given_back() {
    let database = tests::postgres::TestDatabase::create().await.unwrap();
    let settings = [("DATABASE_URL", database.url())];
    let function = tests::function::Function::start("migrate", &settings).await.unwrap();
    let error = function.invoke(&json!({"unadopt": true})).await.unwrap_err().to_string();
    assert!(error.contains("nothing was changed"), "{error}");
}

#[tokio::test]
async fn a_lock_that_is_held_for_a_minute_is_named_and_nothing_is_changed() {
    let platz = PlatzDatabase::new().await;
    platz.adopt().await;
    let catalog = platz.catalog().await;
    let backup = platz.database.connect().await.unwrap();
    backup
        .batch_execute(
            "SET application_name = 'pg_dump'; BEGIN; LOCK TABLE helm_charts IN ACCESS SHARE MODE",
        )
        .await
        .unwrap();
    let function = platz.migrate().await;
    let timeout = std::time::Duration::from_mins(3);
    let outcome = function.invoke_within(&json!({"unadopt": true}), timeout).await;
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("pg_dump") && error.contains("60 s"), "{error}");
    assert_eq!(platz.catalog().await, catalog);
}
