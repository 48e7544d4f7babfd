//! Turns the table of policies into the type of their settings.
//!
//! A macro, because a row stands for a variant, a name in errors, a key in the configuration and its reader: as plain code
//! a new policy would have to be written down in five places.

/// `Variant "type" Settings,` for each policy.
macro_rules! policies {
    ($($variant:ident $kind:literal $settings:ty,)*) => {
        /// A policy's settings, by type.
        #[derive(Debug, Clone, PartialEq)]
        #[allow(missing_docs, reason = "the variants are the policies' types")]
        pub(crate) enum Settings {
            $($variant($settings),)*
        }

        /// The types that exist.
        pub(crate) const TYPES: &[&str] = &[$($kind),*];

        /// Keys of a policy.
        pub(crate) const KEYS: &[&str] = &["name", "type", $($kind),*];

        impl Settings {
            /// Its type.
            pub(crate) fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $kind,)*
                }
            }

            /// Reads the value of the key `kind`; `None` when nothing stands behind it.
            pub(crate) fn read<'de, A: serde::de::MapAccess<'de>>(kind: &str, map: &mut A) -> Result<Option<Self>, A::Error> {
                match kind {
                    $($kind => Ok(map.next_value::<Option<config::Checked<$settings>>>()?.map(|checked| Self::$variant(checked.0))),)*
                    _ => Err(serde::de::Error::unknown_field(kind, KEYS)),
                }
            }

            /// What the type is without settings.
            pub(crate) fn when_absent(kind: &str) -> Option<Self> {
                match kind {
                    $($kind => <$settings as PolicySettings>::when_absent().map(Self::$variant),)*
                    _ => None,
                }
            }

            /// Makes the policy.
            pub(crate) fn build(&self, name: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
                match self {
                    $(Self::$variant(settings) => settings.build(name, plan),)*
                }
            }
        }
    };
}

pub(super) use policies;
