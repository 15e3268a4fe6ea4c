//! Pieces of schema that the derives cannot express.

use schemars::{Schema, SchemaGenerator, json_schema};

/// An object of any shape (a policy document): the API server keeps all of it.
pub fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "nullable": true, "x-kubernetes-preserve-unknown-fields": true })
}

/// An RFC 3339 time.
pub fn date_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time", "nullable": true })
}
