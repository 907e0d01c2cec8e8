//! The steps of the walk, in order: each takes what the one before returned.

pub(crate) mod account;
pub(crate) mod admit;
pub(crate) mod authenticate;
pub(crate) mod deliver;
pub(crate) mod dispatch;
pub(crate) mod passage;
pub(crate) mod plan;
pub(crate) mod pump;
pub(crate) mod quota;
pub(crate) mod recall;
pub(crate) mod resolve;
pub(crate) mod send;
pub(crate) mod shorten;
