//! Opens the catalog: one that is damaged makes way for a new one.

use std::path::Path;

use weir_proto::Signal;

use crate::{
    catalog::{Catalog, CatalogError},
    disk::Disk,
    lane::errors::OpenError,
};

/// A catalog that cannot be read is set aside, and made anew from the segments.
pub(super) async fn open(data: &Path, disk: &Disk) -> Result<Catalog, OpenError> {
    let path = data.join("catalog.sqlite");
    match try_catalog(&path).await {
        Ok(opened) => return Ok(opened),
        Err(CatalogError::TooNew { found, supported }) => {
            return Err(OpenError::TooNew { path, found: found as u32, supported: supported as u32 });
        }
        Err(error) if !error.is_damage() => return Err(error.into()),
        Err(error) => tracing::error!(%error, "the catalog is damaged; making it anew from the segments"),
    }
    for suffix in ["", "-wal", "-shm"] {
        let from = data.join(format!("catalog.sqlite{suffix}"));
        let to = data.join(format!("quarantine/catalog.sqlite{suffix}"));
        match disk.rename(&from, &to) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            result => result.map_err(|source| OpenError::Io { path: from, source })?,
        }
    }
    Ok(try_catalog(&path).await?)
}

async fn try_catalog(path: &Path) -> Result<Catalog, CatalogError> {
    let catalog = Catalog::open(path).await?;
    for signal in Signal::ALL {
        if let Err(error) = catalog.state(signal).await {
            catalog.close().await;
            return Err(error);
        }
    }
    Ok(catalog)
}
