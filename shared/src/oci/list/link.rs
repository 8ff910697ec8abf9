//! Reads the `Link` headers of a listing (RFC 8288), which lead to the next page. Registries also
//! send forms that the RFC does not allow, and those that have one meaning only are understood.

use std::fmt::Write as _;

use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};

use crate::oci::limits::QUERY_MAX;

/// A link that cannot be read. The listing may have more pages.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::oci) struct Unreadable;

/// One link of a header.
#[derive(Default)]
struct Link {
    target: String,
    /// The value of the first parameter `rel`. Later ones do not count (RFC 8288, section 3.3).
    relations: Option<String>,
}

/// The part of a header that was not read yet.
struct Unread<'a>(&'a str);

/// Finds the query of the target that is `next`. Ignores the target's host and path. A registry
/// behind a proxy names wrong ones, and a hostile registry may name another host.
///
/// # Errors
/// Fails if a link cannot be read, because it may be the one to the next page.
pub(in crate::oci) fn next_query(
    base: &Url,
    headers: &HeaderMap,
) -> Result<Option<String>, Unreadable> {
    for value in headers.get_all(LINK) {
        let text = with_escapes(value.as_bytes());
        let mut unread = Unread(&text);
        while let Some(link) = unread.link()? {
            if !link.is_next() {
                continue;
            }
            let target = base.join(&link.target).map_err(|_| Unreadable)?;
            let query = target.query().filter(|query| !query.is_empty()).ok_or(Unreadable)?;
            return if query.len() > QUERY_MAX {
                Err(Unreadable)
            } else {
                Ok(Some(query.to_owned()))
            };
        }
    }
    Ok(None)
}

