//! The promises of the handle, on both engines.

use crate::{Component, Database, DbError, both, harness, transaction};
use sqlx::Row as _;

const COUNTER: Component = Component {
    name: "test",
    migrations: &[
        "CREATE TABLE counter(id {autoid}, name {text} NOT NULL UNIQUE, n {int} NOT NULL, x {real}, raw {blob}) {strict}; \
         INSERT INTO counter(name, n) VALUES ('a', 0), ('b', 0)",
        "CREATE INDEX counter_by_n ON counter(n)",
    ],
};

async fn add(db: &Database, name: &str, by: i64) -> Result<i64, DbError> {
    transaction!(db, |tx| -> Result<i64, DbError> {
        let n: i64 = sqlx::query_scalar("SELECT n FROM counter WHERE name = $1").bind(name).fetch_one(&mut *tx).await?;
        tokio::task::yield_now().await;
        sqlx::query("UPDATE counter SET n = $1 WHERE name = $2").bind(n + by).bind(name).execute(&mut *tx).await?;
        Ok(n + by)
    })
}

#[test]
fn concurrent_read_modify_writes_lose_nothing() {
    both(async |db| {
        db.migrate(&COUNTER).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let db = db.clone();
            tasks.spawn(async move {
                for _ in 0..10 {
                    add(&db, "a", 1).await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!(add(&db, "a", 0).await.unwrap(), 40);
    });
}

#[test]
fn a_failed_body_leaves_nothing() {
    both(async |db| {
        db.migrate(&COUNTER).await.unwrap();
        let failed = transaction!(db, |tx| -> Result<(), DbError> {
            sqlx::query("UPDATE counter SET n = 7").execute(&mut *tx).await?;
            sqlx::query("INSERT INTO counter(name, n) VALUES ('a', 1)").execute(&mut *tx).await?;
            Ok(())
        });
        assert!(failed.is_err());
        assert_eq!(add(&db, "a", 0).await.unwrap(), 0);
    });
}

#[test]
fn every_type_comes_back_as_it_went_in() {
    both(async |db| {
        db.migrate(&COUNTER).await.unwrap();
        let id: i64 = transaction!(db, |tx| -> Result<i64, DbError> {
            let insert = "INSERT INTO counter(name, n, x, raw) VALUES ($1, $2, $3, $4) RETURNING id";
            let query = sqlx::query_scalar(insert).bind("合成示范区").bind(i64::MIN).bind(2.0_f64);
            Ok(query.bind(&b"\x00\xff"[..]).fetch_one(&mut *tx).await?)
        })
        .unwrap();
        let mut read = db.read().await.unwrap();
        let row = sqlx::query("SELECT name, n, x, raw FROM counter WHERE id = $1");
        let row = row.bind(id).fetch_one(&mut *read).await.unwrap();
        assert_eq!(row.get::<String, _>(0), "合成示范区");
        assert_eq!(row.get::<i64, _>(1), i64::MIN);
        assert!((row.get::<f64, _>(2) - 2.0).abs() < f64::EPSILON);
        assert_eq!(row.get::<Vec<u8>, _>(3), b"\x00\xff");
        let none = sqlx::query("SELECT x, raw FROM counter WHERE name = 'a'").fetch_one(&mut *read).await.unwrap();
        assert_eq!(none.get::<Option<f64>, _>(0), None);
        assert_eq!(none.get::<Option<Vec<u8>>, _>(1), None);
        transaction!(db, |tx| -> Result<(), DbError> {
            let update = sqlx::query("UPDATE counter SET x = $1, raw = $2 WHERE id = $3");
            update.bind(None::<f64>).bind(None::<Vec<u8>>).bind(id).execute(&mut *tx).await?;
            Ok(())
        })
        .unwrap();
    });
}

#[test]
fn text_is_ordered_by_bytes() {
    both(async |db| {
        db.migrate(&COUNTER).await.unwrap();
        transaction!(db, |tx| -> Result<(), DbError> {
            for name in ["B", "_", "ä", "中"] {
                sqlx::query("INSERT INTO counter(name, n) VALUES ($1, 1)").bind(name).execute(&mut *tx).await?;
            }
            Ok(())
        })
        .unwrap();
        let mut read = db.read().await.unwrap();
        let names = sqlx::query_scalar("SELECT name FROM counter ORDER BY name");
        let names: Vec<String> = names.fetch_all(&mut *read).await.unwrap();
        assert_eq!(names, ["B", "_", "a", "b", "ä", "中"]);
    });
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    both(async |db| {
        assert_eq!(db.migrate(&Component { name: "test", migrations: &COUNTER.migrations[..1] }).await.unwrap(), 0);
        assert_eq!(db.migrate(&COUNTER).await.unwrap(), 1);
        assert_eq!(db.migrate(&COUNTER).await.unwrap(), 2);
        let older = Component { name: "test", migrations: &COUNTER.migrations[..1] };
        let error = db.migrate(&older).await.unwrap_err();
        assert!(matches!(error, DbError::Newer { found: 2, known: 1, .. }), "{error}");
        assert!(error.to_string().contains("newer version"));
    });
}

#[test]
fn a_failing_migration_leaves_the_version_before() {
    both(async |db| {
        const BROKEN: Component =
            Component { name: "test", migrations: &[COUNTER.migrations[0], "CREATE TABLE t(id {int}); NONSENSE"] };
        assert!(matches!(db.migrate(&BROKEN).await, Err(DbError::Migration { version: 2, .. })));
        assert_eq!(db.migrate(&COUNTER).await.unwrap(), 0);
    });
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    for target in harness::targets() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let db = Database::open(target.options.clone()).await.unwrap();
            db.migrate(&COUNTER).await.unwrap();
            add(&db, "a", 5).await.unwrap();
            let open = db.begin().await.unwrap();
            drop(open);
            db.close().await;
            let db = Database::open(target.options.clone()).await.unwrap();
            assert_eq!(db.migrate(&COUNTER).await.unwrap(), 2);
            assert_eq!(add(&db, "a", 0).await.unwrap(), 5);
        });
    }
}

#[test]
fn a_snapshot_sees_one_state() {
    both(async |db| {
        db.migrate(&COUNTER).await.unwrap();
        let mut snapshot = db.snapshot().await.unwrap();
        let count = "SELECT n FROM counter WHERE name = 'a'";
        let before: i64 = sqlx::query_scalar(count).fetch_one(&mut *snapshot).await.unwrap();
        add(&db, "a", 3).await.unwrap();
        let after: i64 = sqlx::query_scalar(count).fetch_one(&mut *snapshot).await.unwrap();
        assert_eq!((before, after), (0, 0));
    });
}

#[test]
fn an_unknown_scheme_is_told_without_its_password() {
    let error = crate::Options::url("mysql://me:secret@host/db").unwrap_err().to_string();
    assert!(error.contains("mysql") && !error.contains("secret"), "{error}");
}
