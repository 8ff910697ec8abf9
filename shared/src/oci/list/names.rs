//! Reads the body of a listing as it arrives, because some registries add to each name what would
//! not fit into memory. The number of names is limited, and not the number of bytes.

use std::str::FromStr;

use bytes::Bytes;
use json_event_parser::{JsonEvent, LowLevelJsonParser};
use reqwest::{Method, Response};

use crate::oci::error::{Error, NotAList};
use crate::oci::limits::{LIST_LIMIT, NAMES_MAX, TEXT_MAX};
use crate::oci::redact::redacted;

/// Deepest level of arrays and objects.
const DEPTH_MAX: usize = 64;

/// The names of one body.
#[derive(Debug)]
pub(super) struct ListedNames<T> {
    /// The names that follow the grammar.
    pub(super) names: Vec<T>,
    /// The number of the others.
    pub(super) skipped: u64,
    /// The last name, whether it follows the grammar or not.
    pub(super) last: Option<String>,
}

/// A body while it is read.
struct NameReader<T> {
    parser: LowLevelJsonParser,
    /// The bytes of a token whose end has not arrived.
    unread: Vec<u8>,
    place: ListPlace,
    is_found: bool,
    listed: ListedNames<T>,
}

/// The reason why a body is not read to its end.
#[derive(Debug)]
enum Stop {
    NotAList(NotAList),
    TooManyNames,
}

/// The place of the next token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListPlace {
    Outside,
    /// In the object, before a key.
    Object,
    /// Before the value of a key.
    Value {
        is_wanted: bool,
    },
    /// In the list of names.
    Names,
    /// In something else, at this depth of arrays and objects.
    Other {
        depth: usize,
    },
}

/// Reads a body, which is an object with the field `tags` or `repositories`.
///
/// # Errors
/// [`Error::TooManyNames`], [`Error::TooLarge`], or [`Error::NotAList`] if it is something else.
pub(super) async fn read_names<T: FromStr>(
    mut response: Response,
) -> Result<ListedNames<T>, Error> {
    let url = response.url().clone();
    let mut reader = NameReader::new();
    let mut size = 0;
    loop {
        let piece =
            response.chunk().await.map_err(|error| Error::no_answer(Method::GET, &url, error))?;
        size += piece.as_ref().map_or(0, Bytes::len);
        if size > LIST_LIMIT {
            return Err(Error::TooLarge { url: redacted(&url), limit: LIST_LIMIT });
        }
        reader.feed(piece.as_deref()).map_err(|stop| match stop {
            Stop::TooManyNames => Error::TooManyNames { url: redacted(&url), limit: NAMES_MAX },
            Stop::NotAList(source) => Error::NotAList { url: redacted(&url), source },
        })?;
        if piece.is_none() {
            return Ok(reader.listed);
        }
    }
}

impl<T: FromStr> NameReader<T> {
    fn new() -> Self {
        Self {
            parser: LowLevelJsonParser::new().with_max_stack_size(DEPTH_MAX),
            unread: Vec::new(),
            place: ListPlace::Outside,
            is_found: false,
            listed: ListedNames { names: Vec::new(), skipped: 0, last: None },
        }
    }

    /// Takes a piece of the body, or its end.
    fn feed(&mut self, piece: Option<&[u8]>) -> Result<(), Stop> {
        let mut bytes = std::mem::take(&mut self.unread);
        bytes.extend_from_slice(piece.unwrap_or_default());
        let mut rest = bytes.as_slice();
        loop {
            let parsed = self.parser.parse_next(rest, piece.is_none());
            rest = rest.get(parsed.consumed_bytes..).unwrap_or_default();
            match parsed.event {
                None => break,
                Some(Err(error)) => return Err(Stop::NotAList(NotAList::Syntax(error))),
                Some(Ok(JsonEvent::Eof)) => return self.end(),
                Some(Ok(event)) => {
                    self.place = take(&mut self.listed, &mut self.is_found, self.place, event)?;
                }
            }
        }
        if rest.len() > TEXT_MAX {
            return Err(Stop::NotAList(NotAList::LongText));
        }
        self.unread = rest.to_vec();
        Ok(())
    }

    fn end(&self) -> Result<(), Stop> {
        if self.is_found { Ok(()) } else { Err(Stop::NotAList(NotAList::Shape)) }
    }
}

