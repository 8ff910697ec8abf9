//! The messages to `oci-poll`.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::mention::{Mention, Mentioned, is_possible};

/// The most repositories of one body. A body with more asks for a look at the whole instance,
/// because so many messages cannot be sent within a second.
const REPOSITORIES_MAX: usize = 100;

/// The longest repository key, in bytes.
const KEY_MAX: usize = 255;

/// The message of a hint.
#[derive(Debug, Serialize)]
pub(crate) struct HintMessage {
    hint: WebhookHint,
}

impl HintMessage {
    /// Returns the instance.
    pub(crate) fn instance(&self) -> &str {
        &self.hint.instance
    }
}

/// Names what to look at. Without a repository it is the whole instance.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WebhookHint {
    instance: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    received_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<String>,
}

/// Returns one message per repository. Names that no registry can have are left out.
///
/// A tag or digest is there only if it is the only one of its repository.
pub(crate) fn messages(
    instance: &str,
    mentions: &[Mention],
    received_at: OffsetDateTime,
) -> Vec<HintMessage> {
    let mut mentioned: BTreeMap<(&str, Option<&str>), Mentioned> = BTreeMap::new();
    for mention in mentions.iter().filter(|mention| is_possible(&mention.repository)) {
        let key = mention.key.as_deref().filter(|key| key.len() <= KEY_MAX);
        mentioned.entry((mention.repository.as_str(), key)).or_default().add(mention);
    }
    if mentioned.len() > REPOSITORIES_MAX {
        return vec![pass(instance, received_at)];
    }
    let message = |((repository, key), said): ((&str, Option<&str>), Mentioned)| HintMessage {
        hint: WebhookHint {
            instance: instance.to_owned(),
            repository: Some(repository.to_owned()),
            key: key.map(str::to_owned),
            tag: only(said.tags),
            digest: only(said.digests),
            received_at: shown(received_at),
            sent_at: said.sent_at.and_then(|time| time.format(&Rfc3339).ok()),
        },
    };
    mentioned.into_iter().map(message).collect()
}

/// Returns the message that asks for a look at the whole instance.
pub(crate) fn pass(instance: &str, received_at: OffsetDateTime) -> HintMessage {
    HintMessage {
        hint: WebhookHint {
            instance: instance.to_owned(),
            repository: None,
            key: None,
            tag: None,
            digest: None,
            received_at: shown(received_at),
            sent_at: None,
        },
    }
}

fn only(texts: impl IntoIterator<Item = String>) -> Option<String> {
    let mut texts = texts.into_iter();
    texts.next().filter(|_| texts.next().is_none())
}

/// Formats the time of this machine's clock, which RFC 3339 can always write.
fn shown(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}
