//! An instance whose registry gets another address, or whose rows get another name.

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::oci_poll::{available, charts, poll};
use crate::support::stack::{Stack, instance};

fn with(mut instance: Value, field: &str, value: &str) -> Value {
    instance["oci"][field] = json!(value);
    instance
}

/// Lists the registries as `id domain_name`. The name is as a database of our own has it.
async fn registries(stack: &Stack) -> Vec<String> {
    let sql = "SELECT id || ' ' || domain_name FROM helm_registries ORDER BY id";
    let rows = stack.rows.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Returns the name that the layout stores for a registry.
async fn stored(stack: &Stack, name: &str) -> String {
    stack.rows.query_one("SELECT stored_domain_name($1)", &[&name]).await.unwrap().get(0)
}

async fn health(stack: &Stack) -> String {
    let sql = "SELECT coalesce(last_error, '') FROM discovery_instances WHERE name = 'test'";
    stack.rows.query_one(sql, &[]).await.unwrap().get(0)
}

/// Fault 47.
#[tokio::test]
async fn rows_get_the_scheme_that_the_settings_have_and_keep_their_ids() {
    let stack = Stack::new().await;
    let (fake, _) = charts(2).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let before = registries(&stack).await;
    let id = before[0].split_once(' ').unwrap().0;
    // Scheme and port of the fake cannot change, so that the name does.
    let secure = fake.url().replace("http://", "https://");
    let host = fake.url().replace("http://", "");
    for name in [&secure, &host, &fake.url()] {
        let renamed = with(instance(&fake.url()), "domain", name);
        assert_summary!(function.invoke(&renamed).await.unwrap(), added = 0, complete = true);
        let expected = format!("{id} {}", stored(&stack, name).await);
        assert_eq!(registries(&stack).await, [expected]);
        assert_eq!((available(&stack).await, health(&stack).await), (2, String::new()));
    }
}

/// Fault 47.
#[tokio::test]
async fn rows_keep_their_name_while_another_live_instance_gives_it() {
    let stack = Stack::new().await;
    let (fake, _) = charts(1).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let before = registries(&stack).await;
    let secure = fake.url().replace("http://", "https://");
    let mut other = with(instance(&fake.url()), "domain", &secure);
    other["name"] = json!("other");
    function.invoke(&other).await.unwrap();
    assert_eq!(registries(&stack).await, before);
    let gone = "UPDATE discovery_instances
        SET last_started_at = now() - interval '25 hours', last_invoked_at = last_started_at";
    stack.rows.execute(gone, &[]).await.unwrap();
    let gone = "UPDATE discovery_instances SET last_invoked_at = now() - interval '25 hours'";
    stack.rows.execute(gone, &[]).await.unwrap();
    function.invoke(&other).await.unwrap();
    let expected = stored(&stack, &secure).await;
    assert!(registries(&stack).await[0].ends_with(&format!(" {expected}")));
}

/// Fault 47.
#[tokio::test]
async fn rows_under_a_former_name_are_named_with_the_payload_that_ends_them() {
    let stack = Stack::new().await;
    let (fake, _) = charts(2).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    for (domain, left) in [("https://one.example", 4), ("https://two.example", 4)] {
        let renamed = with(instance(&fake.url()), "domain", domain);
        assert_summary!(function.invoke(&renamed).await.unwrap(), added = 2, complete = true);
        for _ in 0..2 {
            assert_summary!(function.invoke(&renamed).await.unwrap(), added = 0, complete = true);
            let said = health(&stack).await;
            assert!(said.starts_with("2 charts of ") && !said.contains(domain), "{said}");
        }
        assert_eq!(available(&stack).await, left);
        // The remedy helps.
        let said = health(&stack).await;
        let (_, payload) = said.rsplit_once("invoke oci-poll with ").unwrap();
        let payload: Value = serde_json::from_str(payload).unwrap();
        assert_summary!(function.invoke(&payload).await.unwrap(), unavailable = 2);
        function.invoke(&renamed).await.unwrap();
        assert_eq!((available(&stack).await, health(&stack).await), (2, String::new()));
    }
}
