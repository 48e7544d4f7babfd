//! What the catalog says of the archive: which segments are there, how far each has come, and what must stay here as well.

use sqlx::{Row, Sqlite, pool::PoolConnection, sqlite::SqliteRow};
use weir_proto::Signal;

use super::{Catalog, CatalogError, Change, tenant};
use crate::segment::SegmentId;

/// How far a segment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Its objects are in the bucket, compared with what was written.
    Uploaded,
    /// Its table's log names it.
    Committed,
    /// The log named it; the objects stay for readers that began before.
    Removed,
    /// Others took it out of the table and put in what may have some of its rows: it does not answer, and answers say so.
    Changed,
}

impl Stage {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Uploaded, Self::Committed, Self::Removed, Self::Changed];

    /// In the catalog.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::Committed => "committed",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }

    fn of_name(name: &str) -> Result<Self, CatalogError> {
        let known = Self::ALL.into_iter().find(|stage| stage.name() == name);
        known.ok_or_else(|| CatalogError::Unreadable(format!("stage {name:?}")))
    }
}

/// A segment in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArchivedSegment {
    /// Which.
    pub(crate) id: SegmentId,
    /// What its objects are called.
    pub(crate) name: String,
    /// Rows, or samples.
    pub(crate) rows: u64,
    /// Bytes of its objects.
    pub(crate) bytes: u64,
    /// From when on its age counts, Unix ns.
    pub(crate) age_from_ns: u64,
    /// How far it has come.
    pub(crate) stage: Stage,
    /// Since when, Unix ns.
    pub(crate) since_ns: u64,
}

impl Catalog {
    /// Every segment in the archive, oldest first within a signal and tenant.
    pub(crate) async fn archived(&self) -> Result<Vec<ArchivedSegment>, CatalogError> {
        let rows = sqlx::query(
            "SELECT journal, tenant, id, name, rows_count, bytes, age_from_ns, stage, since_ns FROM archived
             ORDER BY journal, tenant, id",
        )
        .fetch_all(&self.0)
        .await?;
        rows.iter().map(read).collect()
    }

    /// A segment that the catalog lists was uploaded. False, and nothing is noted, when it does not list it any more.
    pub(crate) async fn add_archived(&self, segment: &ArchivedSegment) -> Result<bool, CatalogError> {
        let mut change = Change::begin(&self.0).await?;
        let id = &segment.id;
        let listed: Option<i64> =
            sqlx::query_scalar("SELECT rows_count FROM segments WHERE journal = $1 AND tenant = $2 AND id = $3")
                .bind(id.signal.name())
                .bind(id.tenant.as_str())
                .bind(id.to_string())
                .fetch_optional(&mut *change.connection)
                .await?;
        if listed.is_none() {
            return Ok(false);
        }
        insert(&mut change.connection, segment).await?;
        change.commit().await?;
        Ok(true)
    }

    /// A segment that was merged from others in the archive was uploaded.
    pub(crate) async fn add_merged(&self, segment: &ArchivedSegment) -> Result<(), CatalogError> {
        let mut change = Change::begin(&self.0).await?;
        insert(&mut change.connection, segment).await?;
        change.commit().await
    }

    /// It is in its table, and those that it was merged from are no more: all at once.
    pub(crate) async fn replace_archived(
        &self,
        merged: &SegmentId,
        inputs: &[SegmentId],
        since_ns: u64,
    ) -> Result<(), CatalogError> {
        let mut change = Change::begin(&self.0).await?;
        move_on(&mut change.connection, merged, Stage::Committed, since_ns).await?;
        for input in inputs {
            move_on(&mut change.connection, input, Stage::Removed, since_ns).await?;
        }
        change.commit().await
    }

    /// What the bucket was found to hold.
    pub(crate) async fn restore_archived(&self, segments: &[ArchivedSegment]) -> Result<(), CatalogError> {
        let mut change = Change::begin(&self.0).await?;
        for segment in segments {
            insert(&mut change.connection, segment).await?;
        }
        change.commit().await
    }

    /// Rows, bytes and age of one whose manifest could not be read before.
    pub(crate) async fn describe_archived(&self, segment: &ArchivedSegment) -> Result<(), CatalogError> {
        let id = &segment.id;
        sqlx::query(
            "UPDATE archived SET rows_count = $4, bytes = $5, age_from_ns = $6 WHERE journal = $1 AND tenant = $2 AND id = $3",
        )
        .bind(id.signal.name())
        .bind(id.tenant.as_str())
        .bind(id.to_string())
        .bind(segment.rows as i64)
        .bind(segment.bytes as i64)
        .bind(segment.age_from_ns as i64)
        .execute(&self.0)
        .await?;
        Ok(())
    }

