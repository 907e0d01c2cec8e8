//! Questions that dispatch nothing to a backend: a short walk of their own.

pub(crate) mod conversations;
pub(crate) mod elsewhere;
pub(crate) mod files;
pub(crate) mod health;
pub(crate) mod items;
pub(crate) mod jobs;
pub(crate) mod models;
mod pages;
pub(crate) mod responses;
pub(crate) mod route;
pub(crate) mod tokens;
