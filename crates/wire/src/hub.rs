//! The Hub's shapes: one model with its mapping, pages of a list, and the router's own list with prices.
//!
//! Readers take what they know and overlook the rest: a new member, a missing metric or one odd entry spoils nothing.

mod mapping;
mod money;
mod router;

pub use mapping::{Adapter, ListedModel, Mapping, ModelInfo, State, mapping, models};
pub use money::Price;
pub use router::{Offer, RouterModel, router_model, router_models};
