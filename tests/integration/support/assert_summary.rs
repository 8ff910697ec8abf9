//! Checks some fields of a JSON answer, such as the summary of an invocation.

use serde_json::Value;

/// Checks that a JSON answer has these values in these fields. A failure names the field and prints
/// the whole answer.
///
/// ```ignore
/// assert_summary!(summary, added = 1, broken = 0, complete = true);
/// assert_summary!(summary, added = tags.len(), "after the second pass of {instance}");
/// ```
macro_rules! assert_summary {
    (
        $answer:expr,
        $($field:ident = $value:expr),+
        $(, $context:literal $(, $argument:expr)*)?
        $(,)?
    ) => {
        $crate::support::assert_summary::assert_fields(
            &$answer,
            &[$((stringify!($field), serde_json::json!($value))),+],
            &[$(format!($context $(, $argument)*))?],
        )
    };
}

pub(crate) use assert_summary;

/// Checks the fields one after the other. Tests call [`assert_summary!`].
#[track_caller]
pub(crate) fn assert_fields(answer: &Value, expected: &[(&str, Value)], context: &[String]) {
    for (field, value) in expected {
        let context = context.concat();
        assert_eq!(&answer[*field], value, "{field} is wrong. {context}\n{answer:#}");
    }
}
