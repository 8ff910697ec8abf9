//! Fuzzes the readers of the files in a chart with any bytes, inside a valid archive. The first
//! byte selects the file.
#![no_main]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use shared::helm::{Fed, Layer};

const CHART_YAML: &[u8] = b"apiVersion: v2\nname: chart\nversion: 1.0.0\n";

const FILES: [&str; 8] = [
    "Chart.yaml",
    "platz/values-ui.yaml",
    "platz/actions.yaml",
    "platz/features.yaml",
    "platz/resources.yaml",
    "values.ui.json",
    "actions.schema.json",
    "features.json",
];

fuzz_target!(|input: &[u8]| {
    let Some((which, text)) = input.split_first() else { return };
    let file = FILES[usize::from(*which) % FILES.len()];
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    let mut add = |path: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        archive
            .append_data(&mut header, format!("chart/{path}"), bytes)
            .expect("writing to memory");
    };
    if file != "Chart.yaml" {
        add("Chart.yaml", CHART_YAML);
    }
    add(file, text);
    let mut encoder = archive.into_inner().expect("writing to memory");
    encoder.flush().expect("writing to memory");
    let layer = encoder.finish().expect("writing to memory");

    let mut unpacked = Layer::default();
    let mut rest = &layer[..];
    while unpacked.feed(&mut rest) == Fed::LargeFileNext || unpacked.end() == Fed::LargeFileNext {
        unpacked.allow_large();
    }
    let contents = unpacked.into_contents();
    assert!(contents.chart_name.is_some() || contents.error.is_some(), "no name and no reason");
    let texts = [
        &contents.chart_name,
        &contents.chart_version,
        &contents.description,
        &contents.git_branch,
    ];
    assert!(
        texts.into_iter().flatten().all(|text| !text.contains('\0') && text.len() <= 16 * 1024)
    );
    let columns = [
        &contents.values_ui,
        &contents.actions_schema,
        &contents.features,
        &contents.resource_types,
    ];
    assert!(
        columns.into_iter().flatten().all(|json| !json.contains("\\u0000")),
        "jsonb refuses this text"
    );
});
