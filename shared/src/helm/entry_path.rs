//! Reads the paths of a chart's archive.

/// Returns a path without its first part, which is the chart's folder. Returns `None` if the path
/// leads out of that folder, or is not UTF-8. As Helm does, takes `\` as the separator if the path
/// has one, because Helm 3.0 and 3.1 packaged charts so on Windows.
pub(super) fn path_in_chart(path: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(path).ok()?;
    let separator = if path.contains('\\') { '\\' } else { '/' };
    let path = path.strip_prefix("./").unwrap_or(path);
    let (_, inside) = path.split_once(separator)?;
    let inside = inside.replace(separator, "/");
    if inside.starts_with('/') || path.split(['/', separator]).any(|part| part == "..") {
        return None;
    }
    let parts: Vec<&str> = inside.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case from the field 11.
    #[test]
    fn path_is_split_as_helm_splits_it() {
        for (path, inside) in [
            ("api/Chart.yaml", Some("Chart.yaml")),
            ("api/./platz//features.yaml", Some("platz/features.yaml")),
            (r"api\Chart.yaml", Some("Chart.yaml")),
            (r"api\platz\features.yaml", Some("platz/features.yaml")),
            (r"api\platz/features.yaml", Some("platz/features.yaml")),
            (r"api/sub\Chart.yaml", Some("Chart.yaml")),
            (r"C:\api\Chart.yaml", Some("api/Chart.yaml")),
            ("./api/./Chart.yaml", Some("Chart.yaml")),
            ("/api/Chart.yaml", Some("api/Chart.yaml")),
            ("api//Chart.yaml", None),
            ("Chart.yaml", None),
            ("api/../Chart.yaml", None),
            ("../Chart.yaml", None),
            (r"api\..\Chart.yaml", None),
            (r"api\\Chart.yaml", None),
        ] {
            assert_eq!(path_in_chart(path.as_bytes()).as_deref(), inside, "{path}");
        }
        assert_eq!(path_in_chart(b"api/\xff"), None);
    }
}
