//! Reads the records of a batch: the messages of SQS, and those that SNS sends without a queue.

use serde_json::Value;
use shared::announced::Announced;
use shared::db::Arrival;
use time::{Duration, OffsetDateTime};

/// From this delivery on a message is late. SQS gives it up after the fifth one.
const LATE_RECEIVE: u32 = 4;

/// From this age on a message is late. SQS gives it up after about half an hour.
const LATE_AGE: Duration = Duration::minutes(25);

/// Holds one event, and its message's identifier if there is one.
pub(super) struct IncomingEvent<'a> {
    pub(super) message_id: Option<&'a str>,
    pub(super) body: &'a str,
    /// Counts the deliveries of the message. `None` if it has no count.
    receives: Option<u32>,
    sent_at: Option<OffsetDateTime>,
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
            receives: text("/attributes/ApproximateReceiveCount")
                .and_then(|count| count.parse().ok()),
            sent_at: text("/attributes/SentTimestamp")
                .and_then(|milliseconds| milliseconds.parse::<i64>().ok())
                .and_then(|sent| OffsetDateTime::from_unix_timestamp(sent / 1000).ok()),
        }
    }

    /// Makes an event that came without a message.
    pub(super) fn alone(body: &'a str) -> Self {
        Self { message_id: None, body, receives: None, sent_at: None }
    }

    /// Returns when the event was announced. `sent_at` is the time in the event itself.
    pub(super) fn announced(
        &self,
        sent_at: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Announced {
        Announced { received_at: self.sent_at.unwrap_or(now), sent_at }
    }

    /// Returns whether SQS delivers the message for the first time.
    pub(super) fn is_first_receive(&self) -> bool {
        self.receives == Some(1)
    }

    /// Returns whether the message is so late that SQS may have given up others.
    pub(super) fn arrival(&self, now: OffsetDateTime) -> Arrival {
        let is_old = self.sent_at.is_some_and(|sent_at| now - sent_at > LATE_AGE);
        if is_old || self.receives.is_some_and(|receives| receives >= LATE_RECEIVE) {
            Arrival::Late
        } else {
            Arrival::InTime
        }
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
            let read = (event.message_id, event.body, event.is_first_receive());
            assert_eq!(read, (Some("m"), "x", true), "{record}");
        }
        let odd = json!({"messageId": "", "body": "x", "attributes": "none"});
        let event = IncomingEvent::from_record(&odd);
        assert_eq!((event.message_id, event.body, event.is_first_receive()), (None, "x", false));
    }

    #[test]
    fn message_is_late_after_many_deliveries_or_half_an_hour() {
        let now = OffsetDateTime::now_utc();
        let sent = |minutes: i64| (now.unix_timestamp() - minutes * 60) * 1000;
        for (count, sent, arrival) in [
            ("1", sent(0), Arrival::InTime),
            ("3", sent(20), Arrival::InTime),
            ("4", sent(20), Arrival::Late),
            ("1", sent(26), Arrival::Late),
            ("1", sent(-60), Arrival::InTime),
            ("x", i64::MAX, Arrival::InTime),
        ] {
            let attributes =
                json!({"ApproximateReceiveCount": count, "SentTimestamp": sent.to_string()});
            let record = json!({"body": "x", "attributes": attributes});
            assert_eq!(IncomingEvent::from_record(&record).arrival(now), arrival, "{record}");
        }
        assert_eq!(IncomingEvent::alone("x").arrival(now), Arrival::InTime);
    }

    #[test]
    fn record_of_sns_has_its_message_as_body() {
        let record = json!({"EventSource": "aws:sns", "Sns": {"Type": "Notification",
            "Message": "x"}});
        let event = IncomingEvent::from_record(&record);
        assert_eq!((event.message_id, event.body), (None, "x"));
    }
}
