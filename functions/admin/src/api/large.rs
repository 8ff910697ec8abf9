//! Answers that may be larger than a Lambda function can give: 6 MB, in which a body is a JSON text
//! or base64.

use std::io::Write as _;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::http::problem::Problem;

/// Largest body, as it is in the answer of a function. The rest of the 6 MB is for what is around
/// it.
const ANSWER_MAX: usize = 6_000_000;

/// Gives JSON as it is where it fits, and else compressed to whoever takes that.
pub(super) fn json(headers: &HeaderMap, body: Vec<u8>) -> Result<Response, Problem> {
    let kind = (header::CONTENT_TYPE, "application/json");
    // In a JSON text each of these takes another byte.
    let escaped = body.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    if body.len() + escaped <= ANSWER_MAX {
        return Ok(([kind], body).into_response());
    }
    if takes_gzip(headers) {
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
    let detail = "the answer is larger than a Lambda function can give: ask for it with \
                  Accept-Encoding: gzip, or read the row";
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, detail))
}

fn takes_gzip(headers: &HeaderMap) -> bool {
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
    fn what_is_too_large_is_compressed_or_refused() {
        assert_eq!(status(3_000_000, "gzip"), (200, false));
        assert_eq!(status(3_000_001, "br, gzip;q=0.5"), (200, true));
        assert_eq!(status(3_000_001, "identity, gzip;q=0"), (406, false));
        assert_eq!(status(3_000_001, "br"), (406, false));
    }
}
