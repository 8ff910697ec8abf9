//! Parses YAML and JSON from charts that may be hostile, within limits.

use serde::de::DeserializeOwned;

use super::Error;
use super::limits::{DEPTH_MAX, EXPANSION_MAX, FILE_LIMIT, NODES_MAX, SMALL_FILE};

/// Largest number of `&anchors` in a text.
const ANCHORS_MAX: usize = 1_000;

/// Largest number of `*aliases` in a text.
const ALIASES_MAX: usize = 10_000;

/// Parses a file as YAML or JSON, as its name says. A YAML scalar without a declared type is read
/// as `serde_yaml` reads it, because the predecessor reads charts with that crate.
///
/// # Errors
///
/// The defect of the text, with its line.
pub(super) fn parse<T: DeserializeOwned>(file: &'static str, bytes: &[u8]) -> Result<T, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::NotUtf8 { file })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Error::Empty { file });
    }
    let has_ending = |ending| file.rsplit('.').next() == Some(ending);
    if has_ending("json") { parse_json(file, text) } else { parse_yaml(file, text) }
}

/// Parses the first document of a YAML file. Helm ignores the others.
///
/// # Errors
///
/// The defect of the text, with its line.
pub(super) fn parse_first<T: DeserializeOwned>(
    file: &'static str,
    bytes: &[u8],
) -> Result<T, Error> {
    parse(file, first_document(bytes))
}

/// Returns the text up to the mark that ends the first document: `---` or `...` at the beginning of
/// a line. The `---` before which there are only comments and directives begins it.
fn first_document(bytes: &[u8]) -> &[u8] {
    let mut end = 0;
    let mut has_begun = false;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        let is_mark = |mark: &[u8]| {
            text.strip_prefix(mark).is_some_and(|rest| matches!(rest, [] | [b' ' | b'\t', ..]))
        };
        if has_begun && (is_mark(b"---") || is_mark(b"...")) {
            break;
        }
        let is_before = matches!(text.trim_ascii_start(), [] | [b'#' | b'%', ..]);
        has_begun |= !is_before;
        end += line.len();
    }
    bytes.get(..end).unwrap_or(bytes)
}

fn parse_yaml<T: DeserializeOwned>(file: &'static str, text: &str) -> Result<T, Error> {
    let expanded = text.len() * EXPANSION_MAX + usize::try_from(SMALL_FILE).unwrap_or_default();
    let limit = expanded.min(usize::try_from(FILE_LIMIT).unwrap_or(usize::MAX));
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 3 * NODES_MAX,
            max_anchors: ANCHORS_MAX,
            max_aliases: ALIASES_MAX,
            max_recorded_anchor_events: NODES_MAX,
            max_recorded_anchor_bytes: limit,
            max_total_scalar_bytes: limit,
            max_documents: 1,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: NODES_MAX },
        // Helm accepts duplicate keys in the same way.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        // serde_yaml reads scalars in the same way.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| yaml_defect(file, &error))
}

/// Finds the exceeded limit in the parser's message, because the parser has no typed error for
/// aliases.
fn yaml_defect(file: &'static str, error: &serde_saphyr::Error) -> Error {
    let reason = error.without_snippet().to_string();
    match reason.split_once("budget breached: ").map(|(_, breach)| breach) {
        Some(breach) if breach.starts_with("Depth") => Error::TooDeep { file },
        Some(breach) if breach.starts_with("Documents") => {
            Error::Malformed { file, reason: "it has more than one YAML document".to_owned() }
        }
        Some(breach)
            if breach.starts_with("ScalarBytes") || breach.starts_with("RecordedAnchorBytes") =>
        {
            Error::TooMuchText { file }
        }
        Some(_) => Error::TooManyNodes { file },
        None if reason.starts_with("recursion limit exceeded") => Error::TooDeep { file },
        None if reason.starts_with("alias replay limit exceeded") => Error::TooManyNodes { file },
        None => Error::Malformed { file, reason },
    }
}

fn parse_json<T: DeserializeOwned>(file: &'static str, text: &str) -> Result<T, Error> {
    let (depth, nodes) = measure_json(text.as_bytes());
    if depth > DEPTH_MAX {
        return Err(Error::TooDeep { file });
    }
    if nodes > NODES_MAX {
        return Err(Error::TooManyNodes { file });
    }
    serde_json::from_str(text).map_err(|error| Error::Malformed { file, reason: error.to_string() })
}

