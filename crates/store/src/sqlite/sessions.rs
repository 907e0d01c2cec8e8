//! Sessions in SQLite. Each change is one transaction.

use bytes::Bytes;
use sqlx::{Row as _, Sqlite as Db, Transaction, sqlite::SqliteRow};
use types::ports::{
    Answer, Moment, PortError, Sessions,
    jobs::Owner,
    sessions::{Ending, History, Item, NewSession, Session, SessionId},
};

use super::{Sqlite, answer, rows};
use crate::{
    StoreError,
    limits::{SessionsThere, weight},
};

/// Ids looked up with one statement at most.
const IDS: usize = 500;

impl Sessions for Sqlite {
    fn create(&self, new: NewSession, now: Moment) -> Answer<'_, ()> {
        answer(self.create_session(new, now))
    }

    fn get<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, now: Moment) -> Answer<'a, Option<Session>> {
        answer(async move {
            let row = sqlx::query(
                "SELECT body, ended, created, expires FROM sessions
                 WHERE id = $1 AND owner = $2 AND expires > $3 AND deleted = 0",
            )
            .bind(id.as_str())
            .bind(owner.as_str())
            .bind(now.0)
            .fetch_optional(&self.read)
            .await?;
            row.map(|row| session(&row)).transpose()
        })
    }

    fn history<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, now: Moment) -> Answer<'a, Option<History>> {
        answer(self.history_of(owner, id, now))
    }

    fn told<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, now: Moment) -> Answer<'a, Option<Bytes>> {
        answer(async move {
            let body: Option<Vec<u8>> = sqlx::query_scalar(
                "SELECT session_streams.body FROM session_streams JOIN sessions ON sessions.id = session_streams.session
                 WHERE sessions.id = $1 AND owner = $2 AND expires > $3 AND deleted = 0",
            )
            .bind(id.as_str())
            .bind(owner.as_str())
            .bind(now.0)
            .fetch_optional(&self.read)
            .await?;
            Ok(body.map(Bytes::from))
        })
    }

    fn items<'a>(&'a self, owner: &'a Owner, ids: &'a [String], now: Moment) -> Answer<'a, Vec<Item>> {
        answer(async move {
            let mut found = Vec::new();
            for some in ids.chunks(IDS) {
                found.extend(self.items_of(owner, some, now).await?);
                self.limits.check_history(weight(&found))?;
            }
            Ok(found)
        })
    }

    fn end<'a>(&'a self, id: &'a SessionId, ending: Ending, _now: Moment) -> Answer<'a, ()> {
        answer(self.end_session(id, ending))
    }

    fn amend<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, body: Bytes, now: Moment) -> Answer<'a, bool> {
        answer(async move {
            let done = sqlx::query(
                "UPDATE sessions SET body = $1, bytes = bytes - length(body) + length($1)
                 WHERE id = $2 AND owner = $3 AND expires > $4 AND deleted = 0 AND ended = 1",
            )
            .bind(&body[..])
            .bind(id.as_str())
            .bind(owner.as_str())
            .bind(now.0)
            .execute(&self.write)
            .await?;
            Ok(done.rows_affected() > 0)
        })
    }

    fn append<'a>(
        &'a self,
        owner: &'a Owner,
        id: &'a SessionId,
        items: Vec<Item>,
        expires: Moment,
        now: Moment,
    ) -> Answer<'a, bool> {
        answer(async move {
            let mut transaction = self.write.begin().await?;
            let there = find(&mut transaction, owner, id, now).await?;
            if there.is_none_or(|there| !there.ended) {
                return Ok(false);
            }
            self.make_room(&mut transaction, owner.as_str(), None, 0, weight(&items)).await?;
            self.add(&mut transaction, id, &items, Some(expires)).await?;
            transaction.commit().await?;
            Ok(true)
        })
    }

    fn remove<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, item: &'a str, now: Moment) -> Answer<'a, bool> {
        answer(async move {
            let mut transaction = self.write.begin().await?;
            if find(&mut transaction, owner, id, now).await?.is_none() {
                return Ok(false);
            }
            let gone: Vec<i64> = sqlx::query_scalar(
                "DELETE FROM session_items WHERE session = $1 AND id = $2 RETURNING length(body) + length(CAST(id AS BLOB))",
            )
            .bind(id.as_str())
            .bind(item)
            .fetch_all(&mut *transaction)
            .await?;
            sqlx::query("UPDATE sessions SET bytes = bytes - $1 WHERE id = $2")
                .bind(gone.iter().sum::<i64>())
                .bind(id.as_str())
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(!gone.is_empty())
        })
    }

    fn delete<'a>(&'a self, owner: &'a Owner, id: &'a SessionId, now: Moment) -> Answer<'a, bool> {
        answer(self.delete_session(owner, id, now))
    }

    fn expire(&self, now: Moment) -> Answer<'_, u64> {
        answer(async move {
            let mut forgotten = 0;
            loop {
                // From the end of each chain: what a later one needs stays.
                let done = sqlx::query(
                    "DELETE FROM sessions WHERE (expires <= $1 OR deleted = 1)
                     AND NOT EXISTS (SELECT 1 FROM sessions AS later WHERE later.previous = sessions.id)",
                )
                .bind(now.0)
                .execute(&self.write)
                .await?;
                if done.rows_affected() == 0 {
                    return Ok(forgotten);
                }
                forgotten += done.rows_affected();
            }
        })
    }
}