/// Takes one token, and returns the place behind it.
fn take<T: FromStr>(
    listed: &mut ListedNames<T>,
    is_found: &mut bool,
    place: ListPlace,
    event: JsonEvent<'_>,
) -> Result<ListPlace, Stop> {
    let is_opening = matches!(event, JsonEvent::StartArray | JsonEvent::StartObject);
    let is_closing = matches!(event, JsonEvent::EndArray | JsonEvent::EndObject);
    match (place, event) {
        (ListPlace::Object, JsonEvent::ObjectKey(key)) => {
            Ok(ListPlace::Value { is_wanted: matches!(&*key, "tags" | "repositories") })
        }
        (ListPlace::Object, JsonEvent::EndObject) => Ok(ListPlace::Outside),
        (ListPlace::Value { is_wanted: true }, JsonEvent::StartArray) => {
            *is_found = true;
            Ok(ListPlace::Names)
        }
        // Docker Distribution answers `"tags": null` after the last tag of a repository was
        // deleted.
        (ListPlace::Value { is_wanted: true }, JsonEvent::Null) => {
            *is_found = true;
            Ok(ListPlace::Object)
        }
        (ListPlace::Value { is_wanted: false }, _) if is_opening => {
            Ok(ListPlace::Other { depth: 1 })
        }
        (ListPlace::Names, JsonEvent::String(name)) => listed.add(&name).map(|()| place),
        (ListPlace::Other { depth }, _) if is_opening => Ok(ListPlace::Other { depth: depth + 1 }),
        (ListPlace::Other { depth: depth @ 2.. }, _) if is_closing => {
            Ok(ListPlace::Other { depth: depth - 1 })
        }
        (ListPlace::Other { .. }, _) if !is_closing => Ok(place),
        (ListPlace::Outside, JsonEvent::StartObject)
        | (ListPlace::Value { is_wanted: false } | ListPlace::Other { .. }, _)
        | (ListPlace::Names, JsonEvent::EndArray) => Ok(ListPlace::Object),
        _ => Err(Stop::NotAList(NotAList::Shape)),
    }
}

impl<T> ListedNames<T> {
    /// Returns the number of all names.
    pub(super) fn count(&self) -> usize {
        self.names.len() + usize::try_from(self.skipped).unwrap_or(usize::MAX)
    }
}

impl<T: FromStr> ListedNames<T> {
    fn add(&mut self, name: &str) -> Result<(), Stop> {
        if self.count() >= NAMES_MAX {
            return Err(Stop::TooManyNames);
        }
        match name.parse() {
            Ok(name) => self.names.push(name),
            Err(_) => self.skipped += 1,
        }
        self.last = Some(name.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Tag;

    /// Reads a body in pieces of every size that can split a token.
    fn names(body: &str) -> Result<(Vec<String>, u64), Stop> {
        let whole = in_pieces(body, body.len().max(1));
        for size in 1..20.min(body.len()) {
            let (a, b) = (format!("{whole:?}"), format!("{:?}", in_pieces(body, size)));
            // A syntax error is found earlier in a shorter piece.
            assert!(a == b || whole.is_err(), "{body} in pieces of {size}: {a} {b}");
        }
        whole
    }

    fn in_pieces(body: &str, size: usize) -> Result<(Vec<String>, u64), Stop> {
        let mut reader = NameReader::<Tag>::new();
        for piece in body.as_bytes().chunks(size) {
            reader.feed(Some(piece))?;
        }
        reader.feed(None)?;
        Ok((reader.listed.names.iter().map(Tag::to_string).collect(), reader.listed.skipped))
    }

    /// Hostile input 29.
    #[test]
    fn list_may_be_null_but_not_too_long() {
        assert_eq!(names(r#"{"name":"a","tags":null}"#).unwrap(), (vec![], 0));
        for body in [
            r#"{"tags":["1","-x","2"],"more":{}}"#,
            r#"{"more":{"tags":["3",[{}]]},"tags":["\u0031","-x","2"],"x":[["4"],1e5,null,true]} "#,
        ] {
            assert_eq!(names(body).unwrap(), (vec!["1".to_owned(), "2".to_owned()], 1));
        }
        for wrong in [
            "",
            "[]",
            "{}",
            "null",
            r#"{"tags":{}}"#,
            r#"{"tags":[1]}"#,
            r#"{"tags":[["1"]]}"#,
            r#"{"tags":"1"}"#,
            r#"{"tags":["1""#,
            r#"{"tags":["1"]"#,
            r#"{"tags":["1"]}}"#,
            r#"{"tags":["1" "2"]}"#,
            r#"{"child":["1"]}"#,
            "<html>",
        ] {
            assert!(matches!(names(wrong), Err(Stop::NotAList(_))), "{wrong}");
        }
        let most = format!(r#"{{"tags":["1"{}]}}"#, r#","1""#.repeat(NAMES_MAX - 1));
        assert_eq!(in_pieces(&most, 9999).unwrap().0.len(), NAMES_MAX);
        for name in ["1", "-"] {
            let million = format!(r#"{{"tags":["1"{}]}}"#, format!(r#","{name}""#).repeat(999_999));
            assert!(matches!(in_pieces(&million, 9999), Err(Stop::TooManyNames)), "{name}");
        }
    }

    /// Case from the field 23.
    #[test]
    fn what_surrounds_the_names_may_be_long_but_no_single_text() {
        let manifest = r#""sha256:0":{"mediaType":"x","timeUploadedMs":"1","tag":["9"]},"#;
        let body =
            format!(r#"{{"manifest":{{{}"x":{{}}}},"tags":["1"]}}"#, manifest.repeat(80_000));
        assert!(body.len() > 4 << 20);
        assert_eq!(in_pieces(&body, 16_384).unwrap(), (vec!["1".to_owned()], 0));
        for long in [format!(r#"{{"{}"#, "a".repeat(2 * TEXT_MAX)), "[".repeat(2 * DEPTH_MAX)] {
            let body = format!(r#"{{"x":{long}"#);
            assert!(matches!(in_pieces(&body, 999), Err(Stop::NotAList(_))));
        }
    }
}
