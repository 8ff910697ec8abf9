//! Takes an event out of the envelopes that other services put around it.

use anyhow::{Context as _, bail};
use serde_json::Value;

/// Limits the envelopes around one event.
const ENVELOPES_MAX: usize = 4;

/// Returns what is in a body's envelopes: a notification of SNS, and the record that Lambda sends
/// to the destination of a failed invocation.
///
/// # Errors
/// Fails if the body or the message in an envelope is not JSON, or if SNS sent no notification.
pub(super) fn open(body: &str) -> anyhow::Result<Value> {
    let mut value: Value =
        serde_json::from_str(body).context("the message is not an EventBridge event")?;
    for _ in 0..ENVELOPES_MAX {
        match open_one(&mut value)? {
            Some(inner) => value = inner,
            None => break,
        }
    }
    Ok(value)
}

fn open_one(value: &mut Value) -> anyhow::Result<Option<Value>> {
    if value.get("detail-type").is_some() {
        return Ok(None);
    }
    if value.get("TopicArn").is_some() {
        let kind = value.get("Type").and_then(Value::as_str).unwrap_or_default();
        if kind != "Notification" {
            bail!(
                "SNS sent a {kind:?} and no event: confirm the queue's subscription to the topic"
            );
        }
        let message = value.get("Message").and_then(Value::as_str).unwrap_or_default();
        let inner = serde_json::from_str(message);
        return inner.context("the message of SNS is not an EventBridge event").map(Some);
    }
    let is_destination = value.get("requestContext").is_some();
    Ok(value.get_mut("requestPayload").filter(|_| is_destination).map(Value::take))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sns(message: &Value) -> Value {
        json!({"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:123456789012:ecr",
            "Message": message.to_string()})
    }

    #[test]
    fn event_is_taken_out_of_its_envelopes() {
        // A field of an event may look like an envelope.
        let event = json!({"detail-type": "ECR Image Action", "TopicArn": "x", "Message": "y"});
        let failed = |payload: &Value| {
            json!({"version": "1.0", "requestContext": {"condition": "RetriesExhausted"},
                "requestPayload": payload, "responsePayload": {}})
        };
        for body in [event.clone(), sns(&event), sns(&sns(&event)), failed(&event)] {
            assert_eq!(open(&body.to_string()).unwrap(), event, "{body}");
        }
        assert_eq!(open(&sns(&failed(&event)).to_string()).unwrap(), event);
    }

    #[test]
    fn envelope_without_an_event_says_why() {
        let topic = "arn:aws:sns:us-east-1:123456789012:ecr";
        for (body, named) in [
            (json!({"Type": "SubscriptionConfirmation", "TopicArn": topic}), "confirm the queue's"),
            (json!({"Type": "Notification", "TopicArn": topic, "Message": "hi"}), "of SNS is not"),
            (json!({"Type": "Notification", "TopicArn": topic}), "of SNS is not"),
        ] {
            let error = open(&body.to_string()).unwrap_err().to_string();
            assert!(error.contains(named), "{error:?} does not name {named}");
        }
    }
}
