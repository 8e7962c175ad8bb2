//! Two surfaces -> what differs between them, as values.

pub mod rename;
