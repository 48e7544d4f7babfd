//! The catalog: which segments there are, up to which file each journal is sealed, and the ledger of what was sealed.
//!
//! SQLite behind SQL that PostgreSQL understands too. Every change is one transaction, durable when it returns.

mod archived;

use std::{collections::BTreeMap, ops::Range, path::Path, str::FromStr};

use sqlx::{
    ConnectOptions, Connection, Row, Sqlite, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use weir_proto::{Signal, TenantId};

pub(crate) use archived::{ArchivedSegment, Stage};

use crate::{journal::SourceCursors, ledger::Tally, segment::SegmentId};

/// Version of the tables below.
const SCHEMA_VERSION: i64 = 3;

/// The same in every version.
const VERSION_TABLE: &str =
    "CREATE TABLE IF NOT EXISTS catalog (key TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);";

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS journals (journal TEXT NOT NULL PRIMARY KEY, first_unsealed_file BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS ledger (
    journal TEXT NOT NULL, tenant TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, items BIGINT NOT NULL,
    PRIMARY KEY (journal, tenant, outcome, detail));
CREATE TABLE IF NOT EXISTS segments (
    journal TEXT NOT NULL, tenant TEXT NOT NULL, id TEXT NOT NULL, rows_count BIGINT NOT NULL,
    PRIMARY KEY (journal, tenant, id));
CREATE TABLE IF NOT EXISTS journal_runs (
    journal TEXT NOT NULL, first_file BIGINT NOT NULL, shift_ns BIGINT NOT NULL, PRIMARY KEY (journal, first_file));
CREATE TABLE IF NOT EXISTS source_cursors (
    journal TEXT NOT NULL, source BLOB NOT NULL, cursor BLOB NOT NULL, PRIMARY KEY (journal, source));
CREATE TABLE IF NOT EXISTS archived (
    journal TEXT NOT NULL, tenant TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, rows_count BIGINT NOT NULL,
    bytes BIGINT NOT NULL, age_from_ns BIGINT NOT NULL, stage TEXT NOT NULL, since_ns BIGINT NOT NULL,
    PRIMARY KEY (journal, tenant, id));
CREATE TABLE IF NOT EXISTS pins (
    journal TEXT NOT NULL, from_ns BIGINT NOT NULL, to_ns BIGINT NOT NULL, PRIMARY KEY (journal, from_ns, to_ns));
";

/// The catalog could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogError {
    /// The database said no.
    #[error("catalog: {0}")]
    Database(#[from] sqlx::Error),
    /// Another writer moved the journal's sealed end: this one must not go on.
    #[error("the catalog says that files before {found} are sealed, not before {expected}")]
    SealedElsewhere {
        /// What this process believed.
        expected: u32,
        /// What the catalog says.
        found: u32,
    },
    /// A value that no version of Weir writes.
    #[error("catalog: unreadable {0}")]
    Unreadable(String),
    /// Written by a newer Weir.
    #[error("the catalog has version {found}; this weir reads up to {supported}")]
    TooNew {
        /// Its version.
        found: i64,
        /// The highest that is known.
        supported: i64,
    },
}

impl CatalogError {
    /// Whether the database cannot be used now but may be later (no space, read-only, held by another program): nothing is
    /// broken, and nothing was changed.
    pub(crate) fn is_refusal(&self) -> bool {
        const BUSY: i32 = 5;
        const LOCKED: i32 = 6;
        const READ_ONLY: i32 = 8;
        const FULL: i32 = 13;
        self.sqlite_code().is_some_and(|code| [BUSY, LOCKED, READ_ONLY, FULL].contains(&(code & 0xff)))
    }

    /// Whether the file holds something else than a catalog.
    pub(crate) fn is_damage(&self) -> bool {
        const ERROR: i32 = 1; // A table or column that is not there.
        const CORRUPT: i32 = 11;
        const NOT_A_DATABASE: i32 = 26;
        const CANNOT_READ: [i32; 2] = [266, 522];
        match self {
            Self::Unreadable(_) | Self::SealedElsewhere { .. } => true,
            Self::TooNew { .. } => false,
            Self::Database(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) => false,
            Self::Database(_) => self.sqlite_code().is_none_or(|code| {
                [ERROR, CORRUPT, NOT_A_DATABASE].contains(&(code & 0xff)) || CANNOT_READ.contains(&code)
            }),
        }
    }

    /// SQLite's extended result code (<https://sqlite.org/rescode.html>); the low byte is the primary one.
    fn sqlite_code(&self) -> Option<i32> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.code()?.parse().ok(),
            _ => None,
        }
    }
}