/// Escapes the bytes that are not ASCII, as a URL requires.
fn with_escapes(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len()), |mut text, byte| {
        if byte.is_ascii() {
            text.push(char::from(*byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

impl Link {
    fn is_next(&self) -> bool {
        let mut relations = self.relations.iter().flat_map(|text| text.split_ascii_whitespace());
        relations.any(|relation| relation.eq_ignore_ascii_case("next"))
    }
}

impl Unread<'_> {
    fn link(&mut self) -> Result<Option<Link>, Unreadable> {
        self.0 = self.0.trim_start_matches([' ', '\t', ',']);
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut link = Link { target: self.target()?, ..Link::default() };
        loop {
            self.skip_spaces();
            match self.take() {
                None | Some(',') => return Ok(Some(link)),
                Some(';') => self.parameter(&mut link)?,
                Some(_) => return Err(Unreadable),
            }
        }
    }

    /// Reads `<target>`, or a target that lacks the brackets and ends at the first parameter.
    fn target(&mut self) -> Result<String, Unreadable> {
        let (target, rest) = match self.0.strip_prefix('<') {
            Some(rest) => rest.split_once('>').ok_or(Unreadable)?,
            None => self.0.split_at(self.0.find(';').ok_or(Unreadable)?),
        };
        self.0 = rest;
        Ok(target.trim().to_owned())
    }

    fn parameter(&mut self, link: &mut Link) -> Result<(), Unreadable> {
        self.skip_spaces();
        let name = self.take_until(&['=', ';', ',', ' ', '\t']).to_ascii_lowercase();
        self.skip_spaces();
        let Some(rest) = self.0.strip_prefix('=') else { return Ok(()) };
        self.0 = rest;
        self.skip_spaces();
        let value = match self.0.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.take_until(&[';', ',', ' ', '\t']).to_owned(),
        };
        if name == "rel" {
            link.relations.get_or_insert(value);
        }
        Ok(())
    }

    fn quoted(&mut self, quote: char) -> Result<String, Unreadable> {
        self.take();
        let mut value = String::new();
        loop {
            match self.take().ok_or(Unreadable)? {
                '\\' => value.push(self.take().ok_or(Unreadable)?),
                end if end == quote => return Ok(value),
                other => value.push(other),
            }
        }
    }

    fn skip_spaces(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self) -> Option<char> {
        let mut characters = self.0.chars();
        let first = characters.next();
        self.0 = characters.as_str();
        first
    }

    fn take_until(&mut self, ends: &[char]) -> &str {
        let (taken, rest) = self.0.split_at(self.0.find(ends).unwrap_or(self.0.len()));
        self.0 = rest;
        taken
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn next_in(header: &[u8]) -> Result<Option<String>, Unreadable> {
        let base = Url::parse("http://registry:5000/v2/_catalog?n=1000").map_err(|_| Unreadable)?;
        let value = HeaderValue::from_bytes(header).map_err(|_| Unreadable)?;
        next_query(&base, &HeaderMap::from_iter([(LINK, value)]))
    }

    #[test]
    fn only_the_query_of_the_next_link_is_used() {
        let table = [
            (r#"</v2/_catalog?last=b&n=100>; rel="next""#, Some("last=b&n=100")),
            (r#"<https://evil.example/x?last=b&n=2>; rel="next""#, Some("last=b&n=2")),
            ("<http://169.254.169.254/latest?n=1>; rel=next", Some("n=1")),
            (r#"<?last=c>; rel="next"; title="x""#, Some("last=c")),
            (r#"<?last=a>; rel="prev", <?last=c>; rel="next""#, Some("last=c")),
            (r#"</v2/_catalog?last=b>; rel="prev""#, None),
            (r#"</v2/_catalog?last=a,b&n=5>; rel="next""#, Some("last=a,b&n=5")),
            (r#"<?last=a>; title="x", <?last=c>; rel="next""#, Some("last=c")),
            ("", None),
        ];
        for (header, query) in table {
            assert_eq!(next_in(header.as_bytes()), Ok(query.map(str::to_owned)), "{header}");
        }
    }

    /// Case from the field 4.
    #[test]
    fn link_is_understood_in_every_form() {
        for header in [
            "<?last=c>;rel=next",
            "<?last=c> ; rel = \"next\"",
            "<?last=c>; REL=NEXT",
            "<?last=c>; rel='next'",
            "<?last=c>; rel=\"last next\"",
            "<?last=c>; rel=\"next\tlast\"",
            "<?last=c>; rel=\"n\\ext\"",
            "<?last=c>; crossorigin; rel=next",
            "<?last=c>;; rel=next;",
            "<?last=c>; title=\"a; b, <c>\"; rel=next",
            "<?last=a>; title=\"rel=next, <?last=b>; rel=next\", <?last=c>; rel=next",
            "<?last=a>; rel=prev; rel=next, <?last=c>; rel=next",
            ", <?last=c>; rel=next",
            "?last=c; rel=\"next\"",
            "http://registry:5000/v2/_catalog?last=c ; rel=next",
        ] {
            assert_eq!(next_in(header.as_bytes()), Ok(Some("last=c".to_owned())), "{header}");
        }
        let utf_8 = next_in("<?last=ü>; rel=next".as_bytes());
        assert_eq!(utf_8, Ok(Some("last=%C3%BC".to_owned())));
        let latin_1 = next_in(b"<?last=\xfc>; title=\"\xfc\"; rel=next");
        assert_eq!(latin_1, Ok(Some("last=%FC".to_owned())));
    }

    /// Case from the field 4.
    #[test]
    fn link_that_is_not_understood_is_an_error() {
        let too_long = format!("<?last={}>; rel=next", "c".repeat(QUERY_MAX));
        for header in [
            "nonsense",
            "<?last=c",
            "<?last=c; rel=next",
            "<?last=c> rel=next",
            "<?last=c>; rel=next last",
            "<?last=c>; rel=\"next",
            "<?last=c>; rel='next\"",
            "</v2/_catalog>; rel=\"next\"",
            "<http://:x?last=c>; rel=next",
            &too_long,
        ] {
            assert_eq!(next_in(header.as_bytes()), Err(Unreadable), "{header}");
        }
    }
}
