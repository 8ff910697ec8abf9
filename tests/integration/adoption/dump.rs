//! A backup of an adopted database, and what is made of it.

use std::process::{Command, Stdio};

use serde_json::Value;
use tests::postgres::TestDatabase;
use tests::tools;

use crate::support::assert_summary::assert_summary;
use crate::support::platz_site::{PlatzSite, changes};
use crate::support::stack::Stack;

const ORDERS: &str = "my-org/orders-chart";

/// Copies a database as a backup does: `pg_dump`, and `psql` into an empty one. Returns false if
/// this machine has no such programs, or only ones that are older than the server.
fn dump_and_restore(from: &str, to: &str) -> bool {
    let Ok((dump, psql)) = tools::postgres_clients() else { return false };
    let file = tempfile::NamedTempFile::new().unwrap();
    let dumped = Command::new(dump).arg("--file").arg(file.path()).arg(from).output().unwrap();
    let said = String::from_utf8_lossy(&dumped.stderr);
    if said.contains("server version mismatch") {
        return false;
    }
    assert!(dumped.status.success(), "{said}");
    let options = ["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--dbname", to, "--file"];
    let mut restore = Command::new(psql);
    let restored = restore.args(options).arg(file.path()).stdout(Stdio::null()).output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    true
}

#[tokio::test]
async fn a_restored_backup_is_an_adopted_database() {
    let mut site = PlatzSite::new().await;
    site.repository(ORDERS, "Orders").await;
    let (old, _) = site.discovered(ORDERS, "1.9.0").await;
    site.deploy("orders", &old).await;
    site.adopt().await;
    site.poll().await;

    let restored = TestDatabase::create_empty().await.unwrap();
    if !dump_and_restore(site.platz.database.direct_url(), restored.direct_url()) {
        println!("SKIPPED: there is no pg_dump that fits the server");
        return;
    }
    let (contents, catalog) = (site.platz.contents().await, site.platz.catalog().await);
    site.platz.rows = restored.connect().await.unwrap();
    site.platz.database = restored;
    assert_eq!(site.platz.contents().await, contents);
    assert_eq!(site.platz.catalog().await, catalog);

    // The registry and the rest of the stack are those of before.
    let mut api = site.platz.listen("db_notifications").await;
    site.stack = Stack { database: site.platz.database.clone(), ..site.stack };
    assert_summary!(site.poll().await, added = 0, unavailable = 0);
    assert_eq!(api.heard().await, Vec::<Value>::new());
    site.push(ORDERS, "1.10.0", "new").await;
    site.push("my-org/payments-api", "1.0.0", "new").await;
    assert_summary!(site.poll().await, added = 2);
    assert_eq!(changes(&api.heard().await).len(), 4, "two charts, a registry and a kind");
    assert_eq!(site.upgrades().await, ["orders 1.10.0"]);
    let applied = site.platz.invoke(serde_json::json!({})).await.unwrap();
    assert_summary!(applied, applied = [] as [&str; 0]);
    let back = site.platz.invoke(serde_json::json!({"unadopt": true})).await.unwrap();
    assert_summary!(back, unadopted = true);
}