/// What the catalog says of one signal's journal.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct CatalogState {
    /// Files below are sealed. `None` in a catalog that has never been told: a new one.
    pub(crate) first_unsealed_file: Option<u32>,
    /// Of everything sealed.
    pub(crate) ledger: BTreeMap<TenantId, Tally>,
    /// Segments with their row counts.
    pub(crate) segments: Vec<(SegmentId, u64)>,
    /// Runs of the process: the first journal file of each, and what journal time takes off its clock.
    pub(crate) journal_runs: Vec<(u32, i64)>,
    /// Where sources stood behind everything sealed.
    pub(crate) cursors: SourceCursors,
}

/// The catalog's database.
#[derive(Debug, Clone)]
pub(crate) struct Catalog(SqlitePool);

impl Catalog {
    /// Opens or creates it.
    pub(crate) async fn open(path: &Path) -> Result<Self, CatalogError> {
        let options = SqliteConnectOptions::from_str("sqlite://")?.filename(path).create_if_missing(true);
        // What is no database is found by a connection that is closed for certain before anybody moves its files: SQLite's
        // log goes by name.
        let mut probe = options.connect().await?;
        let answer = sqlx::query("PRAGMA schema_version").fetch_one(&mut probe).await;
        probe.close().await?;
        answer?;
        let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        // One connection, for good: changes queue in order, nobody waits on SQLite's own lock, and files need not be opened again.
        let pool = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let catalog = Self(pool.connect_with(options).await?);
        if let Err(error) = catalog.prepare().await {
            // As above.
            catalog.close().await;
            return Err(error);
        }
        Ok(catalog)
    }

    /// Makes the tables, and looks whether this is a sound catalog of a known version.
    async fn prepare(&self) -> Result<(), CatalogError> {
        let pool = &self.0;
        // Before a table is made that a newer version may have done away with.
        sqlx::raw_sql(VERSION_TABLE).execute(pool).await?;
        sqlx::query("INSERT INTO catalog VALUES ('version', $1) ON CONFLICT DO NOTHING")
            .bind(SCHEMA_VERSION)
            .execute(pool)
            .await?;
        let found: i64 = sqlx::query_scalar("SELECT value FROM catalog WHERE key = 'version'").fetch_one(pool).await?;
        if found > SCHEMA_VERSION {
            return Err(CatalogError::TooNew { found, supported: SCHEMA_VERSION });
        }
        sqlx::raw_sql(TABLES).execute(pool).await?;
        // Versions 2 and 3 have one more table each, made above.
        if found < SCHEMA_VERSION {
            sqlx::query("UPDATE catalog SET value = $1 WHERE key = 'version'")
                .bind(SCHEMA_VERSION)
                .execute(pool)
                .await?;
        }
        // A page that was damaged is found now, while the catalog can still be rebuilt, and not in the middle of a seal.
        let check: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(pool).await?;
        if check != "ok" {
            return Err(CatalogError::Unreadable(format!("database: {check}")));
        }
        Ok(())
    }

