//! Decodes PNG and JPEG, within limits that are checked first.

use std::{io::Cursor, ops::RangeInclusive};

use resvg::tiny_skia::{ColorU8, IntSize, Pixmap};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{colorspace::ColorSpace, options::DecoderOptions},
};

use crate::{
    UploadError,
    jpeg::{self, JpegError},
};

/// How large an image may be.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) sides: RangeInclusive<u32>,
    pub(crate) pixels: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Png,
    Jpeg,
}

impl Format {
    /// By the first bytes.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else {
            None
        }
    }
}

impl Limits {
    pub(crate) fn check(&self, width: u32, height: u32) -> Result<(), UploadError> {
        if !self.sides.contains(&width) || !self.sides.contains(&height) {
            return Err(UploadError::Sides { width, height, least: *self.sides.start(), most: *self.sides.end() });
        }
        if u64::from(width) * u64::from(height) > u64::from(self.pixels) {
            return Err(UploadError::Pixels { width, height, most: self.pixels });
        }
        Ok(())
    }
}

pub(crate) fn decode(format: Format, bytes: &[u8], limits: &Limits) -> Result<Pixmap, UploadError> {
    match format {
        Format::Png => decode_png(bytes, limits),
        Format::Jpeg => decode_jpeg(bytes, limits),
    }
}

fn decode_png(bytes: &[u8], limits: &Limits) -> Result<Pixmap, UploadError> {
    // Eight bytes a pixel for 16-bit colours, and some for the decoder itself.
    let most = limits.pixels as usize * 8 + (1 << 20);
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: most });
    // Compressed themselves, and not drawn.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let header = decoder.read_header_info().map_err(UploadError::Png)?;
    let (width, height) = (header.width, header.height);
    limits.check(width, height)?;

    let mut reader = decoder.read_info().map_err(UploadError::Png)?;
    let length = reader.output_buffer_size().ok_or(UploadError::Png(png::DecodingError::LimitsExceeded))?;
    let mut decoded = vec![0; length];
    let frame = reader.next_frame(&mut decoded).map_err(UploadError::Png)?;
    // Up to the end mark, so that a truncated file is found out.
    reader.finish().map_err(UploadError::Png)?;
    let channels = frame.color_type.samples();
    let mut pixmap = Pixmap::new(width, height).ok_or(UploadError::Png(png::DecodingError::LimitsExceeded))?;
    for (pixel, samples) in pixmap.pixels_mut().iter_mut().zip(decoded.chunks_exact(channels)) {
        *pixel = match *samples {
            [grey, alpha] => ColorU8::from_rgba(grey, grey, grey, alpha),
            [red, green, blue, alpha] => ColorU8::from_rgba(red, green, blue, alpha),
            [red, green, blue] => ColorU8::from_rgba(red, green, blue, 255),
            [grey, ..] => ColorU8::from_rgba(grey, grey, grey, 255),
            [] => continue,
        }
        .premultiply();
    }
    Ok(pixmap)
}

fn decode_jpeg(bytes: &[u8], limits: &Limits) -> Result<Pixmap, UploadError> {
    let (width, height) = jpeg::size(bytes)?;
    limits.check(width, height)?;
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::RGBA)
        .set_strict_mode(true)
        .set_max_width(width as usize)
        .set_max_height(height as usize);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options);
    let decoded = decoder.decode().map_err(JpegError::Decode)?;
    // Opaque, so there is nothing to premultiply.
    let pixmap = IntSize::from_wh(width, height).and_then(|size| Pixmap::from_vec(decoded, size));
    Ok(pixmap.ok_or(JpegError::Colours)?)
}

/// How many pixels the header says there are; none if it cannot be read.
pub(crate) fn pixels(format: Format, bytes: &[u8]) -> Option<u32> {
    let (width, height) = match format {
        Format::Png => {
            let header = png::Decoder::new(Cursor::new(bytes)).read_header_info().ok().map(|info| info.size());
            header?
        }
        Format::Jpeg => jpeg::size(bytes).ok()?,
    };
    width.checked_mul(height)
}
