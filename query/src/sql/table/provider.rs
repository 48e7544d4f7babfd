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

use super::{
    columns::{SCHEMA, TableColumn},
    exec::SpansExec,
    filter,
};
use crate::sql::stop::Stop;

/// A tenant's spans as of one snapshot.
pub(super) struct SpansTable {
    snapshot: Snapshot,
    tenant: TenantId,
    stop: Arc<Stop>,
}

impl SpansTable {
    pub(super) fn new(snapshot: Snapshot, tenant: TenantId, stop: Arc<Stop>) -> Self {
        Self { snapshot, tenant, stop }
    }
}

impl std::fmt::Debug for SpansTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpansTable").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for SpansTable {
    fn schema(&self) -> SchemaRef {
        SCHEMA.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| filter::pushed_down(filter)).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let indexes: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..SCHEMA.fields().len()).collect());
        let columns = indexes.iter().map(|&at| (SCHEMA.field(at).name().clone(), TableColumn::at(at))).collect();
        let filter = filter::scan_filter(filters);
        let (snapshot, tenant, stop) = (self.snapshot.clone(), self.tenant.clone(), Arc::clone(&self.stop));
        // Trace indexes are read from disk.
        let planned = tokio::task::spawn_blocking(move || {
            let request = ScanRequest { columns: Vec::new(), filter };
            snapshot.scan_unless(&tenant, request, &|| stop.check().is_err())
        });
        let scan = planned.await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        self.stop.check()?;
        let Some(scan) = scan else { return internal_err!("given up without a reason") };
        let partitions = state.config().target_partitions();
        Ok(Arc::new(SpansExec::new(scan, columns, partitions, limit)))
    }

    fn statistics(&self) -> Option<Statistics> {
        let rows = self.snapshot.spans(&self.tenant);
        Some(Statistics { num_rows: Precision::Inexact(rows as usize), ..Statistics::new_unknown(&SCHEMA) })
    }
}
