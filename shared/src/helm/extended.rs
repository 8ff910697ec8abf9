//! Reads the extended headers before an entry of an archive.

use std::io;

use super::Error;

/// The fields of extended headers that describe the next entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extended {
    /// The entry's path, which may be long.
    pub(super) path: Option<Vec<u8>>,
    /// The entry's size, in bytes.
    pub(super) size: Option<u64>,
}

impl Extended {
    /// Adds the records of a pax header (POSIX, "pax Extended Header"). A record is `LENGTH
    /// KEY=VALUE` and a line end. The length counts the whole record. A value may contain line
    /// ends. An empty value removes an earlier one.
    pub(super) fn add_pax(&mut self, mut records: &[u8]) -> Result<(), Error> {
        let malformed = || Error::Unreadable(io::Error::other("an extended header cannot be read"));
        while !records.is_empty() {
            let (key, value, rest) = pax_record(records).ok_or_else(malformed)?;
            match key {
                b"path" => self.path = Some(value.to_vec()).filter(|path| !path.is_empty()),
                b"size" if value.is_empty() => self.size = None,
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|size| size.parse().ok());
                    self.size = Some(size.ok_or_else(malformed)?);
                }
                _ => {}
            }
            records = rest;
        }
        Ok(())
    }
}

/// Splits the first record into key and value. Returns them with the records that follow.
fn pax_record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(records.get(..space)?).ok()?.parse().ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((record.get(..equals)?, record.get(equals + 1..)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(records: &str) -> Option<Extended> {
        let mut extended = Extended::default();
        extended.add_pax(records.as_bytes()).ok().map(|()| extended)
    }

    #[test]
    fn pax_record_ends_at_its_stated_length() {
        let extended = |path: Option<&str>, size| {
            Some(Extended { path: path.map(|path| path.as_bytes().to_vec()), size })
        };
        for (records, expected) in [
            ("", extended(None, None)),
            ("12 path=a/b\n", extended(Some("a/b"), None)),
            ("12 path=a/b\n10 size=7\n", extended(Some("a/b"), Some(7))),
            ("14 x.y=a\nb=\n\n12 path=a/b\n", None),
            ("13 x.y=a\nb=\n\n12 path=a/b\n", extended(Some("a/b"), None)),
            ("12 path=a/b\n8 path=\n", extended(None, None)),
            ("10 size=7\n8 size=\n", extended(None, None)),
            ("10 size=x\n", None),
            ("11 size=-1\n", None),
            ("9 path=a/b\n", None),
            ("99 path=a/b\n", None),
            ("0 path=a/b\n", None),
            ("x path=a/b\n", None),
            ("99999999999999999999999 path=a\n", None),
            ("7 path\n", None),
        ] {
            assert_eq!(read(records), expected, "{records:?}");
        }
    }
}
