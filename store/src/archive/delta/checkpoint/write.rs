//! Writes a checkpoint: an action a row, in the protocol's own schema ("Checkpoint Schema").

use std::sync::Arc;

use parquet::{
    basic::{Compression, ZstdLevel},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::Result,
    file::{metadata::KeyValue, properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use super::{
    SUM,
    columns::{Leaf, MapLeaves, WriteLeaf, text},
    sum_of,
};
use crate::archive::delta::action::Action;

/// Actions of a row group, so that what is held at once has a bound.
const GROUP_ACTIONS: usize = 50_000;

/// The schema; the order of its leaves is that of [`Leaves::all`].
const SCHEMA: &str = "
message checkpoint {
  optional group txn {
    required binary appId (STRING);
    required int64 version;
    optional int64 lastUpdated;
  }
  optional group add {
    required binary path (STRING);
    required group partitionValues (MAP) {
      repeated group key_value { required binary key (STRING); optional binary value (STRING); }
    }
    required int64 size;
    required int64 modificationTime;
    required boolean dataChange;
    optional group tags (MAP) {
      repeated group key_value { required binary key (STRING); optional binary value (STRING); }
    }
    optional binary stats (STRING);
  }
  optional group remove {
    required binary path (STRING);
    optional int64 deletionTimestamp;
    required boolean dataChange;
    optional boolean extendedFileMetadata;
    optional group partitionValues (MAP) {
      repeated group key_value { required binary key (STRING); optional binary value (STRING); }
    }
    optional int64 size;
    optional group tags (MAP) {
      repeated group key_value { required binary key (STRING); optional binary value (STRING); }
    }
  }
  optional group metaData {
    required binary id (STRING);
    optional binary name (STRING);
    optional binary description (STRING);
    required group format {
      required binary provider (STRING);
      required group options (MAP) {
        repeated group key_value { required binary key (STRING); optional binary value (STRING); }
      }
    }
    required binary schemaString (STRING);
    required group partitionColumns (LIST) {
      repeated group list { required binary element (STRING); }
    }
    required group configuration (MAP) {
      repeated group key_value { required binary key (STRING); optional binary value (STRING); }
    }
    optional int64 createdTime;
  }
  optional group protocol {
    required int32 minReaderVersion;
    required int32 minWriterVersion;
  }
}";

/// The checkpoint's bytes; what is wrong, in words.
pub(in crate::archive::delta) fn write(actions: &[Action]) -> Result<Vec<u8>, String> {
    encode(actions, true).map_err(|error| error.to_string())
}

/// Tests: as others write it.
#[cfg(test)]
pub(in crate::archive::delta) fn write_unsigned(actions: &[Action]) -> Result<Vec<u8>, String> {
    encode(actions, false).map_err(|error| error.to_string())
}

fn encode(actions: &[Action], is_signed: bool) -> Result<Vec<u8>> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let compression = Compression::ZSTD(ZstdLevel::try_new(3)?);
    let properties = WriterProperties::builder().set_compression(compression).set_created_by("Weir".to_owned());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build()))?;
    for some in actions.chunks(GROUP_ACTIONS) {
        let leaves = Leaves::of(some);
        let mut group = writer.next_row_group()?;
        for leaf in leaves.all() {
            let mut column = group.next_column()?.expect("as many leaves as the schema has");
            let write: &mut ColumnWriter<'_> = column.untyped();
            leaf.write(write)?;
            column.close()?;
        }
        group.close()?;
    }
    if is_signed {
        writer.append_key_value_metadata(KeyValue::new(SUM.to_owned(), sum_of(actions)));
    }
    writer.into_inner()
}

/// The schema's leaves.
struct Leaves {
    txn: (Leaf<ByteArray>, Leaf<i64>, Leaf<i64>),
    add_path: Leaf<ByteArray>,
    add_partition: MapLeaves,
    add_size: Leaf<i64>,
    add_modified: Leaf<i64>,
    add_change: Leaf<bool>,
    add_tags: MapLeaves,
    add_stats: Leaf<ByteArray>,
    remove_path: Leaf<ByteArray>,
    remove_deleted: Leaf<i64>,
    remove_change: Leaf<bool>,
    remove_extended: Leaf<bool>,
    remove_partition: MapLeaves,
    remove_size: Leaf<i64>,
    remove_tags: MapLeaves,
    meta_names: [Leaf<ByteArray>; 4],
    meta_options: MapLeaves,
    meta_schema: Leaf<ByteArray>,
    meta_partition: Leaf<ByteArray>,
    meta_configuration: MapLeaves,
    meta_created: Leaf<i64>,
    protocol: (Leaf<i32>, Leaf<i32>),
}