    /// Everything it knows of a signal.
    pub(crate) async fn state(&self, signal: Signal) -> Result<CatalogState, CatalogError> {
        let first: Option<i64> = sqlx::query_scalar("SELECT first_unsealed_file FROM journals WHERE journal = $1")
            .bind(signal.name())
            .fetch_optional(&self.0)
            .await?;
        let mut state = CatalogState { first_unsealed_file: first.map(|file| file as u32), ..Default::default() };
        let rows = sqlx::query("SELECT tenant, outcome, detail, items FROM ledger WHERE journal = $1")
            .bind(signal.name())
            .fetch_all(&self.0)
            .await?;
        for row in rows {
            let tenant = tenant(row.try_get(0)?)?;
            let (outcome, detail): (String, String) = (row.try_get(1)?, row.try_get(2)?);
            let items = row.try_get::<i64, _>(3)? as u64;
            let tally = state.ledger.entry(tenant).or_default();
            match outcome.as_str() {
                "accepted" => tally.accepted = items,
                "kept" => tally.kept = items,
                "damaged" => tally.damaged = items,
                "dropped" => drop(tally.dropped.insert(detail, items)),
                "rejected" => drop(tally.rejected.insert(detail, items)),
                other => return Err(CatalogError::Unreadable(format!("outcome {other:?}"))),
            }
        }
        let rows = sqlx::query("SELECT tenant, id, rows_count FROM segments WHERE journal = $1")
            .bind(signal.name())
            .fetch_all(&self.0)
            .await?;
        for row in rows {
            let tenant = tenant(row.try_get(0)?)?;
            let id: String = row.try_get(1)?;
            let id = SegmentId::parse(signal, tenant, &id)
                .map_err(|_| CatalogError::Unreadable(format!("segment id {id:?}")))?;
            state.segments.push((id, row.try_get::<i64, _>(2)? as u64));
        }
        let rows = sqlx::query("SELECT first_file, shift_ns FROM journal_runs WHERE journal = $1 ORDER BY first_file")
            .bind(signal.name())
            .fetch_all(&self.0)
            .await?;
        for row in rows {
            state.journal_runs.push((row.try_get::<i64, _>(0)? as u32, row.try_get(1)?));
        }
        let rows = sqlx::query("SELECT source, cursor FROM source_cursors WHERE journal = $1")
            .bind(signal.name())
            .fetch_all(&self.0)
            .await?;
        for row in rows {
            state.cursors.set(row.try_get::<Vec<u8>, _>(0)?, row.try_get::<Vec<u8>, _>(1)?);
        }
        Ok(state)
    }

