//! Sound and pictures, from files as they are found in the wild.

#[cfg(test)]
mod it {
    mod decoding;
    mod encoding;
    mod hostile;
    mod pictures;
    mod resampling;
    mod sniffing;
    pub(crate) mod sounds;
}
