//! Tests parts of the local stack that no other test checks.

use aws_sdk_dynamodb::types::AttributeValue;
use tests::dynamodb::{CURSOR_TABLE, DynamoDb};
use tests::registry::Registry;

#[tokio::test]
async fn cursor_table_refuses_a_failed_condition() {
    let emulator = DynamoDb::start().await.unwrap();
    let client = emulator.client().await;
    let write = || {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let item = client
            .put_item()
            .table_name(CURSOR_TABLE)
            .item("pk", text("test"))
            .item("sk", text("lease"));
        item.condition_expression("attribute_not_exists(pk)").send()
    };
    write().await.unwrap();
    let refused = write().await.unwrap_err().into_service_error();
    assert!(refused.is_conditional_check_failed_exception(), "{refused:?}");
}

#[tokio::test]
async fn dropped_server_refuses_connections() {
    let registry = Registry::start().await.unwrap();
    let host = registry.host().to_owned();
    drop(registry);
    assert!(tokio::net::TcpStream::connect(host).await.is_err());
}
