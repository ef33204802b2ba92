//! Walks the segments of a JPEG without decoding it: ITU-T T.81, annex B.

use zune_jpeg::errors::DecodeErrors;

/// Most scans. A progressive image has about ten; thousands of empty ones over
/// a large image would keep the decoder busy for minutes.
const MOST_SCANS: usize = 64;

/// What is wrong with a JPEG.
#[derive(Debug, thiserror::Error)]
pub enum JpegError {
    /// The end mark is missing.
    #[error("the JPEG image is truncated or corrupt: it ends too early")]
    Short,
    /// Something else is where a marker should be.
    #[error("the JPEG image is truncated or corrupt: a segment does not start with a marker")]
    NoMarker,
    /// Several images in one, or none.
    #[error("the JPEG image cannot be read: it has {frames} pictures instead of one")]
    Frames {
        /// How many.
        frames: usize,
    },
    /// Progressive without end.
    #[error("the JPEG image cannot be read: it has more than {MOST_SCANS} scans")]
    Scans,
    /// The picture itself cannot be decoded.
    #[error("the JPEG image is truncated or corrupt: its picture cannot be decoded")]
    Decode(#[source] DecodeErrors),
    /// Neither grey nor colours that can be shown.
    #[error("the JPEG image cannot be read: its colours are of an unknown kind")]
    Colours,
}

/// Width and height as the frame header says, of a file that is whole.
///
/// # Errors
/// It is not.
pub(crate) fn size(bytes: &[u8]) -> Result<(u32, u32), JpegError> {
    const SHORT: JpegError = JpegError::Short;
    let (mut at, mut size, mut scans) = (2, None, 0);
    loop {
        let rest = bytes.get(at..).filter(|rest| rest.len() >= 2).ok_or(SHORT)?;
        if rest[0] != 0xff {
            return Err(JpegError::NoMarker);
        }
        match rest[1] {
            // Fill before a marker.
            0xff => at += 1,
            // Markers without a segment.
            0x01 | 0xd0..=0xd8 => at += 2,
            0xd9 => break,
            marker => {
                let segment = segment(rest).ok_or(SHORT)?;
                // The start of a frame, of whatever kind: precision, height, width.
                if matches!(marker, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf) {
                    let [_, h1, h2, w1, w2] = *segment.first_chunk().ok_or(SHORT)?;
                    let found = (u32::from(u16::from_be_bytes([w1, w2])), u32::from(u16::from_be_bytes([h1, h2])));
                    if size.replace(found).is_some() {
                        return Err(JpegError::Frames { frames: 2 });
                    }
                }
                at += 4 + segment.len();
                if marker == 0xda {
                    scans += 1;
                    if scans > MOST_SCANS {
                        return Err(JpegError::Scans);
                    }
                    at += coded(&bytes[at..]).ok_or(SHORT)?;
                }
            }
        }
    }
    match size {
        Some(size) if scans > 0 => Ok(size),
        _ => Err(JpegError::Frames { frames: 0 }),
    }
}

/// What follows a marker and its length.
fn segment(rest: &[u8]) -> Option<&[u8]> {
    let [_, _, high, low] = *rest.first_chunk()?;
    rest.get(4..2 + usize::from(u16::from_be_bytes([high, low])))
}

/// The length of coded data: up to a marker that is not part of it.
fn coded(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff))
}