    /// These have come to a stage, all at once.
    pub(crate) async fn set_stage(&self, ids: &[SegmentId], stage: Stage, since_ns: u64) -> Result<(), CatalogError> {
        let mut change = Change::begin(&self.0).await?;
        for id in ids {
            move_on(&mut change.connection, id, stage, since_ns).await?;
        }
        change.commit().await
    }

    /// Nothing of it is in the bucket any more.
    pub(crate) async fn forget_archived(&self, id: &SegmentId) -> Result<(), CatalogError> {
        sqlx::query("DELETE FROM archived WHERE journal = $1 AND tenant = $2 AND id = $3")
            .bind(id.signal.name())
            .bind(id.tenant.as_str())
            .bind(id.to_string())
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Ranges of time (Unix ns, both included) whose segments stay here.
    pub(crate) async fn pins(&self) -> Result<Vec<(Signal, u64, u64)>, CatalogError> {
        let rows = sqlx::query("SELECT journal, from_ns, to_ns FROM pins ORDER BY journal, from_ns, to_ns")
            .fetch_all(&self.0)
            .await?;
        let read = |row: &SqliteRow| {
            Ok((signal(row.try_get(0)?)?, row.try_get::<i64, _>(1)? as u64, row.try_get::<i64, _>(2)? as u64))
        };
        rows.iter().map(read).collect()
    }

    /// One more of them.
    pub(crate) async fn pin(&self, signal: Signal, from_ns: u64, to_ns: u64) -> Result<(), CatalogError> {
        sqlx::query("INSERT INTO pins VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(signal.name())
            .bind(from_ns as i64)
            .bind(to_ns as i64)
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// One less.
    pub(crate) async fn unpin(&self, signal: Signal, from_ns: u64, to_ns: u64) -> Result<bool, CatalogError> {
        let gone = sqlx::query("DELETE FROM pins WHERE journal = $1 AND from_ns = $2 AND to_ns = $3")
            .bind(signal.name())
            .bind(from_ns as i64)
            .bind(to_ns as i64)
            .execute(&self.0)
            .await?;
        Ok(gone.rows_affected() > 0)
    }
}

async fn move_on(
    connection: &mut PoolConnection<Sqlite>,
    id: &SegmentId,
    stage: Stage,
    since_ns: u64,
) -> Result<(), CatalogError> {
    sqlx::query("UPDATE archived SET stage = $1, since_ns = $2 WHERE journal = $3 AND tenant = $4 AND id = $5")
        .bind(stage.name())
        .bind(since_ns as i64)
        .bind(id.signal.name())
        .bind(id.tenant.as_str())
        .bind(id.to_string())
        .execute(&mut **connection)
        .await?;
    Ok(())
}

async fn insert(connection: &mut PoolConnection<Sqlite>, segment: &ArchivedSegment) -> Result<(), CatalogError> {
    let id = &segment.id;
    sqlx::query("INSERT INTO archived VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING")
        .bind(id.signal.name())
        .bind(id.tenant.as_str())
        .bind(id.to_string())
        .bind(segment.name.as_str())
        .bind(segment.rows as i64)
        .bind(segment.bytes as i64)
        .bind(segment.age_from_ns as i64)
        .bind(segment.stage.name())
        .bind(segment.since_ns as i64)
        .execute(&mut **connection)
        .await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<ArchivedSegment, CatalogError> {
    let number = |column: usize| row.try_get::<i64, _>(column).map(|number| number as u64);
    let (signal, tenant) = (signal(row.try_get(0)?)?, tenant(row.try_get(1)?)?);
    let id: String = row.try_get(2)?;
    let unreadable = |_| CatalogError::Unreadable(format!("segment id {id:?}"));
    Ok(ArchivedSegment {
        id: SegmentId::parse(signal, tenant, &id).map_err(unreadable)?,
        name: row.try_get(3)?,
        rows: number(4)?,
        bytes: number(5)?,
        age_from_ns: number(6)?,
        stage: Stage::of_name(row.try_get(7)?)?,
        since_ns: number(8)?,
    })
}

fn signal(name: &str) -> Result<Signal, CatalogError> {
    let known = Signal::ALL.into_iter().find(|signal| signal.name() == name);
    known.ok_or_else(|| CatalogError::Unreadable(format!("journal {name:?}")))
}
