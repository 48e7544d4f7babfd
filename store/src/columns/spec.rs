//! What a column is: its name, what it holds, how it is stored.

use parquet::basic::Type as Physical;

use super::{chunk_plan::Plan, packing::Packing};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// UTF-8.
    Text,
    /// JSON text.
    Json,
    /// true or false.
    Bool,
    /// 32 bits, signed.
    Int32,
    /// 32 bits, unsigned.
    Uint32,
    /// 64 bits, signed.
    Int64,
    /// Unix ns.
    Time,
    /// 64-bit float.
    Double,
    /// 8 bytes.
    Id8,
    /// 16 bytes.
    Id16,
}

impl Kind {
    /// Whether values are byte strings (behind codes); numbers otherwise.
    pub(crate) fn is_bytes(self) -> bool {
        matches!(self, Self::Text | Self::Json | Self::Id16)
    }

    /// Parquet's physical type.
    pub(crate) fn physical(self) -> Physical {
        match self {
            Self::Text | Self::Json => Physical::BYTE_ARRAY,
            Self::Bool => Physical::BOOLEAN,
            Self::Int32 | Self::Uint32 => Physical::INT32,
            Self::Int64 | Self::Time => Physical::INT64,
            Self::Double => Physical::DOUBLE,
            Self::Id8 | Self::Id16 => Physical::FIXED_LEN_BYTE_ARRAY,
        }
    }

    /// Bytes of a value in PLAIN encoding, where that is fixed and whole.
    pub(crate) fn width(self) -> Option<usize> {
        match self {
            Self::Text | Self::Json | Self::Bool => None,
            Self::Int32 | Self::Uint32 => Some(4),
            Self::Int64 | Self::Time | Self::Double | Self::Id8 => Some(8),
            Self::Id16 => Some(16),
        }
    }
}

/// What is known of a column's values beyond their kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) enum Nature {
    /// Nothing.
    #[default]
    Plain,
    /// Numbers that are all over their range: their bytes are stored apart.
    Scattered,
    /// Texts by which whole row groups are left out: the least and the greatest are told.
    Bounding,
    /// A field of bodies: its words are in the filter over the bodies, so it needs none of its own.
    Field,
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ColumnSpec {
    /// Its name: a fixed one, `attributes.<key>` or `resource.<key>`.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) kind: Kind,
    /// Whether every row has a value.
    pub(crate) required: bool,
    /// How texts are stored.
    pub(crate) packing: Packing,
    /// What is known of its values.
    pub(crate) nature: Nature,
}

impl ColumnSpec {
    /// The bytes that a value takes in PLAIN encoding, its length included where that is written.
    pub(super) fn stored_bytes(&self, value_bytes: usize) -> usize {
        match self.packing {
            Packing::IdAsHex => value_bytes * 2 + 4,
            packing => packing.width().unwrap_or(value_bytes + 4),
        }
    }

    /// How ids that hardly repeat are encoded.
    pub(super) fn plain_ids(&self) -> Plan {
        if self.packing == Packing::IdAsHex { Plan::DeltaLength } else { Plan::Plain }
    }

    /// Parquet's physical type.
    pub(crate) fn physical(&self) -> Physical {
        match self.packing {
            Packing::None => self.kind.physical(),
            Packing::Time(_) => Physical::INT64,
            Packing::IdAsHex => Physical::BYTE_ARRAY,
            _ => Physical::FIXED_LEN_BYTE_ARRAY,
        }
    }
}
