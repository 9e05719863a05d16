//! Deflated streams.

use std::sync::{Mutex, MutexGuard, PoisonError};

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::RenderError;

/// For what is in one document only. Measured: 1 saves a third of the time and costs 800 bytes, 6 saves 35 bytes.
const LEVEL_ONCE: u32 = 3;
/// For what many documents share.
const LEVEL_SHARED: u32 = 9;
/// Below this nothing is gained.
const BYTES_MIN: usize = 200;

/// Compressors that wait for the next document: their tables are larger than any ticket, and making them would cost
/// more than the compression.
static IDLE: Mutex<Vec<Compress>> = Mutex::new(Vec::new());
/// As many as threads are likely to render at once; each takes 300 kB.
const IDLE_MAX: usize = 8;

/// Deflated bytes of one document; `None` where they would not be fewer.
pub(super) fn once(bytes: &[u8]) -> Result<Option<Vec<u8>>, RenderError> {
    if bytes.len() < BYTES_MIN {
        return Ok(None);
    }
    let waiting = idle().pop();
    let mut deflate = match waiting {
        Some(mut waiting) => {
            waiting.reset();
            waiting
        }
        None => Compress::new(Compression::new(LEVEL_ONCE), true),
    };
    let deflated = run(&mut deflate, bytes);
    let mut idle = idle();
    if idle.len() < IDLE_MAX {
        idle.push(deflate);
    }
    deflated
}

fn idle() -> MutexGuard<'static, Vec<Compress>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Deflated bytes that many documents share.
pub(super) fn shared(bytes: &[u8]) -> Result<Option<Vec<u8>>, RenderError> {
    run(
        &mut Compress::new(Compression::new(LEVEL_SHARED), true),
        bytes,
    )
}

fn run(deflate: &mut Compress, bytes: &[u8]) -> Result<Option<Vec<u8>>, RenderError> {
    // Room for a little more than is worth keeping.
    let mut deflated = Vec::with_capacity(bytes.len() + 64);
    let status = deflate
        .compress_vec(bytes, &mut deflated, FlushCompress::Finish)
        .map_err(|error| RenderError::Write(error.to_string()))?;
    Ok((status == Status::StreamEnd && deflated.len() < bytes.len()).then_some(deflated))
}
