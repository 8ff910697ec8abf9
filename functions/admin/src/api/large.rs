//! Answers that may be too large for a Lambda function. The limit is 6 MB, in which the body is a
//! JSON string or base64.

use std::io::Write as _;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::http::problem::Problem;

/// Largest body, as it is encoded in the answer of a function. The rest of the 6 MB is for the
/// headers and the JSON around it.
const ANSWER_MAX: usize = 6_000_000;

/// Answers with JSON. A large body is compressed if the client accepts gzip.
///
/// # Errors
/// The body is too large even compressed, or the client does not accept gzip.
pub(super) fn json(headers: &HeaderMap, body: Vec<u8>) -> Result<Response, Problem> {
    let kind = (header::CONTENT_TYPE, "application/json");
    // A JSON string escapes each of these with one more byte.
    let escaped = body.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    if body.len() + escaped <= ANSWER_MAX {
        return Ok(([kind], body).into_response());
    }
    if accepts_gzip(headers) {
        let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
        let compressed = compressed.write_all(&body).and_then(|()| compressed.finish());
        if let Ok(compressed) = compressed
            && compressed.len() / 3 * 4 + 4 <= ANSWER_MAX
        {
            let encoding = (header::CONTENT_ENCODING, "gzip");
            return Ok(
                ([kind, encoding, (header::VARY, "accept-encoding")], compressed).into_response()
            );
        }
    }
    let detail = "the answer is too large for a Lambda function: send \
                  Accept-Encoding: gzip, or read the row in the database";
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, detail))
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(header::ACCEPT_ENCODING)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip")
            && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(size: usize, accepted: &str) -> (u16, bool) {
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, accepted.parse().unwrap())]);
        let answer = json(&headers, vec![b'"'; size]).unwrap_or_else(Problem::into_response);
        (answer.status().as_u16(), answer.headers().contains_key(header::CONTENT_ENCODING))
    }

    #[test]
    fn large_body_is_compressed_or_refused() {
        assert_eq!(status(3_000_000, "gzip"), (200, false));
        assert_eq!(status(3_000_001, "br, gzip;q=0.5"), (200, true));
        assert_eq!(status(3_000_001, "identity, gzip;q=0"), (406, false));
        assert_eq!(status(3_000_001, "br"), (406, false));
    }
}
