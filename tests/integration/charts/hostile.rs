//! Charts made to cause harm. Each chart is valid except for its hostile part. Discovery must still
//! find the good chart beside it.

use tar::EntryType;
use tests::chart::{Archive, CHART_YAML, gzip};
use tests::function::Function;

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, instance};

/// The memory, in bytes, that a poller may use above its idle state.
const MEMORY: u64 = 64 * 1024 * 1024;

fn chart() -> Archive {
    Archive::new().file("chart/Chart.yaml", CHART_YAML)
}

/// Returns bytes that compress badly and are the same in each run.
fn noise(size: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..)).take(size).collect()
}

/// Starts a poller that has done one pass. Returns the poller and its peak memory.
async fn idle(stack: &Stack) -> (Function, u64) {
    let function = stack.oci_poll().await;
    stack.pusher.push_chart("good/chart", "1.0.0", "").await.unwrap();
    assert_eq!(function.invoke(&stack.instance()).await.unwrap()["broken"], 0);
    let peak = function.memory_peak().unwrap();
    (function, peak)
}

/// Pushes layers and checks the memory that a pass uses. Returns the errors of the rows in order.
async fn errors_of(what: &str, layers: &[Vec<u8>]) -> Vec<Option<String>> {
    let stack = Stack::new().await;
    let (function, idle) = idle(&stack).await;
    for (n, layer) in layers.iter().enumerate() {
        stack.pusher.push_archive("hostile/chart", &format!("1.{n}.0"), layer).await.unwrap();
    }
    stack.pusher.push_chart("good/chart", "2.0.0", "2").await.unwrap();
    let summary = function.invoke(&stack.instance()).await.unwrap();
    assert_summary!(summary, added = layers.len() + 1, complete = true);
    let above = function.memory_peak().unwrap() - idle;
    println!("{what}: {} MiB above idle", above / 1024 / 1024);
    assert!(above < MEMORY, "{what}: {} MiB", above / 1024 / 1024);
    let sql = "SELECT chart.error FROM helm_charts AS chart JOIN helm_registries AS registry
            ON registry.id = chart.helm_registry_id AND repo_name = 'hostile/chart'
        WHERE chart.available ORDER BY split_part(image_tag, '.', 2)::int";
    stack.rows.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn error_of(what: &str, layer: Vec<u8>) -> String {
    errors_of(what, &[layer]).await.remove(0).unwrap_or_else(|| "it is not broken".to_owned())
}

/// Hostile input 1.
#[tokio::test]
async fn gzip_bomb_is_stopped_at_the_limit() {
    let gibibyte = vec![0; 1 << 30];
    let bomb = chart().claiming("chart/zeros", EntryType::Regular, 1 << 30, &gibibyte).pack();
    assert!(bomb.len() < 2 << 20);
    assert_eq!(
        error_of("gzip bomb", bomb).await,
        "the chart layer unpacks to more than 134217728 bytes"
    );
}

/// Hostile input 2.
#[tokio::test]
async fn gzip_members_share_one_limit() {
    // The members together are the archive, no matter where it is cut.
    let members = |archive: Archive| -> Vec<u8> {
        let bytes = archive.raw(&[0; 1024]).into_bytes();
        bytes.chunks(40 << 20).flat_map(gzip).collect()
    };
    let within = chart().file("chart/zeros", vec![0; 100 << 20]);
    let past = chart().file("chart/zeros", vec![0; 140 << 20]);
    let errors = errors_of("gzip members", &[members(within), members(past)]).await;
    assert_eq!(
        errors,
        [None, Some("the chart layer unpacks to more than 134217728 bytes".to_owned())]
    );
}

/// Hostile input 3.
#[tokio::test]
async fn too_many_entries_make_a_chart_broken() {
    let entry = Archive::new().file("chart/templates/x", "").into_bytes();
    let many = chart().raw(&entry.repeat(200_000)).pack();
    assert_eq!(error_of("many entries", many).await, "the archive has more than 20000 entries");
}

/// Hostile input 4.
#[tokio::test]
async fn entry_with_two_sizes_makes_a_chart_broken() {
    let smuggled =
        Archive::new().file("chart/Chart.yaml", "apiVersion: v2\nname: smuggled\nversion: 1.0.0\n");
    let two = chart().pax("size", "512").claiming(
        "chart/x",
        EntryType::Regular,
        1536,
        &smuggled.into_bytes(),
    );
    let same = Archive::new()
        .pax("size", &CHART_YAML.len().to_string())
        .file("chart/Chart.yaml", CHART_YAML);
    let none = chart().pax("size", "many").file("chart/x", "");
    let errors = errors_of("two sizes", &[two.pack(), same.pack(), none.pack()]).await;
    let expected =
        "the archive gives an entry two sizes, 1536 in its header and 512 in its extended header";
    assert_eq!(errors[0].as_deref(), Some(expected));
    assert_eq!(errors[1], None);
    assert!(
        errors[2].as_deref().unwrap().ends_with("an extended header cannot be read"),
        "{errors:?}"
    );
}

/// Hostile input 5.
#[tokio::test]
async fn paths_that_lead_out_of_the_chart_are_ignored() {
    let evil = "apiVersion: v2\nname: evil\nversion: 6.6.6\n";
    let layers = [
        "../Chart.yaml",
        "chart/../Chart.yaml",
        "chart/../../chart/Chart.yaml",
        "/chart/Chart.yaml",
        "/etc/cron.d/x",
        "C:\\chart\\Chart.yaml",
        "chart/x/../Chart.yaml",
        "chart/charts/sub/Chart.yaml",
        "Chart.yaml",
    ]
    .map(|path| chart().file(path, evil).pack());
    assert!(errors_of("paths", &layers).await.iter().all(Option::is_none));
    // A NUL ends the name in a header, so that this entry is a second Chart.yaml.
    let cut = chart().file("chart/Chart.yaml\0.txt", evil).pack();
    assert_eq!(
        error_of("a path with a NUL", cut).await,
        "the archive has more than one Chart.yaml"
    );
    // Helm takes the backslash as a separator.
    let windows = chart().file("chart\\Chart.yaml", evil).pack();
    assert_eq!(
        error_of("a path of Windows", windows).await,
        "the archive has more than one Chart.yaml"
    );
    let alone = Archive::new().file("../Chart.yaml", evil).pack();
    assert_eq!(
        error_of("a path above", alone).await,
        "the archive has no Chart.yaml in its folder"
    );
}

/// Hostile input 6.
#[tokio::test]
async fn entries_that_are_not_files_are_ignored() {
    let sparse = {
        // The old GNU format continues the map in a block after the header.
        let mut header = tar::Header::new_gnu();
        header.set_path("chart/sparse").unwrap();
        header.set_entry_type(EntryType::GNUSparse);
        header.set_size(0);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.isextended = [1];
        gnu.realsize = *b"77777777777\0";
        header.set_cksum();
        [header.as_bytes().as_slice(), &[0; 512]].concat()
    };
    let kinds = [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Directory,
    ];
    let mut layers: Vec<Vec<u8>> = kinds
        .iter()
        .map(|kind| chart().entry("chart/platz/values-ui.yaml", *kind, b"").pack())
        .collect();
    layers.push(Archive::new().raw(&sparse).file("chart/Chart.yaml", CHART_YAML).pack());
    // A link does not replace the required file.
    layers.push(Archive::new().entry("chart/Chart.yaml", EntryType::Symlink, b"").pack());
    let mut errors = errors_of("no files", &layers).await;
    assert_eq!(
        errors.pop().unwrap().as_deref(),
        Some("the archive has no Chart.yaml in its folder")
    );
    assert!(errors.iter().all(Option::is_none), "{errors:?}");
}

/// Hostile input 7.
#[tokio::test]
async fn two_charts_in_one_archive_make_it_broken() {
    let twice = chart().file("chart/Chart.yaml", CHART_YAML).pack();
    let elsewhere = chart().file("other/Chart.yaml", CHART_YAML).pack();
    let dotted = chart().file("./chart/./Chart.yaml", CHART_YAML).pack();
    for error in errors_of("two Chart.yaml", &[twice, elsewhere, dotted]).await {
        assert_eq!(error.as_deref(), Some("the archive has more than one Chart.yaml"));
    }
}

/// Hostile input 8.
#[tokio::test]
async fn name_of_ten_megabytes_makes_a_chart_broken() {
    let named = |name: &str| {
        Archive::new()
            .file("chart/Chart.yaml", format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"))
            .pack()
    };
    let layers =
        [named(&"n".repeat(10 << 20)), named(&"n".repeat(3 << 20)), named(".."), named(".")];
    let expected = [
        "Chart.yaml has 10485797 bytes; the limit is 4194304",
        "has 3145728 bytes; the limit is 512",
        "Chart.yaml: name \"..\" cannot be the name of a folder",
        "Chart.yaml: name \".\" cannot be the name of a folder",
    ];
    for (error, expected) in errors_of("names", &layers).await.into_iter().zip(expected) {
        assert!(error.as_deref().unwrap().contains(expected), "{error:?}");
    }
}

/// Hostile inputs 9 and 10.
#[tokio::test]
async fn yaml_bombs_break_only_their_own_chart() {
    let with = |yaml: &str| chart().file("chart/platz/values-ui.yaml", yaml).pack();
    let aliases =
        format!("a: &a [{}]\nb: [{}]\n", vec!["x"; 20_000].join(","), vec!["*a"; 9_000].join(","));
    let deep = |what: &str| with(&format!("inputs:\n- {}", what.repeat(100_000)));
    let layers = [with(&aliases), deep("["), deep("- ")];
    let errors = errors_of("YAML bombs", &layers).await;
    let file = "platz/values-ui.yaml";
    assert_eq!(
        errors[0].as_deref(),
        Some(&*format!("{file} has more than 50000 values after its aliases are expanded"))
    );
    for error in &errors[1..] {
        assert_eq!(error.as_deref(), Some(&*format!("{file} is nested deeper than 64 levels")));
    }
}

/// Hostile input 11.
#[tokio::test]
async fn references_in_a_schema_are_not_followed() {
    let stack = Stack::new().await;
    let elsewhere = FakeRegistry::start().await;
    let refs = ["file:///dev/zero", "http://169.254.169.254/", &elsewhere.url()];
    let options = refs.map(|target| format!("{{\"value\": {{\"$ref\": \"{target}\"}}}}")).join(",");
    let ui = format!(
        "{{\"inputs\": [{{\"id\": \"a\", \"type\": \"text\", \"label\": \"A\", \"options\": \
         [{options}]}}], \
         \"outputs\": {{\"values\": []}}}}"
    );
    let layer = chart().file("chart/values.ui.json", &ui).pack();
    stack.pusher.push_archive("hostile/chart", "1.0.0", &layer).await.unwrap();
    let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    assert_summary!(summary, added = 1, broken = 0);
    let stored = "SELECT values_ui->'inputs'->0->'options'->2->'value'->>'$ref' FROM helm_charts";
    assert_eq!(
        stack.rows.query_one(stored, &[]).await.unwrap().get::<_, String>(0),
        elsewhere.url()
    );
    assert!(elsewhere.asked().is_empty());
}

/// Hostile input 12.
#[tokio::test]
async fn nul_in_metadata_is_removed_before_storing() {
    let stack = Stack::new().await;
    let layer = Archive::new()
        .file(
            "chart/Chart.yaml",
            "apiVersion: v2\nname: chart\nversion: 1.0.0\ndescription: \"a\\0b\"\n",
        )
        .file(
            "chart/values.ui.json",
            "{\"inputs\":[{\"id\":\"a\\u0000b\",\"type\":\"text\",\"label\":\"\\u0000\"}]}",
        );
    stack.pusher.push_archive("hostile/chart", "1.0.0", &layer.pack()).await.unwrap();
    let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    assert_summary!(summary, added = 1, broken = 0);
    let stored = "SELECT description || (chart.values_ui->'inputs'->0->>'id')
        FROM helm_charts AS chart
        JOIN helm_chart_contents ON digest = image_digest";
    assert_eq!(stack.rows.query_one(stored, &[]).await.unwrap().get::<_, String>(0), "abab");
}

/// Hostile input 13.
#[tokio::test]
async fn overlong_text_is_refused_before_the_database() {
    let long = "v".repeat(9_000);
    let layer = Archive::new()
        .file("chart/Chart.yaml", format!("apiVersion: v2\nname: chart\nversion: {long}\n"));
    let error = error_of("an overlong version", layer.pack()).await;
    assert!(
        error.contains("version") && error.ends_with("has 9000 bytes; the limit is 512"),
        "{error}"
    );
}

/// Hostile input 21.
#[tokio::test]
async fn layer_of_another_size_than_claimed_makes_a_chart_broken() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]);
    fake.tags("a", &["1.0.0", "2.0.0"]);
    fake.chart("a", "2.0.0", "x");
    fake.chart_of_size("a", "1.0.0", &chart().file("chart/x", "").pack(), 7);
    let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    assert_summary!(summary, added = 2, broken = 1);
    let stored =
        "SELECT chart_name || ': ' || error FROM helm_chart_contents WHERE error IS NOT NULL";
    let error: String = stack.rows.query_one(stored, &[]).await.unwrap().get(0);
    assert!(
        error.starts_with("chart: the chart layer has ")
            && error.ends_with(" bytes and the manifest says 7"),
        "{error}"
    );
}