    /// A run of the process begins, for traces, at journal file `first_file`; runs whose files are all sealed are forgotten.
    pub(crate) async fn begin_run(
        &self,
        first_file: u32,
        shift_ns: i64,
        first_unsealed: u32,
    ) -> Result<(), CatalogError> {
        let mut change = Change::begin(&self.0).await?;
        sqlx::query(
            "DELETE FROM journal_runs WHERE journal = $1 AND first_file < (
                SELECT MAX(first_file) FROM journal_runs WHERE journal = $1 AND first_file <= $2)",
        )
        .bind(Signal::Traces.name())
        .bind(i64::from(first_unsealed))
        .execute(&mut *change.connection)
        .await?;
        sqlx::query(
            "INSERT INTO journal_runs VALUES ($1, $2, $3)
             ON CONFLICT (journal, first_file) DO UPDATE SET shift_ns = excluded.shift_ns",
        )
        .bind(Signal::Traces.name())
        .bind(i64::from(first_file))
        .bind(shift_ns)
        .execute(&mut *change.connection)
        .await?;
        change.commit().await
    }

    /// Replaces everything of a signal by `state`: a catalog that was lost, or the first start.
    pub(crate) async fn rebuild(&self, signal: Signal, state: &CatalogState) -> Result<(), CatalogError> {
        let mut change = Change::begin(&self.0).await?;
        for table in [
            "DELETE FROM journals WHERE journal = $1",
            "DELETE FROM ledger WHERE journal = $1",
            "DELETE FROM segments WHERE journal = $1",
            "DELETE FROM journal_runs WHERE journal = $1",
            "DELETE FROM source_cursors WHERE journal = $1",
        ] {
            sqlx::query(table).bind(signal.name()).execute(&mut *change.connection).await?;
        }
        sqlx::query("INSERT INTO journals VALUES ($1, $2)")
            .bind(signal.name())
            .bind(i64::from(state.first_unsealed_file.unwrap_or(1)))
            .execute(&mut *change.connection)
            .await?;
        add_to_ledger(&mut change.connection, signal, &state.ledger).await?;
        for (id, rows) in &state.segments {
            add_segment(&mut change.connection, id, *rows).await?;
        }
        move_cursors(&mut change.connection, signal, &state.cursors).await?;
        change.commit().await
    }

    /// A signal's run of `files` became `segments`: moves the sealed end and the cursors, adds the segments and the ledger's
    /// changes.
    pub(crate) async fn seal(
        &self,
        signal: Signal,
        files: Range<u32>,
        segments: &[(SegmentId, u64)],
        ledger: &BTreeMap<TenantId, Tally>,
        cursors: &SourceCursors,
    ) -> Result<(), CatalogError> {
        let mut change = Change::begin(&self.0).await?;
        let moved =
            sqlx::query("UPDATE journals SET first_unsealed_file = $1 WHERE journal = $2 AND first_unsealed_file = $3")
                .bind(i64::from(files.end))
                .bind(signal.name())
                .bind(i64::from(files.start))
                .execute(&mut *change.connection)
                .await?;
        if moved.rows_affected() != 1 {
            let found: i64 = sqlx::query_scalar("SELECT first_unsealed_file FROM journals WHERE journal = $1")
                .bind(signal.name())
                .fetch_one(&mut *change.connection)
                .await?;
            return Err(CatalogError::SealedElsewhere { expected: files.start, found: found as u32 });
        }
        for (id, rows) in segments {
            add_segment(&mut change.connection, id, *rows).await?;
        }
        add_to_ledger(&mut change.connection, signal, ledger).await?;
        move_cursors(&mut change.connection, signal, cursors).await?;
        change.commit().await
    }

    /// `inputs` became `output`; the ledger does not change.
    pub(crate) async fn merge(&self, inputs: &[SegmentId], output: &SegmentId, rows: u64) -> Result<(), CatalogError> {
        let mut change = Change::begin(&self.0).await?;
        remove_segments(&mut change.connection, inputs).await?;
        add_segment(&mut change.connection, output, rows).await?;
        change.commit().await
    }

    /// Segments are gone: by retention with `damaged` false, else their rows count as damaged instead of kept.
    pub(crate) async fn remove(&self, segments: &[(SegmentId, u64)], damaged: bool) -> Result<(), CatalogError> {
        let mut change = Change::begin(&self.0).await?;
        let ids: Vec<SegmentId> = segments.iter().map(|(id, _)| id.clone()).collect();
        remove_segments(&mut change.connection, &ids).await?;
        for (id, rows) in segments {
            if !damaged {
                break;
            }
            for (outcome, items) in [("kept", -(*rows as i64)), ("damaged", *rows as i64)] {
                add_items(&mut change.connection, id.signal, &id.tenant, outcome, "", items).await?;
            }
        }
        change.commit().await
    }

    /// Of a damaged segment `left` is left, or nothing; its other rows count as damaged instead of kept.
    pub(crate) async fn replace_damaged(
        &self,
        damaged: &SegmentId,
        rows: u64,
        left: Option<(&SegmentId, u64)>,
    ) -> Result<(), CatalogError> {
        let mut change = Change::begin(&self.0).await?;
        remove_segments(&mut change.connection, std::slice::from_ref(damaged)).await?;
        if let Some((id, rows)) = left {
            add_segment(&mut change.connection, id, rows).await?;
        }
        let lost = rows as i64 - left.map_or(0, |(_, rows)| rows as i64);
        for (outcome, items) in [("kept", -lost), ("damaged", lost)] {
            add_items(&mut change.connection, damaged.signal, &damaged.tenant, outcome, "", items).await?;
        }
        change.commit().await
    }

    /// A number that no other data folder has.
    pub(crate) async fn instance(&self, chosen: i64) -> Result<i64, CatalogError> {
        sqlx::query("INSERT INTO catalog VALUES ('instance', $1) ON CONFLICT DO NOTHING")
            .bind(chosen)
            .execute(&self.0)
            .await?;
        Ok(sqlx::query_scalar("SELECT value FROM catalog WHERE key = 'instance'").fetch_one(&self.0).await?)
    }

    /// The number of the archive that segments went to, if it is known.
    pub(crate) async fn prefix(&self) -> Result<Option<i64>, CatalogError> {
        Ok(sqlx::query_scalar("SELECT value FROM catalog WHERE key = 'archive'").fetch_optional(&self.0).await?)
    }

    /// It is this one.
    pub(crate) async fn set_prefix(&self, number: i64) -> Result<(), CatalogError> {
        sqlx::query(
            "INSERT INTO catalog VALUES ('archive', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .bind(number)
        .execute(&self.0)
        .await?;
        Ok(())
    }

    /// Closes the database.
    pub(crate) async fn close(&self) {
        self.0.close().await;
    }
}

