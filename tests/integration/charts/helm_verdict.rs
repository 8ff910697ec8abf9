//! Charts that Helm loads are not BROKEN, and charts that it refuses are.

use shared::helm::{Fed, Layer, contents_of_layer};
use tests::chart::{Archive, CHART_YAML};
use tests::helm;

/// Texts to add to [`CHART_YAML`].
const FIELDS: [&str; 68] = [
    "",
    "annotations: null",
    "annotations:",
    "annotations: {a: null, platz.io/git/commit: null}",
    "annotations: {platz.io/git/commit: 1234567}",
    "annotations: {a: 1.50, b: true, c: 2020-01-01, 1: d}",
    "annotations: {platz.io/git/commit: 12e4567}",
    "annotations: {a: {b: c}}",
    "annotations: {a: [b]}",
    "annotations: [a]",
    "annotations: x",
    "appVersion: 1.10",
    "appVersion: 7",
    "appVersion: ~",
    "appVersion: yes",
    "appVersion: [1]",
    "description: 5",
    "description: null",
    "description: {a: b}",
    "description: !!binary aGk=",
    "description: !foo bar",
    "description: \"a\\0b\"",
    "type: null",
    "type: library",
    "type: x",
    "type: 5",
    "deprecated: null",
    "deprecated: true",
    "keywords: a",
    "keywords: [null, 1, a]",
    "sources: [1]",
    "home: 3",
    "icon: {a: b}",
    "kubeVersion: 1.20",
    "maintainers: [null]",
    "maintainers:\n  -",
    "maintainers: [a]",
    "maintainers: [{name: 5}]",
    "dependencies: [null]",
    "dependencies: [{name: a}]",
    "dependencies: [{name: a, version: 1, alias: a b}]",
    "dependencies: [{name: a, version: 1}, {name: a, version: 2}]",
    "dependencies: [{name: a, version: 1}, {name: a, version: 2, alias: b}]",
    "unknown: [1]",
    "unknown: {1: [a], 2.5: b, true: c}",
    "unknown: {a: .nan, b: .inf, c: 99999999999999999999999}",
    "unknown: !foo bar",
    "unknown: ~",
    "Description: x",
    "DESCRIPTION: [x]",
    "Deprecated: yes",
    "deprecated: on",
    "deprecated: n",
    "deprecated: x",
    "deprecated: 1",
    "Dependencies: [{Name: a, VERSION: 1, Enabled: true, import-values: [a, {child: b}]}]",
    "dependencies: [{name: a, enabled: x}]",
    "dependencies: [{name: a, import-values: x}]",
    "Maintainers: [{NAME: a, other: [b]}]",
    "name: other",
    "---",
    "...",
    "---\nname: other",
    "---\nname: [",
    "description: a\tb",
    "annotations:\n\ta: b",
    "a: &x {description: d}\n<<: *x",
    "description: |\n  ---\n  x",
];

/// Versions of a chart, as Chart.yaml writes them.
const VERSIONS: [&str; 24] = [
    "1",
    "1.2",
    "1.10",
    "'1.10'",
    "v1.2.3",
    "V1.0.0",
    "01.2.3",
    "1-a",
    "2020-01-01",
    "1.2.3-a.0+b.1",
    "abc",
    "v",
    "latest",
    "1.x",
    "1.2.3.4",
    "' 1.2.3'",
    "1.2.3-01",
    "1.2.3-",
    "'1.2.3+'",
    "1.2.3+b_1",
    "1.0.0-dev_x",
    "99999999999999999999.0.0",
    "''",
    "null",
];

