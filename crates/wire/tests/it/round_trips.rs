//! What both sides of a translation can say comes back as it was said; what one side cannot say is named.

mod answers;
mod backend;
mod caches;
mod calls;
mod talk;