/// Returns the depth of a JSON text, and an upper bound for the number of its values. The numbers
/// mean nothing if the text is not JSON.
fn measure_json(text: &[u8]) -> (usize, usize) {
    let (mut depth, mut deepest, mut nodes) = (0_usize, 0, 1);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
                nodes += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' | b':' => nodes += 1,
            _ => {}
        }
    }
    (deepest, nodes)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn yaml(text: &str) -> Result<Value, String> {
        parse("x.yaml", text.as_bytes()).map_err(|error| error.to_string())
    }

    fn json_of(text: &str) -> Result<Value, String> {
        parse("x.json", text.as_bytes()).map_err(|error| error.to_string())
    }

    /// Hostile input 9.
    #[test]
    fn yaml_alias_bomb_is_an_error_that_names_the_limit() {
        let level = |level: usize| {
            format!("a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 9].join(","))
        };
        let levels = (1..12).map(level).collect::<Vec<_>>().join("\n");
        let laughs = format!("a0: &a0 [x,x,x,x,x,x,x,x,x]\n{levels}\n");
        let many = |count, what: &str| vec![what; count].join(",");
        let quadratic = format!("a: &a [{}]\nb: [{}]\n", many(20_000, "x"), many(9_000, "*a"));
        let large = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), many(1_000, "*a"));
        let expected = "x.yaml has more than 50000 values after its aliases are expanded";
        assert_eq!(
            yaml(&large).unwrap_err(),
            "x.yaml has too much text after its aliases are expanded"
        );
        for bomb in [laughs, quadratic, "- \n".repeat(100_000), format!("[{}]", many(100_000, "x"))]
        {
            assert_eq!(yaml(&bomb).unwrap_err(), expected);
        }
        assert_eq!(
            json_of(&format!("[{}1]", "1,".repeat(100_000))).unwrap_err(),
            expected.replace("yaml", "json")
        );
    }

    /// Hostile input 10.
    #[test]
    fn deeply_nested_text_is_an_error_that_names_the_limit() {
        let deep = 100_000;
        for bomb in ["[".repeat(deep), "{a: ".repeat(deep), "- ".repeat(deep), "? ".repeat(deep)] {
            assert_eq!(yaml(&bomb).unwrap_err(), "x.yaml is nested deeper than 64 levels");
        }
        let arrays = format!("{}{}", "[".repeat(deep), "]".repeat(deep));
        let objects = format!("{}1{}", r#"{"a":"#.repeat(deep), "}".repeat(deep));
        // A bracket in a string does not count.
        let hidden = r#"{"]":"#.repeat(deep);
        for bomb in [arrays, objects, hidden] {
            assert_eq!(json_of(&bomb).unwrap_err(), "x.json is nested deeper than 64 levels");
        }
        let not_deeper = |text: &str| format!("{}1{}", text.repeat(64), "]".repeat(64));
        assert!(yaml(&not_deeper("[")).is_ok() && json_of(&not_deeper("[")).is_ok());
    }

    #[test]
    fn defect_names_its_line() {
        for (defect, expected) in [
            (yaml("a: 1\nb: [1\nc: 2\n"), "line 3"),
            (yaml("a: 1\n b: 2\n"), "line 2"),
            (json_of("{\n\"a\": 1,\n}"), "line 3"),
            (json_of("{} {}"), "trailing"),
            (yaml("a: 1\n---\nb: 2\n"), "more than one YAML document"),
            (yaml(" \n"), "x.yaml is empty"),
            (parse("x.yaml", b"a: \xff").map_err(|error| error.to_string()), "x.yaml is not UTF-8"),
        ] {
            let defect = defect.unwrap_err();
            assert!(
                defect.starts_with("x.") && defect.contains(expected) && !defect.contains('\n'),
                "{defect}"
            );
        }
    }

    #[test]
    fn yaml_scalars_are_read_as_the_predecessor_reads_them() {
        let text = "{a: yes, b: True, c: 0755, d: 1_000, e: 1.10, f: ~, g: '1', h: 0x1F, i: 1e3, \
                    j: 2026-11-22, k: .5,
            l: -1, m: 18446744073709551615, n: null, o: 'x\\n', p: \"x\\n\", q: <<, r: 12:30, s: \
            0o17, t: +1}";
        let expected: Value = serde_yaml::from_str(text).unwrap();
        assert_eq!(yaml(text).unwrap(), expected);
        assert_eq!(yaml("\u{feff}a: 1").unwrap(), json!({"a": 1}));
    }
}