impl Leaves {
    fn of(actions: &[Action]) -> Self {
        let mut leaves = Self {
            txn: Default::default(),
            add_path: Leaf::default(),
            add_partition: MapLeaves::new(1),
            add_size: Leaf::default(),
            add_modified: Leaf::default(),
            add_change: Leaf::default(),
            add_tags: MapLeaves::new(2),
            add_stats: Leaf::default(),
            remove_path: Leaf::default(),
            remove_deleted: Leaf::default(),
            remove_change: Leaf::default(),
            remove_extended: Leaf::default(),
            remove_partition: MapLeaves::new(2),
            remove_size: Leaf::default(),
            remove_tags: MapLeaves::new(2),
            meta_names: Default::default(),
            meta_options: MapLeaves::new(1),
            meta_schema: Leaf::default(),
            meta_partition: Leaf::default(),
            meta_configuration: MapLeaves::new(1),
            meta_created: Leaf::default(),
            protocol: Default::default(),
        };
        for action in actions {
            leaves.take_txn(action);
            leaves.take_add(action);
            leaves.take_remove(action);
            leaves.take_metadata(action);
            let protocol = action.protocol.as_ref();
            leaves.protocol.0.required(protocol.map(|protocol| protocol.min_reader_version));
            leaves.protocol.1.required(protocol.map(|protocol| protocol.min_writer_version));
        }
        leaves
    }

    fn take_txn(&mut self, action: &Action) {
        let txn = action.txn.as_ref();
        self.txn.0.required(txn.map(|txn| text(&txn.app_id)));
        self.txn.1.required(txn.map(|txn| txn.version));
        self.txn.2.optional(txn.map(|txn| txn.last_updated));
    }

    fn take_add(&mut self, action: &Action) {
        let add = action.add.as_ref();
        self.add_path.required(add.map(|add| text(&add.path)));
        match add {
            Some(add) => self.add_partition.entries(&add.partition_values),
            None => self.add_partition.nothing(0),
        }
        self.add_size.required(add.map(|add| add.size));
        self.add_modified.required(add.map(|add| add.modification_time));
        self.add_change.required(add.map(|add| add.data_change));
        take_map(&mut self.add_tags, add.map(|add| &add.tags));
        self.add_stats.optional(add.map(|add| add.stats.as_deref().map(text)));
    }

    fn take_remove(&mut self, action: &Action) {
        let remove = action.remove.as_ref();
        self.remove_path.required(remove.map(|remove| text(&remove.path)));
        self.remove_deleted.optional(remove.map(|remove| remove.deletion_timestamp));
        self.remove_change.required(remove.map(|remove| remove.data_change));
        self.remove_extended.optional(remove.map(|remove| remove.extended_file_metadata));
        take_map(&mut self.remove_partition, remove.map(|remove| &remove.partition_values));
        self.remove_size.optional(remove.map(|remove| remove.size));
        take_map(&mut self.remove_tags, remove.map(|remove| &remove.tags));
    }

    fn take_metadata(&mut self, action: &Action) {
        let metadata = action.meta_data.as_ref();
        let [id, name, description, provider] = &mut self.meta_names;
        id.required(metadata.map(|metadata| text(&metadata.id)));
        name.optional(metadata.map(|metadata| metadata.name.as_deref().map(text)));
        description.optional(metadata.map(|metadata| metadata.description.as_deref().map(text)));
        provider.required(metadata.map(|metadata| text(&metadata.format.provider)));
        match metadata {
            Some(metadata) => {
                self.meta_options.entries(&metadata.format.options);
                self.meta_configuration.entries(&metadata.configuration);
            }
            None => {
                self.meta_options.nothing(0);
                self.meta_configuration.nothing(0);
            }
        }
        self.meta_schema.required(metadata.map(|metadata| text(&metadata.schema_string)));
        self.meta_partition.list(metadata.map(|metadata| &metadata.partition_columns));
        self.meta_created.optional(metadata.map(|metadata| metadata.created_time));
    }

    /// In the schema's order.
    fn all(&self) -> [&dyn WriteLeaf; 34] {
        let [id, name, description, provider] = &self.meta_names;
        [
            &self.txn.0,
            &self.txn.1,
            &self.txn.2,
            &self.add_path,
            &self.add_partition.keys,
            &self.add_partition.values,
            &self.add_size,
            &self.add_modified,
            &self.add_change,
            &self.add_tags.keys,
            &self.add_tags.values,
            &self.add_stats,
            &self.remove_path,
            &self.remove_deleted,
            &self.remove_change,
            &self.remove_extended,
            &self.remove_partition.keys,
            &self.remove_partition.values,
            &self.remove_size,
            &self.remove_tags.keys,
            &self.remove_tags.values,
            id,
            name,
            description,
            provider,
            &self.meta_options.keys,
            &self.meta_options.values,
            &self.meta_schema,
            &self.meta_partition,
            &self.meta_configuration.keys,
            &self.meta_configuration.values,
            &self.meta_created,
            &self.protocol.0,
            &self.protocol.1,
        ]
    }
}

/// A map that an action may lack.
fn take_map(leaves: &mut MapLeaves, action: Option<&Option<crate::archive::delta::action::Tags>>) {
    match action {
        Some(Some(map)) => leaves.entries(map),
        Some(None) => leaves.nothing(1),
        None => leaves.nothing(0),
    }
}
