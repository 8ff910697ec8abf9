//! The files of a release: zips, lists of what is in them, checksums.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tests::tools;
use tokio::process::Command;

const FUNCTIONS: [&str; 6] =
    ["admin", "ecr-events", "migrate", "oci-events", "oci-poll", "tag-parser"];

/// Runs the script.
async fn release(out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(tools::python().unwrap());
    command.arg(tools::workspace().join("infra/scripts/release.py")).arg("--out").arg(out);
    let ended = command.args(more).env("SOURCE_DATE_EPOCH", "1764000000").output().await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    ended
}

/// Makes a folder with binaries, as a compiler leaves them.
fn binaries(folder: &Path) {
    for function in FUNCTIONS {
        let place = folder.join("x86_64").join(function);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("bootstrap"), format!("program {function}").repeat(1000)).unwrap();
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}

#[tokio::test]
async fn zips_have_the_same_bytes_whenever_they_are_made() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    for (given, out) in [("a", "one"), ("b", "two")] {
        // The second folder is younger, and elsewhere.
        binaries(&path(given));
        let given = path(given).display().to_string();
        release(&path(out), &["--binaries", &given]).await;
    }
    assert_eq!(read(&path("one/SHA256SUMS")), read(&path("two/SHA256SUMS")));
    for function in FUNCTIONS {
        let zip = format!("x86_64/{function}.zip");
        assert_eq!(read(&path("one").join(&zip)), read(&path("two").join(&zip)), "{function}");
    }
}

#[tokio::test]
async fn zip_has_one_program_that_lambda_may_execute() {
    let scratch = tempfile::tempdir().unwrap();
    let given = scratch.path().join("given");
    binaries(&given);
    let out = scratch.path().join("out");
    release(&out, &["--binaries", given.to_str().unwrap()]).await;
    let list = "import sys, zipfile; print([(one.filename, oct(one.external_attr >> 16), \
                one.date_time, one.file_size) for one in zipfile.ZipFile(sys.argv[1]).infolist()])";
    let listed = Command::new(tools::python().unwrap())
        .args(["-c", list])
        .arg(out.join("x86_64/admin.zip"))
        .output()
        .await
        .unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert_eq!(listed.trim(), "[('bootstrap', '0o100755', (2025, 11, 24, 16, 0, 0), 13000)]");
}

#[tokio::test]
async fn checksums_are_those_that_sha256sum_checks() {
    let scratch = tempfile::tempdir().unwrap();
    let given = scratch.path().join("given");
    binaries(&given);
    let out = scratch.path().join("out");
    let made = release(&out, &["--binaries", given.to_str().unwrap()]).await;
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(said.contains("arm64: skipped, there is no"), "{said}");
    let checked =
        Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(&out).output();
    let checked = checked.await.unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(checked.lines().count(), 2 * FUNCTIONS.len());
}

#[tokio::test]
async fn files_of_others_in_the_folder_are_kept() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path();
    for (file, is_kept) in [("notes.txt", true), ("docs/a.txt", true), ("x86_64/old.zip", false)] {
        let path = out.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
        release(out, &["--binaries", "/nowhere"]).await;
        assert_eq!(path.exists(), is_kept, "{file}");
    }
    let sums = String::from_utf8(read(&out.join("SHA256SUMS"))).unwrap();
    assert!(!sums.contains("notes.txt"), "{sums}");
}

/// Returns the names of the crates in a list.
fn crates(out: &Path, function: &str) -> BTreeSet<String> {
    let list = read(&out.join(format!("sbom/{function}.cdx.json")));
    let list: Value = serde_json::from_slice(&list).unwrap();
    assert_eq!((&list["bomFormat"], &list["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert_eq!(list["metadata"]["component"]["name"], function);
    let components = list["components"].as_array().unwrap();
    for component in components {
        let is_ours = component["name"] == "shared";
        assert!(is_ours || component["hashes"][0]["content"].is_string(), "{component}");
    }
    components.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn list_names_what_is_linked_into_a_function_and_nothing_else() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("out");
    release(&out, &["--binaries", "/nowhere"]).await;
    let of_migrate = crates(&out, "migrate");
    for (name, is_linked) in [
        ("refinery", true),
        ("tokio-postgres", true),
        ("shared", true),
        // Another function needs the first of these, and tests need the others.
        ("maud", false),
        ("insta", false),
        ("tests", false),
    ] {
        assert_eq!(of_migrate.contains(name), is_linked, "{name}: {of_migrate:?}");
    }
    assert!(crates(&out, "admin").contains("maud"));
    let text = String::from_utf8(read(&out.join("sbom/migrate.cdx.json"))).unwrap();
    assert!(!text.contains(tools::workspace().to_str().unwrap()), "it has a path of this machine");
}
