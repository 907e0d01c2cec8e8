//! Conversions of sound: work for a processor, done beside the connections by a bounded number of threads.

use std::sync::OnceLock;

use bytes::Bytes;
use media::audio::{Limits, Mix};
use tokio::sync::Semaphore;
use types::{
    Blob, Fault, Kind, Result,
    ask::{AudioFormat, Upload},
};

use crate::spool;

/// What speech models hear at.
const HEARING_RATE: u32 = 16_000;
/// The rate of OpenAI's bare samples.
const PCM_RATE: u32 = 24_000;

/// As many conversions at a time as there are processors.
fn places() -> &'static Semaphore {
    static PLACES: OnceLock<Semaphore> = OnceLock::new();
    PLACES.get_or_init(|| Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)))
}

/// Sound that a caller sent, made into what a backend takes: one channel at 16 kHz. At most `room` bytes of it stand in memory.
///
/// # Errors
/// `BadRequest` naming `file` when it cannot be decoded.
pub(crate) async fn for_hearing(file: &Upload, format: AudioFormat, room: usize) -> Result<Upload> {
    let blob = file.bytes.clone();
    let made = aside(move || -> Result<Blob> {
        let bytes = whole(&blob)?;
        let pcm = media::audio::decode_as(&bytes, &Limits::default(), HEARING_RATE, Mix::Mono)
            .map_err(|error| unheard(&error))?;
        drop(bytes);
        Ok(spool::keep(media::audio::encode(&pcm, format).map_err(|error| unheard(&error))?, room))
    });
    Ok(Upload {
        bytes: made.await??,
        file_name: Some(format!("audio.{}", format.name())),
        claimed_type: Some(format.media_type().to_owned()),
    })
}

/// Sound of a backend, made into what the caller asked for.
///
/// # Errors
/// `UnsupportedParameter` naming `response_format` when nothing here writes it; `UpstreamBadReply` when the backend's
/// sound cannot be read.
pub(crate) async fn for_listening(sound: Vec<u8>, format: AudioFormat) -> Result<Vec<u8>> {
    let made = aside(move || {
        let limits = Limits::default();
        let pcm = match format {
            AudioFormat::Pcm => media::audio::decode_as(&sound, &limits, PCM_RATE, Mix::Mono)?,
            _ => media::audio::decode(&sound, &limits)?,
        };
        media::audio::encode(&pcm, format)
    })
    .await?;
    made.map_err(|error| match error {
        media::MediaError::CannotEncode(_) => {
            Fault::new(Kind::UnsupportedParameter, format!("{error}.")).param("response_format")
        }
        other => Fault::new(Kind::UpstreamBadReply, format!("The backend's sound cannot be converted: {other}.")),
    })
}

fn unheard(error: &media::MediaError) -> Box<Fault> {
    let text = format!("This backend does not take such a file, and it cannot be converted: {error}.");
    Fault::new(Kind::BadRequest, text).param("file")
}

/// How long a sound is, in seconds, where its file says.
pub(crate) async fn seconds(blob: &Blob) -> Option<f64> {
    let blob = blob.clone();
    aside(move || media::audio::duration(&whole(&blob).ok()?)).await.ok().flatten()
}

/// A caller's file in memory, while it is worked on.
fn whole(blob: &Blob) -> Result<Bytes> {
    blob.to_bytes().map_err(|error| {
        Fault::new(Kind::Internal, "A file of the call cannot be read any more.").detail(error.to_string())
    })
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let lost = || Fault::new(Kind::Internal, "The conversion did not come to its end.");
    let _place = places().acquire().await.map_err(|_| lost())?;
    tokio::task::spawn_blocking(work).await.map_err(|_| lost())
}
