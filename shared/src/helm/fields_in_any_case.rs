//! Reads the fields of a mapping as Go's `encoding/json` does, with which Helm reads `Chart.yaml`.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

/// The name of a field, as the file writes it.
pub(super) struct FieldName(pub(super) String);

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = FieldName;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a field")
            }

            fn visit_str<E>(self, name: &str) -> Result<FieldName, E> {
                Ok(FieldName(name.to_owned()))
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}

/// Defines a struct whose fields are found in any case. Null leaves a field as it is. Other fields
/// are ignored, and `has_others` notes that there were some.
macro_rules! fields_in_any_case {
    (
        $(#[$doc:meta])*
        $name:ident { $($field:ident: $type:ty = $key:literal,)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Default, serde::Serialize)]
        pub(super) struct $name {
            $(
                #[serde(rename = $key, skip_serializing_if = "Option::is_none")]
                pub(super) $field: Option<$type>,
            )*
            /// Whether the file has fields that Helm does not know.
            #[serde(skip)]
            pub(super) has_others: bool,
        }

        impl $name {
            const FIELDS: &'static [&'static str] = &[$($key),*];
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;

                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $name;

                    fn expecting(
                        &self,
                        formatter: &mut std::fmt::Formatter<'_>,
                    ) -> std::fmt::Result {
                        formatter.write_str("a mapping")
                    }

                    fn visit_map<M: serde::de::MapAccess<'de>>(
                        self,
                        mut map: M,
                    ) -> Result<$name, M::Error> {
                        let mut fields = $name::default();
                        while let Some(FieldName(key)) = map.next_key()? {
                            $(
                                if key.eq_ignore_ascii_case($key) {
                                    if let Some(value) = map.next_value::<Option<$type>>()? {
                                        fields.$field = Some(value);
                                    }
                                    continue;
                                }
                            )*
                            map.next_value::<serde::de::IgnoredAny>()?;
                            fields.has_others = true;
                        }
                        Ok(fields)
                    }
                }
                deserializer.deserialize_struct(stringify!($name), Self::FIELDS, Fields)
            }
        }
    };
}
pub(super) use fields_in_any_case;