/// One transaction. If it is not committed, its connection is closed: SQLite may have rolled back all of it, a part or nothing
/// after an error, and a next transaction on that connection might only seem to commit.
struct Change {
    connection: PoolConnection<Sqlite>,
    committed: bool,
}

impl Change {
    async fn begin(pool: &SqlitePool) -> Result<Self, CatalogError> {
        let mut change = Self { connection: pool.acquire().await?, committed: false };
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *change.connection).await?;
        Ok(change)
    }

    async fn commit(mut self) -> Result<(), CatalogError> {
        sqlx::query("COMMIT").execute(&mut *self.connection).await?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        if !self.committed {
            self.connection.close_on_drop();
        }
    }
}

fn tenant(name: &str) -> Result<TenantId, CatalogError> {
    TenantId::new(name).map_err(|_| CatalogError::Unreadable(format!("tenant {name:?}")))
}

async fn add_segment(connection: &mut SqliteConnection, id: &SegmentId, rows: u64) -> Result<(), CatalogError> {
    sqlx::query("INSERT INTO segments VALUES ($1, $2, $3, $4)")
        .bind(id.signal.name())
        .bind(id.tenant.as_str())
        .bind(id.to_string())
        .bind(rows as i64)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

async fn remove_segments(connection: &mut SqliteConnection, ids: &[SegmentId]) -> Result<(), CatalogError> {
    for id in ids {
        sqlx::query("DELETE FROM segments WHERE journal = $1 AND tenant = $2 AND id = $3")
            .bind(id.signal.name())
            .bind(id.tenant.as_str())
            .bind(id.to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn add_to_ledger(
    connection: &mut SqliteConnection,
    signal: Signal,
    ledger: &BTreeMap<TenantId, Tally>,
) -> Result<(), CatalogError> {
    for (tenant, tally) in ledger {
        for (outcome, items) in [("accepted", tally.accepted), ("kept", tally.kept), ("damaged", tally.damaged)] {
            add_items(connection, signal, tenant, outcome, "", items as i64).await?;
        }
        for (policy, items) in &tally.dropped {
            add_items(connection, signal, tenant, "dropped", policy, *items as i64).await?;
        }
        for (reason, items) in &tally.rejected {
            add_items(connection, signal, tenant, "rejected", reason, *items as i64).await?;
        }
    }
    Ok(())
}

async fn move_cursors(
    connection: &mut SqliteConnection,
    signal: Signal,
    cursors: &SourceCursors,
) -> Result<(), CatalogError> {
    for (source, cursor) in cursors.changes() {
        let (journal, source) = (signal.name(), &source[..]);
        if cursor.is_empty() {
            sqlx::query("DELETE FROM source_cursors WHERE journal = $1 AND source = $2")
                .bind(journal)
                .bind(source)
                .execute(&mut *connection)
                .await?;
            continue;
        }
        sqlx::query(
            "INSERT INTO source_cursors VALUES ($1, $2, $3)
             ON CONFLICT (journal, source) DO UPDATE SET cursor = excluded.cursor",
        )
        .bind(journal)
        .bind(source)
        .bind(&cursor[..])
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn add_items(
    connection: &mut SqliteConnection,
    signal: Signal,
    tenant: &TenantId,
    outcome: &str,
    detail: &str,
    items: i64,
) -> Result<(), CatalogError> {
    if items == 0 {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO ledger VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (journal, tenant, outcome, detail) DO UPDATE SET items = ledger.items + excluded.items",
    )
    .bind(signal.name())
    .bind(tenant.as_str())
    .bind(outcome)
    .bind(detail)
    .bind(items)
    .execute(&mut *connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