/// Whole files.
const FILES: [&str; 16] = [
    "name: chart\nversion: 1.0.0\n",
    "apiVersion: ''\nname: chart\nversion: 1.0.0\n",
    "apiVersion: null\nname: chart\nversion: 1.0.0\n",
    "apiVersion: v1\nname: 5\nversion: 1.0.0\n",
    "apiVersion: v2\nname: null\nversion: 1.0.0\n",
    "apiVersion: v2\nname: a/b\nversion: 1.0.0\n",
    "apiVersion: v2\nname: a\\b\nversion: 1.0.0\n",
    "apiVersion: v2\nname: ..\nversion: 1.0.0\n",
    "---\napiVersion: v2\nname: chart\nversion: 1.0.0\n---\n",
    "# x\n%YAML 1.1\n---\napiVersion: v2\nname: chart\nversion: 1.0.0\n",
    "\u{feff}apiVersion: v2\r\nname: chart\r\nversion: 1.0.0\r\n",
    "{\"apiVersion\":\"v2\",\"name\":\"chart\",\"version\":\"1.0.0\"}",
    "",
    "null",
    "- a",
    "APIVERSION: v2\nName: chart\nVersion: 1.0.0\n",
];

/// Compares the verdicts about one archive per text.
async fn compare(texts: &[String], archives: &[Vec<u8>]) {
    let verdicts = helm::load(archives).await.unwrap();
    let mut different = Vec::new();
    for ((text, archive), helms) in texts.iter().zip(archives).zip(verdicts) {
        let ours = error_of(archive);
        if ours.is_some() != helms.is_some() {
            different.push(format!("{text:?}\n  ours: {ours:?}\n  Helm's: {helms:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

fn error_of(archive: &[u8]) -> Option<String> {
    let mut layer = Layer::default();
    let mut rest = archive;
    assert_eq!(layer.feed(&mut rest), Fed::All);
    assert_eq!(layer.end(), Fed::All);
    contents_of_layer(layer).error
}

/// Case from the field 22.
#[tokio::test]
async fn chart_yaml_gets_the_verdict_of_helm() {
    let fields = FIELDS.iter().map(|field| format!("{CHART_YAML}{field}\n"));
    let version = |version| format!("apiVersion: v2\nname: chart\nversion: {version}\n");
    let versions = VERSIONS.iter().map(version);
    let texts: Vec<String> = fields.chain(versions).chain(FILES.map(str::to_owned)).collect();
    let pack = |text: &String| Archive::new().file("chart/Chart.yaml", text).pack();
    let archives: Vec<Vec<u8>> = texts.iter().map(pack).collect();
    compare(&texts, &archives).await;
}

/// Cases from the field 11 and 22.
#[tokio::test]
async fn archive_gets_the_verdict_of_helm() {
    let with = |bytes: &[u8]| [tests::chart::plain(), bytes.to_vec()].concat();
    // Two blocks of zeros end an archive.
    let end = Archive::new().file("chart/Chart.yaml", CHART_YAML).raw(&[0; 1024]).pack();
    let ended = |bytes: &[u8]| [end.clone(), bytes.to_vec()].concat();
    let at = |path: &str| Archive::new().file(path, CHART_YAML).pack();
    let cases = [
        ("bytes behind an archive without an end", with(b"garbage")),
        ("a line end behind it", with(b"\n")),
        ("another member", with(&tests::chart::plain())),
        ("bytes behind the end", ended(b"garbage")),
        ("zeros behind the end", ended(&[0; 100])),
        ("a truncated member behind the end", ended(&tests::chart::plain()[..20])),
        ("a file that Windows packaged", at("chart\\Chart.yaml")),
        ("both separators", at("chart/sub\\Chart.yaml")),
        ("an absolute path", at("/chart/Chart.yaml")),
        ("two separators", at("chart//Chart.yaml")),
        ("no folder", at("Chart.yaml")),
        ("lower case", at("chart/chart.yaml")),
        ("nothing", Archive::new().pack()),
    ];
    let (texts, archives): (Vec<String>, Vec<Vec<u8>>) =
        cases.into_iter().map(|(text, archive)| (text.to_owned(), archive)).unzip();
    compare(&texts, &archives).await;
}
