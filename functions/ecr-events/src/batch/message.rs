//! Reads the records of a batch: the messages of SQS, and those that SNS sends without a queue.

use serde_json::Value;

/// Holds one event, and its message's identifier if there is one.
pub(super) struct IncomingEvent<'a> {
    pub(super) message_id: Option<&'a str>,
    pub(super) body: &'a str,
    /// Says whether SQS delivers the message for the first time.
    pub(super) is_first_receive: bool,
}

impl<'a> IncomingEvent<'a> {
    /// Reads one record. It reads each field on its own, so that a field of another form does not
    /// hide the body. A record without a body fails alone, because no event is empty.
    pub(super) fn from_record(record: &'a Value) -> Self {
        let text = |pointer| record.pointer(pointer).and_then(Value::as_str);
        Self {
            // If the answer contained an empty identifier, SQS would retry the whole batch without
            // a reason.
            message_id: text("/messageId").filter(|id| !id.is_empty()),
            body: text("/body").or_else(|| text("/Sns/Message")).unwrap_or_default(),
            is_first_receive: text("/attributes/ApproximateReceiveCount") == Some("1"),
        }
    }

    /// Makes an event that came without a message.
    pub(super) fn alone(body: &'a str) -> Self {
        Self { message_id: None, body, is_first_receive: false }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn body_is_read_whatever_the_attributes_are() {
        let null_lists = json!({"trace": {
            "stringValue": "a", "binaryValue": null, "stringListValues": null,
            "binaryListValues": null, "dataType": "String",
        }});
        for (attributes, message_attributes) in [
            (json!({"ApproximateReceiveCount": "1"}), null_lists),
            (json!({"ApproximateReceiveCount": "1"}), json!(null)),
            (json!({"ApproximateReceiveCount": "1", "SentTimestamp": 5}), json!([1])),
        ] {
            let record = json!({
                "messageId": "m", "body": "x", "attributes": attributes,
                "messageAttributes": message_attributes,
            });
            let event = IncomingEvent::from_record(&record);
            let read = (event.message_id, event.body, event.is_first_receive);
            assert_eq!(read, (Some("m"), "x", true), "{record}");
        }
        let odd = json!({"messageId": "", "body": "x", "attributes": "none"});
        let event = IncomingEvent::from_record(&odd);
        assert_eq!((event.message_id, event.body, event.is_first_receive), (None, "x", false));
    }

    #[test]
    fn record_of_sns_has_its_message_as_body() {
        let record = json!({"EventSource": "aws:sns", "Sns": {"Type": "Notification",
            "Message": "x"}});
        let event = IncomingEvent::from_record(&record);
        assert_eq!((event.message_id, event.body), (None, "x"));
    }
}
