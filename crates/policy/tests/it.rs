//! The decisions of this crate as the other crates see them.

#[cfg(test)]
mod it {
    pub(crate) mod table;

    mod configuration;
    mod credentials;
    mod documents;
    mod environment;
    mod mutated;
    mod names;
    mod renewed;
    mod routing;
    mod rules;
    mod secrets;
    mod simulation;
}
