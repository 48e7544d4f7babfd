//! The table as DataFusion asks it: schema, which conditions it takes over, and a plan that reads it.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::{
    arrow::datatypes::SchemaRef,
    catalog::{Session, TableProvider},
    common::{DataFusionError, Statistics, internal_err, stats::Precision},
    datasource::TableType,
    error::Result,
    logical_expr::{Expr, TableProviderFilterPushDown},
    physical_plan::ExecutionPlan,
};
use weir_proto::TenantId;
use weir_store::{ScanRequest, Snapshot};

use super::{columns::Table, exec::SpansExec, filter};
use crate::sql::stop::Stop;

/// A tenant's rows of one signal as of one snapshot.
pub(super) struct SignalTable {
    table: &'static Table,
    schema: SchemaRef,
    snapshot: Snapshot,
    tenant: TenantId,
    /// The last time at which a row may begin, Unix ns.
    until_ns: u64,
    stop: Arc<Stop>,
}

impl SignalTable {
    /// Rows of a snapshot, of a tenant, that begin by a time.
    pub(super) fn new(
        table: &'static Table,
        (snapshot, tenant, until_ns): (Snapshot, TenantId, u64),
        stop: Arc<Stop>,
    ) -> Self {
        Self { table, schema: table.schema(), snapshot, tenant, until_ns, stop }
    }
}

impl std::fmt::Debug for SignalTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignalTable")
            .field("table", &self.table.name)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for SignalTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| filter::pushed_down(self.table, filter)).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let indexes: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let columns = indexes.iter().map(|&at| (self.schema.field(at).name().clone(), self.table.column(at))).collect();
        let filter = filter::until(filter::scan_filter(self.table, filters), self.until_ns);
        let signal = self.table.signal;
        let (snapshot, tenant, stop) = (self.snapshot.clone(), self.tenant.clone(), Arc::clone(&self.stop));
        // Trace indexes are read from disk.
        let planned = tokio::task::spawn_blocking(move || {
            let request = ScanRequest { columns: Vec::new(), filter };
            snapshot.scan_unless(signal, &tenant, request, &|| stop.check().is_err())
        });
        let scan = planned.await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        self.stop.check()?;
        let Some(scan) = scan else { return internal_err!("given up without a reason") };
        let partitions = state.config().target_partitions();
        Ok(Arc::new(SpansExec::new(scan, columns, partitions, limit)))
    }

    fn statistics(&self) -> Option<Statistics> {
        let rows = self.snapshot.rows(self.table.signal, &self.tenant);
        Some(Statistics { num_rows: Precision::Inexact(rows as usize), ..Statistics::new_unknown(&self.schema) })
    }
}