/// A statement over `chain`: the session $1 of the owner $2 at the time $3, and all that it continues.
macro_rules! chain {
    ($statement:literal) => {
        concat!(
            "WITH RECURSIVE chain (id, previous, depth) AS (
                SELECT id, previous, 0 FROM sessions WHERE id = $1 AND owner = $2 AND expires > $3 AND deleted = 0
                UNION ALL
                SELECT sessions.id, sessions.previous, depth + 1 FROM sessions JOIN chain ON sessions.id = chain.previous
            ) ",
            $statement
        )
    };
}

/// What a writer must know of a session.
struct There {
    ended: bool,
}

async fn find(
    transaction: &mut Transaction<'_, Db>,
    owner: &Owner,
    id: &SessionId,
    now: Moment,
) -> Result<Option<There>, StoreError> {
    let ended: Option<i64> =
        sqlx::query_scalar("SELECT ended FROM sessions WHERE id = $1 AND owner = $2 AND expires > $3 AND deleted = 0")
            .bind(id.as_str())
            .bind(owner.as_str())
            .bind(now.0)
            .fetch_optional(&mut **transaction)
            .await?;
    Ok(ended.map(|ended| There { ended: ended == 1 }))
}

impl Sqlite {
    async fn create_session(&self, new: NewSession, now: Moment) -> Result<(), StoreError> {
        let bytes = new.body.len() as u64 + weight(&new.items);
        self.limits.check_session(bytes)?;
        let copied = new.conversation.as_ref().filter(|_| new.ended);
        let mut transaction = self.write.begin().await?;
        for needed in new.previous.iter().chain(&new.conversation) {
            find(&mut transaction, &new.owner, needed, now).await?.ok_or(PortError::Gone)?;
        }
        let copies = if copied.is_some() { weight(&new.items) } else { 0 };
        let previous = new.previous.as_ref();
        self.make_room(&mut transaction, new.owner.as_str(), previous, 1, bytes + copies).await?;
        sqlx::query(
            "INSERT INTO sessions (id, owner, node, previous, conversation, created, expires, ended, asked, deleted, bytes, body)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11)",
        )
        .bind(new.id.as_str())
        .bind(new.owner.as_str())
        .bind(&self.node)
        .bind(new.previous.as_ref().map(SessionId::as_str))
        .bind(new.conversation.as_ref().map(SessionId::as_str))
        .bind(now.0)
        .bind(new.expires.0)
        .bind(i64::from(new.ended))
        .bind(i64::from(new.asked))
        .bind(rows::size(new.body.len()))
        .bind(&new.body[..])
        .execute(&mut *transaction)
        .await?;
        self.add(&mut transaction, &new.id, &new.items, None).await?;
        if let Some(conversation) = copied {
            self.add(&mut transaction, conversation, &new.items, Some(new.expires)).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn end_session(&self, id: &SessionId, ending: Ending) -> Result<(), StoreError> {
        let told = ending.told.as_ref().map_or(0, Bytes::len);
        let mut transaction = self.write.begin().await?;
        let row = sqlx::query(
            "SELECT owner, conversation, expires FROM sessions WHERE id = $1 AND ended = 0 AND deleted = 0",
        )
        .bind(id.as_str())
        .fetch_optional(&mut *transaction)
        .await?
        .ok_or(PortError::Stale)?;
        let conversation: Option<String> = row.try_get("conversation")?;
        let conversation = conversation.as_deref().and_then(SessionId::parse_conversation);
        let expires = Moment(row.try_get("expires")?);
        let mut more = (ending.body.len() + told) as u64 + weight(&ending.items);
        let copies = match &conversation {
            Some(_) => [own_items(&mut transaction, id).await?, ending.items.clone()].concat(),
            None => Vec::new(),
        };
        more += weight(&copies);
        self.make_room(&mut transaction, row.try_get("owner")?, None, 0, more).await?;
        sqlx::query("UPDATE sessions SET ended = 1, bytes = bytes - length(body) + $1, body = $2 WHERE id = $3")
            .bind(rows::size(ending.body.len() + told))
            .bind(&ending.body[..])
            .bind(id.as_str())
            .execute(&mut *transaction)
            .await?;
        if let Some(told) = &ending.told {
            sqlx::query("INSERT INTO session_streams (session, body) VALUES ($1, $2)")
                .bind(id.as_str())
                .bind(&told[..])
                .execute(&mut *transaction)
                .await?;
        }
        self.add(&mut transaction, id, &ending.items, None).await?;
        if let Some(conversation) = &conversation {
            self.add(&mut transaction, conversation, &copies, Some(expires)).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn delete_session(&self, owner: &Owner, id: &SessionId, now: Moment) -> Result<bool, StoreError> {
        let mut transaction = self.write.begin().await?;
        if find(&mut transaction, owner, id, now).await?.is_none() {
            return Ok(false);
        }
        let continued: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sessions WHERE previous = $1)")
            .bind(id.as_str())
            .fetch_one(&mut *transaction)
            .await?;
        if continued {
            sqlx::query(
                "UPDATE sessions SET deleted = 1, body = $1, bytes = bytes - length(body)
                    - COALESCE((SELECT length(session_streams.body) FROM session_streams WHERE session = $2), 0)
                 WHERE id = $2",
            )
            .bind(&[][..])
            .bind(id.as_str())
            .execute(&mut *transaction)
            .await?;
            sqlx::query("DELETE FROM session_streams WHERE session = $1")
                .bind(id.as_str())
                .execute(&mut *transaction)
                .await?;
        } else {
            sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id.as_str()).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Adds items to a session, counts them, and keeps it until `expires` at least.
    async fn add(
        &self,
        transaction: &mut Transaction<'_, Db>,
        id: &SessionId,
        items: &[Item],
        expires: Option<Moment>,
    ) -> Result<(), StoreError> {
        let next: i64 =
            sqlx::query_scalar("SELECT COALESCE(MAX(position) + 1, 0) FROM session_items WHERE session = $1")
                .bind(id.as_str())
                .fetch_one(&mut **transaction)
                .await?;
        let bytes: Option<i64> = sqlx::query_scalar(
            "UPDATE sessions SET bytes = bytes + $1, expires = MAX(expires, $2)
             WHERE id = $3 AND deleted = 0 RETURNING bytes",
        )
        .bind(i64::try_from(weight(items)).unwrap_or(i64::MAX))
        .bind(expires.unwrap_or_default().0)
        .bind(id.as_str())
        .fetch_optional(&mut **transaction)
        .await?;
        self.limits.check_session(rows::count(bytes.ok_or(PortError::Gone)?))?;
        for (position, item) in (next..).zip(items) {
            sqlx::query("INSERT INTO session_items (session, position, id, answer, body) VALUES ($1, $2, $3, $4, $5)")
                .bind(id.as_str())
                .bind(position)
                .bind(&item.id)
                .bind(i64::from(item.answer))
                .bind(&item.body[..])
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    /// Makes room for so many more sessions and bytes; `needed` stays.
    async fn make_room(
        &self,
        transaction: &mut Transaction<'_, Db>,
        owner: &str,
        needed: Option<&SessionId>,
        sessions: u64,
        bytes: u64,
    ) -> Result<(), StoreError> {
        const OF_OWNER: &str = "DELETE FROM sessions WHERE id = (
            SELECT id FROM sessions WHERE asked = 0 AND owner = $1 AND ended = 1 AND id <> $2
            AND NOT EXISTS (SELECT 1 FROM sessions AS later WHERE later.previous = sessions.id)
            ORDER BY created LIMIT 1)";
        const OF_ANYBODY: &str = "DELETE FROM sessions WHERE id = (
            SELECT id FROM sessions WHERE asked = 0 AND $1 <> '' AND ended = 1 AND id <> $2
            AND NOT EXISTS (SELECT 1 FROM sessions AS later WHERE later.previous = sessions.id)
            ORDER BY created LIMIT 1)";
        let mut statements = [OF_OWNER, OF_ANYBODY].into_iter();
        let mut statement = statements.next();
        while let Err(full) = self.check_room(transaction, sessions, bytes).await {
            let Some(next) = statement else { return Err(full) };
            let needed = needed.map_or("", SessionId::as_str);
            let gone = sqlx::query(next).bind(owner).bind(needed).execute(&mut **transaction).await?;
            if gone.rows_affected() == 0 {
                statement = statements.next();
            }
        }
        Ok(())
    }

    async fn check_room(
        &self,
        transaction: &mut Transaction<'_, Db>,
        sessions: u64,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT sessions, bytes FROM session_totals").fetch_one(&mut **transaction).await?;
        let there = SessionsThere {
            sessions: rows::count(row.try_get("sessions")?),
            bytes: rows::count(row.try_get("bytes")?),
        };
        Ok(self.limits.check_room_for_session(there, SessionsThere { sessions, bytes })?)
    }

    async fn history_of(&self, owner: &Owner, id: &SessionId, now: Moment) -> Result<Option<History>, StoreError> {
        let row = sqlx::query(chain!(
            "SELECT COALESCE(SUM(bytes - length(body) - COALESCE(
                (SELECT length(session_streams.body) FROM session_streams WHERE session = sessions.id), 0)), 0) AS bytes,
             MAX(CASE WHEN depth = 0 THEN ended END) AS ended
             FROM chain JOIN sessions ON sessions.id = chain.id"
        ))
        .bind(id.as_str())
        .bind(owner.as_str())
        .bind(now.0)
        .fetch_one(&self.read)
        .await?;
        let Some(ended) = row.try_get::<Option<i64>, _>("ended")? else { return Ok(None) };
        self.limits.check_history(rows::count(row.try_get("bytes")?))?;
        let found = sqlx::query(chain!(
            "SELECT depth, session_items.id AS id, answer, body
             FROM chain JOIN session_items ON session_items.session = chain.id ORDER BY depth DESC, position"
        ))
        .bind(id.as_str())
        .bind(owner.as_str())
        .bind(now.0)
        .fetch_all(&self.read)
        .await?;
        let (mut before, mut items) = (0, Vec::with_capacity(found.len()));
        for row in &found {
            before += usize::from(row.try_get::<i64, _>("depth")? > 0);
            items.push(item(row)?);
        }
        Ok(Some(History { ended: ended == 1, before, items }))
    }

    async fn items_of(&self, owner: &Owner, ids: &[String], now: Moment) -> Result<Vec<Item>, StoreError> {
        let ids = serde_json::to_string(ids).unwrap_or_default();
        let found = sqlx::query(
            "SELECT session_items.id AS id, answer, session_items.body AS body
             FROM session_items JOIN sessions ON sessions.id = session_items.session
             WHERE session_items.id IN (SELECT value FROM json_each($1)) AND owner = $2 AND expires > $3 AND deleted = 0
             GROUP BY session_items.id",
        )
        .bind(ids)
        .bind(owner.as_str())
        .bind(now.0)
        .fetch_all(&self.read)
        .await?;
        found.iter().map(item).collect()
    }
}

async fn own_items(transaction: &mut Transaction<'_, Db>, id: &SessionId) -> Result<Vec<Item>, StoreError> {
    let found = sqlx::query("SELECT id, answer, body FROM session_items WHERE session = $1 ORDER BY position")
        .bind(id.as_str())
        .fetch_all(&mut **transaction)
        .await?;
    found.iter().map(item).collect()
}

fn session(row: &SqliteRow) -> Result<Session, StoreError> {
    Ok(Session {
        body: row.try_get::<Vec<u8>, _>("body")?.into(),
        ended: row.try_get::<i64, _>("ended")? == 1,
        created: Moment(row.try_get("created")?),
        expires: Moment(row.try_get("expires")?),
    })
}

fn item(row: &SqliteRow) -> Result<Item, StoreError> {
    Ok(Item {
        id: row.try_get("id")?,
        answer: row.try_get::<i64, _>("answer")? == 1,
        body: row.try_get::<Vec<u8>, _>("body")?.into(),
    })
}
