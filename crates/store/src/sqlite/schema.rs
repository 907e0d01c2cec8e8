//! The steps of the schema, and bringing a database up to date. A database that a newer version wrote is refused.

use std::path::Path;

use sqlx::{Connection as _, SqlitePool};

use crate::StoreError;

/// Step `n` leads to version `n + 1`. A step that was published never changes.
const STEPS: &[&str] =
    &[include_str!("../../schema/0001_jobs_and_files.sql"), include_str!("../../schema/0002_sessions.sql")];

/// Applies the steps that are missing, each in a transaction with its mark: a crash leaves a version that is whole.
pub(super) async fn migrate(pool: &SqlitePool, database: &Path) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS schema_steps (version BIGINT NOT NULL PRIMARY KEY)")
        .execute(&mut *connection)
        .await?;
    let found: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM schema_steps").fetch_one(&mut *connection).await?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::Newer { path: database.to_owned(), found, known });
    }
    for (version, step) in (1_i64..).zip(STEPS).filter(|(version, _)| *version > found) {
        let mut transaction = connection.begin().await?;
        sqlx::raw_sql(step).execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO schema_steps (version) VALUES ($1)").bind(version).execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    Ok(())
}
