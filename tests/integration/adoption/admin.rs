//! The admin API on a database of Platz's.

use tests::admin::Admin;

use crate::support::admin_site::{client, read};
use crate::support::platz::PlatzDatabase;

#[tokio::test]
async fn tag_format_that_charts_refer_to_is_not_deleted() {
    let platz = PlatzDatabase::new().await;
    platz.adopt().await;
    let contents = platz.contents().await;
    let admin = Admin::start(&[("DATABASE_URL", platz.database.url())]).await.unwrap();
    let format = "f0000000-0000-4000-8000-000000000001";
    let address = format!("{}/api/v2/helm-tag-formats/{format}", admin.url());
    let (status, problem) = read(client().delete(address).send().await.unwrap()).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem.to_string().contains("3 charts were parsed with this tag format"), "{problem}");
    assert_eq!(platz.contents().await, contents);
}
