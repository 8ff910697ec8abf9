//! Reads and changes the lease that DynamoDB stores for the instance of a test.

use std::collections::HashMap;
use std::time::SystemTime;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;
use tests::dynamodb::CURSOR_TABLE;

use super::stack::Stack;

/// Changes the stored lease.
pub(crate) async fn edit_lease(stack: &Stack, values: &[(&str, AttributeValue)]) {
    let mut update = stack.dynamodb.client().await.update_item().table_name(CURSOR_TABLE);
    for (key, value) in [("pk", "test"), ("sk", "lease")] {
        update = update.key(key, AttributeValue::S(value.to_owned()));
    }
    let assignments: Vec<String> =
        values.iter().map(|(name, _)| format!("#{name} = :{name}")).collect();
    update = update.update_expression(format!("SET {}", assignments.join(", ")));
    for (name, value) in values {
        update = update.expression_attribute_names(format!("#{name}"), *name);
        update = update.expression_attribute_values(format!(":{name}"), value.clone());
    }
    update.send().await.unwrap();
}

/// Returns the stored lease.
pub(crate) async fn lease(stack: &Stack) -> HashMap<String, AttributeValue> {
    let mut get =
        stack.dynamodb.client().await.get_item().table_name(CURSOR_TABLE).consistent_read(true);
    for (key, value) in [("pk", "test"), ("sk", "lease")] {
        get = get.key(key, AttributeValue::S(value.to_owned()));
    }
    get.send().await.unwrap().item.unwrap_or_default()
}

/// Changes the stored state of the cursor.
pub(crate) async fn edit_cursor(stack: &Stack, edit: impl FnOnce(&mut Value)) {
    let state = lease(stack).await["cursor"].as_s().unwrap().clone();
    let mut state: Value = serde_json::from_str(&state).unwrap();
    edit(&mut state);
    edit_lease(stack, &[("cursor", AttributeValue::S(state.to_string()))]).await;
}

/// Forgets that the registry is closed, as if time had passed.
pub(crate) async fn forget_closed(stack: &Stack) {
    let forget = |state: &mut Value| drop(state.as_object_mut().unwrap().remove("closed_until"));
    edit_cursor(stack, forget).await;
}

/// Returns a time as the lease stores it.
pub(crate) fn milliseconds_from_now(seconds: i64) -> AttributeValue {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    AttributeValue::N((i64::try_from(now).unwrap() + seconds * 1000).to_string())
}
