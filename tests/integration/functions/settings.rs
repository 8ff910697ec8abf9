//! Unusable settings: the function writes one line that names the variable but no secret.

use serde_json::json;
use shared::domain::Digest;
use tests::function::Function;
use tests::moto::Moto;
use tests::postgres::TestDatabase;
use tests::tools;
use tokio::process::Command;
use url::Url;

use crate::support::aws_proxy::{AwsProxy, Fault};
use crate::support::stack::{batch, event, failed, instance};

const FUNCTIONS: [&str; 4] = ["ecr-events", "oci-poll", "migrate", "tag-parser"];

/// The URL of a server that refuses connections, because no program listens on port 9.
const NO_DATABASE: &str = "postgres://user:hunter2@127.0.0.1:9/charts";

#[tokio::test]
async fn unusable_variable_is_named_in_one_line() {
    for (settings, variable) in [
        (vec![], "DATABASE_URL is not set"),
        (vec![("DATABASE_URL", "mysql://u:hunter2@db/x")], "DATABASE_URL cannot be used"),
        (
            vec![("DATABASE_URL", NO_DATABASE), ("METRICS_NAMESPACE", "a b")],
            "METRICS_NAMESPACE cannot be used",
        ),
        (vec![("DATABASE_URL", "postgres://u:hunter2@db:x/y")], "DATABASE_URL cannot be used"),
        (
            vec![("DATABASE_URL", NO_DATABASE), ("DATABASE_SECRET_ARN", "arn")],
            "DATABASE_SECRET_ARN cannot be used",
        ),
        (
            vec![("DATABASE_URL", NO_DATABASE), ("DATABASE_CA_FILE", "/nowhere")],
            "cannot set up TLS for the database",
        ),
    ] {
        for name in FUNCTIONS {
            let function =
                Function::start(name, &[&[("CURSOR_TABLE", "none")], &settings[..]].concat())
                    .await
                    .unwrap();
            let (status, lines) = function.wait().await.unwrap();
            assert!(!status.success(), "{name} {variable}");
            assert_eq!(lines.len(), 1, "{name}: {lines:?}");
            assert!(lines[0].starts_with(&format!("{name}: {variable}")), "{lines:?}");
            assert!(!lines[0].contains("hunter2"), "{lines:?}");
        }
    }
}

#[tokio::test]
async fn poller_without_a_cursor_table_does_not_start() {
    let function = Function::start("oci-poll", &[("DATABASE_URL", NO_DATABASE)]).await.unwrap();
    let (status, lines) = function.wait().await.unwrap();
    assert!(!status.success() && lines.len() == 1, "{lines:?}");
    assert!(
        lines[0]
            .starts_with("oci-poll: CURSOR_TABLE is not set: give the name of a DynamoDB table"),
        "{lines:?}"
    );
}

const UNREACHABLE: &str = "cannot connect to the database at 127.0.0.1:9 (from DATABASE_URL)";

/// Starts a function whose database is unreachable.
async fn without_database(name: &'static str) -> Function {
    Function::start(name, &[("DATABASE_URL", NO_DATABASE), ("CURSOR_TABLE", "none")]).await.unwrap()
}

