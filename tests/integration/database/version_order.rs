//! Postgres sorts versions in SemVer's order. The crate `semver` gives the expected order.

use semver::Version;
use tests::postgres::TestDatabase;

/// Makes a version from a few short parts, so that many versions have parts in common.
fn version() -> String {
    let number = || {
        *fastrand::choice(&["0", "1", "2", "9", "10", "11", "99", "100", "18446744073709551615"])
            .unwrap()
    };
    let word = || {
        *fastrand::choice(&[
            "0", "1", "2", "10", "a", "A", "alpha", "b", "rc", "rc1", "-", "0a", "x-y",
        ])
        .unwrap()
    };
    let words = |most| (0..fastrand::usize(1..=most)).map(|_| word()).collect::<Vec<_>>().join(".");
    let core = format!("{}.{}.{}", number(), number(), number());
    let pre_release = if fastrand::bool() { format!("-{}", words(4)) } else { String::new() };
    let build = if fastrand::u8(0..4) == 0 { format!("+{}", words(2)) } else { String::new() };
    core + &pre_release + &build
}

#[tokio::test]
async fn versions_are_ordered_as_semver_orders_them() {
    let database = TestDatabase::create().await.unwrap();
    let rows = database.connect().await.unwrap();
    let seed = fastrand::u64(..);
    fastrand::seed(seed);
    println!("seed {seed}");
    let versions: Vec<String> = (0..3_000).map(|_| version()).collect();
    // Helm writes `+` as `_` in tags. Some users put a `v` before the version.
    let tag = |version: &String| {
        format!("{}{}", if fastrand::bool() { "v" } else { "" }, version.replace('+', "_"))
    };
    let tags: Vec<String> = versions.iter().map(tag).collect();
    let sql =
        "SELECT place, semver_key(tag) FROM unnest($1::text[]) WITH ORDINALITY AS tags (tag, place)
        ORDER BY semver_key(tag) COLLATE \"C\" DESC, place";
    let sorted = rows.query(sql, &[&tags]).await.unwrap();
    let of = |row: &tokio_postgres::Row| {
        let place = usize::try_from(row.get::<_, i64>(0)).unwrap() - 1;
        (Version::parse(&versions[place]).unwrap(), row.get::<_, String>(1))
    };
    for pair in sorted.windows(2) {
        let ((one, one_key), (next, next_key)) = (of(&pair[0]), of(&pair[1]));
        let order = one.cmp_precedence(&next);
        assert!(
            order.is_ge() && order.is_eq() == (one_key == next_key),
            "{one} before {next}, seed {seed}"
        );
    }
}

#[tokio::test]
async fn tag_that_is_not_a_version_has_no_key() {
    let database = TestDatabase::create().await.unwrap();
    let rows = database.connect().await.unwrap();
    for tag in [
        "",
        "latest",
        "1",
        "1.2",
        "01.2.3",
        "1.2.3.4",
        "1.2.3-",
        "1.2.3_",
        "V1.2.3",
        "main-1-abc1234",
        "1.2.3-a..b",
    ] {
        let key: Option<String> =
            rows.query_one("SELECT semver_key($1)", &[&tag]).await.unwrap().get(0);
        assert_eq!(key, None, "{tag}");
    }
}
