//! Whose eyes a model was seen with. What one credential may see is never shown to another.

use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
};

use types::Secret;

/// The owner of a cached look-up: the gateway itself, or a keyed hash of a caller's own token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tenant([u64; 2]);

impl Tenant {
    /// Look-ups with the gateway's own token, or with none.
    pub(crate) const GATEWAY: Self = Self([0, 0]);
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::GATEWAY { "Tenant(gateway)" } else { "Tenant(caller)" })
    }
}

/// Makes tenants out of tokens; its key lives as long as the process, so a tenant says nothing about a token.
#[derive(Debug)]
pub(crate) struct Tenants([RandomState; 2]);

impl Tenants {
    pub(crate) fn new() -> Self {
        Self([RandomState::new(), RandomState::new()])
    }

    /// The tenant of a caller's token; without one, the gateway's.
    pub(crate) fn of(&self, token: Option<&Secret>) -> Tenant {
        let Some(token) = token else { return Tenant::GATEWAY };
        let hash = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            hasher.write(token.expose().as_bytes());
            hasher.finish()
        };
        // All zeros is the gateway's; a caller cannot be it.
        Tenant([hash(&self.0[0]) | 1, hash(&self.0[1])])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_is_one_tenant_and_two_are_two() {
        let tenants = Tenants::new();
        let (a, b) = (Secret::new("hf_a"), Secret::new("hf_b"));
        assert_eq!(tenants.of(Some(&a)), tenants.of(Some(&a)));
        assert_ne!(tenants.of(Some(&a)), tenants.of(Some(&b)));
        assert_ne!(tenants.of(Some(&a)), Tenants::new().of(Some(&a)), "the hash must be keyed");
        assert_eq!(tenants.of(None), Tenant::GATEWAY);
        assert_ne!(tenants.of(Some(&Secret::new(""))), Tenant::GATEWAY);
    }
}