#[tokio::test]
async fn unreachable_database_is_one_line_that_names_the_variable() {
    let migrate =
        without_database("migrate").await.invoke(&json!({})).await.unwrap_err().to_string();
    let fake = crate::support::fake_registry::FakeRegistry::start().await;
    fake.answer("/v2/_catalog?n=1000", json!({"repositories": ["a"]}));
    let poll = without_database("oci-poll")
        .await
        .invoke(&instance(&fake.url()))
        .await
        .unwrap_err()
        .to_string();
    for message in [migrate, poll] {
        assert!(
            message.contains(UNREACHABLE)
                && !message.contains('\n')
                && !message.contains("hunter2"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn silent_database_times_out() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://user:hunter2@{}/charts", silent.local_addr().unwrap());
    let function = Function::start("migrate", &[("DATABASE_URL", &url)]).await.unwrap();
    let message = function.invoke(&json!({})).await.unwrap_err().to_string();
    assert!(message.contains("(from DATABASE_URL): no answer within 5 s"), "{message}");
}

#[tokio::test]
async fn unreachable_database_fails_every_message_and_is_logged_once() {
    let function = without_database("ecr-events").await;
    let digest = Digest::sha256(b"");
    let message = |tag| event("PUSH", "my-org/api", Some(tag), &digest).to_string();
    let messages = batch(&[message("1.0.0"), message("2.0.0")]);
    let answer =
        function.invoke_within(&messages, std::time::Duration::from_secs(3)).await.unwrap();
    assert_eq!(answer, failed(&["m0", "m1"]));
    let said: Vec<String> =
        function.log().into_iter().filter(|line| line.contains("ERROR")).collect();
    assert!(
        said.len() == 1 && said[0].contains(UNREACHABLE) && !said[0].contains("hunter2"),
        "{said:?}"
    );
}

#[tokio::test]
async fn secret_names_the_database() {
    let database = TestDatabase::create().await.unwrap();
    let url: Url = database.url().parse().unwrap();
    let moto = Moto::start().await.unwrap();
    let login = |host: &str, port: u16| {
        let (username, dbname) = (url.username(), url.path().trim_start_matches('/'));
        let password = url.password().unwrap_or("hunter2");
        json!({"username": username, "password": password, "host": host, "port": port, "dbname":
            dbname})
    };
    let migrate = async |arn: &str| {
        let settings = [&moto.settings()[..], &[("DATABASE_SECRET_ARN", arn)]].concat();
        Function::start("migrate", &settings).await.unwrap().invoke(&json!({})).await
    };
    let right = moto
        .create_secret("right", &login(url.host_str().unwrap(), url.port().unwrap_or(5432)))
        .await
        .unwrap();
    assert_eq!(migrate(&right).await.unwrap()["applied"], json!([]));

    // The console writes texts, and RDS's own secret has only the credentials.
    let (host, port) = (url.host_str().unwrap(), url.port().unwrap_or(5432));
    let mut in_text = login(host, port);
    in_text["port"] = json!(port.to_string());
    let in_text = moto.create_secret("in-text", &in_text).await.unwrap();
    assert_eq!(migrate(&in_text).await.unwrap()["applied"], json!([]));
    let mut credentials = login(host, port);
    credentials.as_object_mut().unwrap().retain(|field, _| field != "host" && field != "dbname");
    let credentials = moto.create_secret("credentials", &credentials).await.unwrap();
    let server = format!("postgres://{host}:{port}{}", url.path());
    let both = [("DATABASE_SECRET_ARN", credentials.as_str()), ("DATABASE_URL", server.as_str())];
    let settings = [&moto.settings()[..], &both].concat();
    let migrated =
        Function::start("migrate", &settings).await.unwrap().invoke(&json!({})).await.unwrap();
    assert_eq!(migrated["applied"], json!([]));

    let wrong = moto.create_secret("wrong", &login("127.0.0.1", 9)).await.unwrap();
    let other = moto.create_secret("other", &json!({"password": "hunter2"})).await.unwrap();
    for (arn, expected) in [
        (
            wrong.as_str(),
            "cannot connect to the database at 127.0.0.1:9 (from DATABASE_SECRET_ARN)",
        ),
        (other.as_str(), "it is not JSON with username, password, host"),
        (other.as_str(), "lacks username and host"),
        (credentials.as_str(), "lacks host; set DATABASE_URL"),
        ("no-such-secret", "cannot get the database's login (from DATABASE_SECRET_ARN)"),
    ] {
        let message = migrate(arn).await.unwrap_err().to_string();
        assert!(message.contains(expected) && !message.contains("hunter2"), "{message}");
        assert!(!message.contains('\n') && message.len() < 500, "{message}");
    }
}

/// A deployment makes the role of `migrate` and invokes it seconds later.
#[tokio::test]
async fn migrate_waits_until_its_new_role_may_read_the_secret() {
    let database = TestDatabase::create().await.unwrap();
    let url: Url = database.url().parse().unwrap();
    let moto = Moto::start().await.unwrap();
    let login = json!({"username": url.username(), "password": url.password().unwrap_or("x"),
        "host": url.host_str().unwrap(), "port": url.port().unwrap_or(5432),
        "dbname": url.path().trim_start_matches('/')});
    let secret = moto.create_secret("owner", &login).await.unwrap();
    let settings = moto.settings();
    let proxy = AwsProxy::start(&format!("{}/", settings[0].1)).await;
    proxy.spoil("GetSecretValue", Fault::Deny, 2);
    let settings: Vec<_> = settings
        .into_iter()
        .map(|(name, value)| (name, if value.starts_with("http") { proxy.url() } else { value }))
        .chain([("DATABASE_SECRET_ARN", secret.as_str())])
        .collect();
    let migrate = Function::start("migrate", &settings).await.unwrap();
    assert_eq!(migrate.invoke(&json!({})).await.unwrap()["applied"], json!([]));
    assert!(proxy.calls().len() >= 3, "{:?}", proxy.calls());
}

/// A wrong password in a secret does not become right by waiting.
#[tokio::test]
async fn migrate_waits_for_an_iam_login_but_not_for_a_password() {
    let passwords: std::sync::Arc<std::sync::Mutex<Vec<String>>> = std::sync::Arc::default();
    let port = refusing_server(std::sync::Arc::clone(&passwords)).await;
    let url = |user| format!("postgres://{user}@127.0.0.1:{port}/charts?sslmode=disable");
    let (with_password, by_iam) = (url("discovery:hunter2"), url("discovery"));
    let migrate = async |settings: &[(&str, &str)]| {
        let function = Function::start("migrate", settings).await.unwrap();
        let seconds = std::time::Duration::from_secs(5);
        function.invoke_within(&json!({}), seconds).await.unwrap_err().to_string();
        std::mem::take(&mut *passwords.lock().unwrap()).len()
    };
    assert_eq!(migrate(&[("DATABASE_URL", with_password.as_str())]).await, 1);
    let iam = [
        ("DATABASE_URL", by_iam.as_str()),
        ("DATABASE_IAM_AUTH", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];
    assert!(migrate(&iam).await >= 3);
}

/// Starts a server that asks for passwords in plain text. It records and refuses each password.
async fn refusing_server(passwords: std::sync::Arc<std::sync::Mutex<Vec<String>>>) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut message = vec![0; 8192];
            let _startup = client.read(&mut message).await.unwrap();
            client.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3]).await.unwrap();
            let read = client.read(&mut message).await.unwrap();
            let password = String::from_utf8_lossy(&message[5..read - 1]).into_owned();
            passwords.lock().unwrap().push(password);
            let refusal = b"SFATAL\0C28P01\0Mno\0\0";
            let length = u32::try_from(refusal.len() + 4).unwrap().to_be_bytes();
            client.write_all(&[&b"E"[..], &length, refusal].concat()).await.unwrap();
        }
    });
    port
}