#[tokio::test]
async fn damaged_archives_are_named_in_the_error() {
    let whole = chart().file("chart/noise", noise(100_000)).pack();
    let cut = whole[..whole.len() - 500].to_vec();
    let mut header = Archive::new().file("chart/x", "").into_bytes();
    header[0] ^= 1;
    let wrong_sum = chart().raw(&header).pack();
    let layers =
        [cut, wrong_sum, b"PK\x03\x04 a zip".to_vec(), Vec::new(), gzip(b""), gzip(b"short")];
    let expected = [
        "the chart layer is not an intact tar archive, compressed with gzip: ",
        "the checksum of an entry's header is wrong",
        "the chart layer is not an intact tar archive, compressed with gzip: invalid gzip header",
        "the chart layer is not an intact tar archive, compressed with gzip: ",
        "the archive has no Chart.yaml in its folder",
        "the chart layer is not an intact tar archive, compressed with gzip: ",
    ];
    for (error, expected) in errors_of("damaged archives", &layers).await.into_iter().zip(expected)
    {
        assert!(
            error.as_deref().unwrap_or_default().contains(expected),
            "{error:?} is not {expected}"
        );
    }
    // These paths are longer than a header allows, in the formats of PAX and GNU.
    let folder = "c".repeat(120);
    let pax =
        Archive::new().pax("path", &format!("{folder}/Chart.yaml")).file("x", CHART_YAML).pack();
    let path = format!("{folder}/Chart.yaml\0");
    let gnu = Archive::new()
        .entry("././@LongLink", EntryType::GNULongName, path.as_bytes())
        .file("x", CHART_YAML)
        .pack();
    let attribute =
        Archive::new().pax("SCHILY.xattr.x", "a\nb=\n").file("chart/Chart.yaml", CHART_YAML).pack();
    let link =
        chart().claiming("chart/link", EntryType::Symlink, 512, b"").file("chart/x", "").pack();
    assert_eq!(errors_of("usual headers", &[attribute, link]).await, [None, None]);
    let endless = chart()
        .entry("././@LongLink", EntryType::GNULongName, &vec![b'n'; 70_000])
        .file("x", "")
        .pack();
    let errors = errors_of("long names", &[pax, gnu, endless]).await;
    let too_long =
        "the archive has a description of 70000 bytes for one entry; the limit is 65536".to_owned();
    assert_eq!(errors, [None, None, Some(too_long)]);
}
