//! Measures what it costs to refuse a hostile chart: processor time and memory, against their
//! limits.
//!
//! `cargo bench -p tests --bench chart_limits`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and a panic is its way to fail"
)]

use shared::domain::Contents;
use shared::helm::{Fed, Layer, contents_of_layer};
use tar::EntryType;
use tests::chart::{Archive, CHART_YAML, gzip};

/// The limit for the memory that a chart may add, in bytes.
const MEMORY: u64 = 64 * MIB;

const MIB: u64 = 1024 * 1024;

/// The limit for the processor time of a text, in milliseconds. Archives have no such limit,
/// because the limit on the unpacked size already bounds their time.
const TEXT: f64 = 50.0;

fn chart() -> Archive {
    Archive::new().file("chart/Chart.yaml", CHART_YAML)
}

/// The name of a chart, and its layer.
type Sample = (&'static str, Vec<u8>);

fn main() {
    println!("{:<32} {:>10} {:>9} {:>10} {:>9}  error", "chart", "ms", "limit", "MiB", "limit");
    for (name, layer) in texts() {
        measure(name, &layer, Some(TEXT));
    }
    for (name, layer) in archives() {
        measure(name, &layer, None);
    }
}

/// Returns charts with hostile texts.
fn texts() -> Vec<Sample> {
    let values_ui = |text: &str| chart().file("chart/platz/values-ui.yaml", text).pack();
    let many = |count, what: &str| vec![what; count].join(",");
    let level =
        |level: usize| format!("a{level}: &a{level} [{}]", many(9, &format!("*a{}", level - 1)));
    let levels = (1..12).map(level).collect::<Vec<_>>().join("\n");
    let laughs = format!("a0: &a0 [x,x,x,x,x,x,x,x,x]\n{levels}\n");
    let long = "x".repeat((4 << 20) - 2000);
    let form = format!("inputs: [{{id: a, type: text, label: {long}}}]\noutputs: {{values: []}}\n");
    vec![
        (
            "a usual chart",
            chart()
                .file("chart/platz/values-ui.yaml", "inputs: []\noutputs: {values: []}\n")
                .pack(),
        ),
        ("YAML: aliases of aliases", values_ui(&laughs)),
        (
            "YAML: a list, 9,000 times",
            values_ui(&format!("a: &a [{}]\nb: [{}]\n", many(20_000, "x"), many(9_000, "*a"))),
        ),
        ("YAML: 100,000 brackets", values_ui(&format!("inputs: {}", "[".repeat(100_000)))),
        (
            "YAML: 100,000 lists in lists",
            values_ui(&format!("inputs:\n  {}", "- ".repeat(100_000))),
        ),
        ("YAML: a million values", values_ui(&format!("inputs: [{}]", many(1_000_000, "x")))),
        ("YAML: one text of 4 MiB", values_ui(&form)),
        (
            "JSON: 100,000 brackets",
            chart().file("chart/values.ui.json", "[".repeat(100_000)).pack(),
        ),
        (
            "JSON: a million values",
            chart().file("chart/features.json", format!("[{}1]", "1,".repeat(1_000_000))).pack(),
        ),
    ]
}

/// Returns hostile archives.
fn archives() -> Vec<Sample> {
    let entry = Archive::new().file("chart/templates/x", "").into_bytes();
    let zeros = vec![0; 1 << 30];
    vec![
        (
            "gzip: 1 GiB of zeros",
            chart().claiming("chart/zeros", EntryType::Regular, 1 << 30, &zeros).pack(),
        ),
        (
            "gzip: 200 MiB in five members",
            chart()
                .file("chart/zeros", vec![0; 200 << 20])
                .into_bytes()
                .chunks(40 << 20)
                .flat_map(gzip)
                .collect(),
        ),
        ("tar: a million entries", chart().raw(&entry.repeat(1_000_000)).pack()),
        (
            "tar: a name of 64 MiB",
            chart().entry("x", EntryType::GNULongName, &vec![0; 64 << 20]).pack(),
        ),
    ]
}

fn measure(name: &str, layer: &[u8], limit: Option<f64>) {
    // Resets the peak: see proc_pid_clear_refs(5).
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (before, began) = (peak(), processor_time());
    let contents = read(layer);
    let (took, above) = (processor_time() - began, peak().saturating_sub(before));
    let error = contents.error.unwrap_or_else(|| "none".to_owned());
    let limit = limit.map_or_else(|| "-".to_owned(), |limit| format!("{limit:.0}"));
    println!("{name:<32} {took:>10.2} {limit:>9} {:>10} {:>9}  {error}", above / MIB, MEMORY / MIB);
}

fn read(layer: &[u8]) -> Contents {
    let mut unpacked = Layer::default();
    let mut rest = layer;
    while unpacked.feed(&mut rest) == Fed::LargeFileNext || unpacked.end() == Fed::LargeFileNext {
        unpacked.allow_large();
    }
    contents_of_layer(unpacked)
}

/// Returns the peak memory of this process, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Returns the processor time of this thread, in milliseconds.
fn processor_time() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    told.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e6
}