/// Fault 7.
#[tokio::test]
async fn each_connection_gets_its_own_iam_token() {
    let passwords = std::sync::Arc::default();
    let port = refusing_server(std::sync::Arc::clone(&passwords)).await;
    let url = format!("postgres://discovery@127.0.0.1:{port}/charts?sslmode=disable");
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("DATABASE_IAM_AUTH", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("ENABLE_TAG_PARSER", "true"),
    ];
    let function = Function::start("tag-parser", &settings).await.unwrap();
    for _ in 0..2 {
        let error = function.invoke(&json!({})).await.unwrap_err().to_string();
        assert!(
            error.contains("cannot connect to the database") && !error.contains("X-Amz"),
            "{error}"
        );
    }
    let passwords = passwords.lock().unwrap().clone();
    assert_eq!(passwords.len(), 2);
    for password in &passwords {
        let token = Url::parse(&format!("https://{password}")).unwrap();
        assert_eq!((token.host_str(), token.port()), (Some("127.0.0.1"), Some(port)));
        let parameters: std::collections::HashMap<String, String> =
            token.query_pairs().into_owned().collect();
        assert_eq!(
            (parameters["Action"].as_str(), parameters["DBUser"].as_str()),
            ("connect", "discovery")
        );
        assert_eq!(parameters["X-Amz-Expires"], "900");
        assert!(
            parameters["X-Amz-Credential"].ends_with("/us-east-1/rds-db/aws4_request"),
            "{parameters:?}"
        );
        let format =
            time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
        let made = time::PrimitiveDateTime::parse(&parameters["X-Amz-Date"], &format)
            .unwrap()
            .assume_utc();
        assert!(
            time::OffsetDateTime::now_utc() - made < time::Duration::minutes(1),
            "each connection must have its own token"
        );
    }
    assert!(!function.log().concat().contains("hunter2"));
}

#[tokio::test]
async fn function_started_by_hand_explains_how_to_invoke_it() {
    for name in FUNCTIONS {
        let run =
            Command::new(tools::function_binary(name).unwrap()).env_clear().output().await.unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{name}");
        assert!(said.contains("cargo lambda invoke") && said.trim().lines().count() == 1, "{said}");
    }
}
