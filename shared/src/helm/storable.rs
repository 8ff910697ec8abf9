//! Makes JSON that Postgres stores.

use serde_json::Value;

/// Removes NUL, the one character that `jsonb` does not store.
pub(super) fn strip_nul(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => text.retain(|character| character != '\0'),
        Value::Array(values) => values.iter_mut().for_each(strip_nul),
        Value::Object(members) => {
            if members.keys().any(|key| key.contains('\0')) {
                let cleaned = std::mem::take(members).into_iter();
                *members = cleaned.map(|(key, value)| (key.replace('\0', ""), value)).collect();
            }
            members.values_mut().for_each(strip_nul);
        }
        _ => {}
    }
}
