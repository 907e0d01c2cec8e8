//! Kept files: a row in SQLite, the bytes in a file of its own, so that none is ever whole in memory to be read.
//!
//! Order makes a crash harmless: a row stands before its bytes and counts against the bounds, but shows only when they are
//! all there; an expired file loses its bytes before its row. What a crash leaves is swept when the folder is opened.

use std::{collections::HashSet, path::PathBuf};

use bytes::Bytes;
use sqlx::Row as _;
use types::ports::{
    Answer, Kept, Moment,
    kept::{FileId, KeptFile, NewFile},
};

use super::{Sqlite, answer, blocking, folder, rows};
use crate::{StoreError, ids::random_bits, limits::READ};

/// How many files are deleted at once.
const BATCH: i64 = 500;

impl Kept for Sqlite {
    fn put(&self, file: NewFile, now: Moment) -> Answer<'_, KeptFile> {
        answer(self.put_file(file, now))
    }

    fn get<'a>(&'a self, id: &'a FileId, now: Moment) -> Answer<'a, Option<KeptFile>> {
        answer(async move {
            let row = sqlx::query("SELECT * FROM files WHERE id = $1 AND expires > $2 AND ready = 1")
                .bind(id.as_str())
                .bind(now.0)
                .fetch_optional(&self.read)
                .await?;
            row.map(|row| rows::file(&row)).transpose()
        })
    }

    fn read<'a>(&'a self, id: &'a FileId, offset: u64, len: usize) -> Answer<'a, Bytes> {
        let path = self.path(id);
        answer(blocking(move || {
            let part = folder::read_part(&path, offset, len.min(READ)).map_err(StoreError::folder(path))?;
            Ok(Bytes::from(part))
        }))
    }

    fn expire(&self, then: Moment) -> Answer<'_, u64> {
        answer(async move {
            let mut expired = 0;
            loop {
                let some: Vec<String> = sqlx::query_scalar("SELECT id FROM files WHERE expires <= $1 LIMIT $2")
                    .bind(then.0)
                    .bind(BATCH)
                    .fetch_all(&self.read)
                    .await?;
                if some.is_empty() {
                    return Ok(expired);
                }
                expired += some.len() as u64;
                self.forget(some).await?;
            }
        })
    }
}

impl Sqlite {
    async fn put_file(&self, new: NewFile, now: Moment) -> Result<KeptFile, StoreError> {
        self.limits.check_file(&new)?;
        let file = KeptFile {
            id: FileId::from_bits(random_bits()?),
            media_type: new.media_type,
            size: new.body.len() as u64,
            created: now,
            expires: new.expires,
        };
        self.announce(&file, new.body.len()).await?;
        let path = self.path(&file.id);
        let written =
            blocking(move || folder::write_new(&path, new.body.into_pieces()).map_err(StoreError::folder(path)));
        if let Err(error) = written.await {
            // The disk is full, perhaps: the room is given back, and the first error is the one to tell.
            self.forget(vec![file.id.as_str().to_owned()]).await.ok();
            return Err(error);
        }
        sqlx::query("UPDATE files SET ready = 1 WHERE id = $1").bind(file.id.as_str()).execute(&self.write).await?;
        Ok(file)
    }

    /// Takes the room for a file whose bytes are about to be written.
    async fn announce(&self, file: &KeptFile, size: usize) -> Result<(), StoreError> {
        let mut transaction = self.write.begin().await?;
        let there = sqlx::query("SELECT COUNT(*) AS files, COALESCE(SUM(size), 0) AS bytes FROM files")
            .fetch_one(&mut *transaction)
            .await?;
        let (files, bytes) = (rows::count(there.try_get("files")?), rows::count(there.try_get("bytes")?));
        self.limits.check_room_for_file(files, bytes, size)?;
        sqlx::query(
            "INSERT INTO files (id, node, media_type, size, created, expires, ready) VALUES ($1, $2, $3, $4, $5, $6, 0)",
        )
        .bind(file.id.as_str())
        .bind(&self.node)
        .bind(&file.media_type)
        .bind(rows::size(size))
        .bind(file.created.0)
        .bind(file.expires.0)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Deletes files, bytes first.
    async fn forget(&self, ids: Vec<String>) -> Result<(), StoreError> {
        let paths: Vec<PathBuf> = ids.iter().map(|id| self.files.join(id)).collect();
        blocking(move || {
            paths.into_iter().try_for_each(|path| folder::delete(&path).map_err(StoreError::folder(path)))
        })
        .await?;
        let mut transaction = self.write.begin().await?;
        for id in &ids {
            sqlx::query("DELETE FROM files WHERE id = $1").bind(id).execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Clears what a crash left: rows whose bytes were never complete, bytes without a row.
    pub(super) async fn sweep(&self) -> Result<(), StoreError> {
        let unready: Vec<String> =
            sqlx::query_scalar("SELECT id FROM files WHERE ready = 0").fetch_all(&self.write).await?;
        if !unready.is_empty() {
            self.forget(unready).await?;
        }
        let folder = self.files.clone();
        let names = blocking(move || folder::names(&folder).map_err(StoreError::folder(folder))).await?;
        if names.is_empty() {
            return Ok(());
        }
        let known: Vec<String> = sqlx::query_scalar("SELECT id FROM files").fetch_all(&self.write).await?;
        let known: HashSet<String> = known.into_iter().collect();
        let orphans: Vec<PathBuf> =
            names.into_iter().filter(|name| !known.contains(name)).map(|name| self.files.join(name)).collect();
        blocking(move || {
            orphans.into_iter().try_for_each(|path| folder::delete(&path).map_err(StoreError::folder(path)))
        })
        .await
    }

    fn path(&self, id: &FileId) -> PathBuf {
        self.files.join(id.as_str())
    }
}
