//! Questions that dispatch nothing to a backend: a short walk of their own.

pub(crate) mod files;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod models;
pub(crate) mod tokens;
