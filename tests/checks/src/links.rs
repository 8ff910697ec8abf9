//! Finds links in documents that lead nowhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::source::files_below;

/// Finds relative links whose file or heading is missing. Links to other sites are not followed.
pub(crate) fn find_broken(root: &Path) -> Vec<String> {
    let documents = match files_below(root, "md") {
        Ok(documents) => documents,
        Err(error) => return vec![format!("cannot list the documents: {error}")],
    };
    let mut found = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).unwrap_or_default();
        let folder = document.parent().unwrap_or(root);
        for (line, link) in links_in(&text) {
            if let Some(words) = problem(&document, folder, &link) {
                found.push(format!("{}:{line}: {link}: {words}", document.display()));
            }
        }
    }
    found
}

fn problem(document: &Path, folder: &Path, link: &str) -> Option<&'static str> {
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { document.to_owned() } else { folder.join(file) };
    if !target.exists() {
        return Some("there is no such file");
    }
    let is_document = target.extension().is_some_and(|extension| extension == "md");
    if heading.is_empty() || !is_document {
        return None;
    }
    let text = fs::read_to_string(&target).unwrap_or_default();
    (!headings_in(&text).contains(heading)).then_some("there is no such heading")
}

/// Lists the relative links of a document, `[text](file#heading)`, with their lines.
fn links_in(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut is_code = false;
    for (index, line) in text.lines().enumerate() {
        is_code ^= line.trim_start().starts_with("```");
        let mut rest = if is_code { "" } else { line };
        while let Some((_, after)) = rest.split_once("](") {
            let Some((link, after)) = after.split_once(')') else { break };
            if !link.contains("://") && !link.starts_with("mailto:") {
                links.push((index + 1, link.to_owned()));
            }
            rest = after;
        }
    }
    links
}

/// Lists the anchors of a document's headings, as code hosts make them.
fn headings_in(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut is_code = false;
    for line in text.lines() {
        is_code ^= line.trim_start().starts_with("```");
        if !is_code && line.starts_with('#') {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words
                .chars()
                .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
            let anchor: String =
                kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect();
            let repeats = (1..).map(|number| format!("{anchor}-{number}"));
            let mut names = std::iter::once(anchor.clone()).chain(repeats);
            let free = names.find(|name| !anchors.contains(name));
            anchors.extend(free);
        }
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_from_text_and_not_from_code() {
        let text = "[a](b.md#c), [d](https://example.com)\n```\n[e](f.md)\n```\n[g](#h)\n";
        assert_eq!(links_in(text), [(1, "b.md#c".to_owned()), (5, "#h".to_owned())]);
    }

    #[test]
    fn headings_have_the_anchors_of_code_hosts() {
        let anchors = headings_in("# Try it\n## `make run`, twice\n## Try it\n");
        let expected = ["make-run-twice", "try-it", "try-it-1"].map(str::to_owned);
        assert_eq!(anchors, BTreeSet::from(expected));
    }
}
