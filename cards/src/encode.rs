//! Writes PNG.

use png::{ColorType, Compression, Encoder, EncodingError, Filter};
use resvg::tiny_skia::Pixmap;

/// An opaque picture as PNG; its alpha is left out.
///
/// # Errors
/// What the encoder says, which happens to no picture that fits into memory.
pub fn encode(pixmap: &Pixmap) -> Result<Vec<u8>, EncodingError> {
    let colours: Vec<u8> = pixmap.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, pixmap.width(), pixmap.height());
    encoder.set_color(ColorType::Rgb);
    encoder.set_compression(Compression::Fast);
    // As small as trying every filter for every line, in a third of the time.
    encoder.set_filter(Filter::Paeth);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&colours)?;
    writer.finish()?;
    Ok(bytes)
}
