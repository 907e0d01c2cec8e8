//! Embeddings, sound and pictures from door to door, compared with what went in.

mod assets;
mod capabilities;
mod destinations;
mod embeddings;
mod kept;
mod pictures;
mod sound;
mod uploads;
