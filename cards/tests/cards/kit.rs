//! Images to upload, and eyes to look at cards with.

use std::{io::Write, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use cards::{Background, Field, Renderer, UploadError, Values};
use flate2::{Compression, write::ZlibEncoder};

/// Fonts are parsed once; every test shares them.
pub(crate) static RENDERER: LazyLock<Renderer> = LazyLock::new(Renderer::new);

/// So is the ticket.
pub(crate) static TICKET: LazyLock<Background> = LazyLock::new(|| RENDERER.ticket());

pub(crate) fn read(bytes: &[u8]) -> Result<Background, UploadError> {
    Background::read(bytes, &RENDERER)
}

/// The message of an error with those of its sources, as a log would show it.
pub(crate) fn whole(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {}", whole(source)));
    format!("{error}{}", source.unwrap_or_default())
}

pub(crate) fn values() -> Values {
    Values {
        code: "SUMMER26".to_owned(),
        holder_name: Some("Anna-Sofia Müller".to_owned()),
        validity: Some("Valid until 31 August 2026".to_owned()),
        campaign_name: "Summer Sale 2026".to_owned(),
        benefit: "20% off the first month".to_owned(),
        link: "https://t.me/promo_stack_bot?start=c-SUMMER26".to_owned(),
    }
}

/// A chequered picture, so that a card's background is not plain.
fn pixels(width: u32, height: u32) -> Vec<u8> {
    (0..width * height).flat_map(|at| [(at % width / 3) as u8, (at / width / 2) as u8, (at % 64) as u8]).collect()
}

pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&pixels(width, height)).unwrap();
    bytes
}

pub(crate) fn jpeg(width: u16, height: u16, progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 85);
    encoder.set_progressive(progressive);
    encoder.encode(&pixels(width.into(), height.into()), width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

/// An SVG of 400 × 300 pixels around `body`.
pub(crate) fn svg(body: &str) -> String {
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="400" height="300">{body}</svg>"#
    )
}

pub(crate) fn data_url(mime: &str, bytes: &[u8]) -> String {
    format!("data:{mime};base64,{}", STANDARD.encode(bytes))
}

/// A PNG of chunks, whose check sums are right whatever is in them.
pub(crate) fn png_of(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in chunks {
        bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        let mut crc = flate2::Crc::new();
        for part in [kind.as_slice(), data] {
            bytes.extend(part);
            crc.update(part);
        }
        bytes.extend(crc.sum().to_be_bytes());
    }
    bytes
}

/// The header chunk of an 8-bit RGBA image.
pub(crate) fn png_header(width: u32, height: u32) -> Vec<u8> {
    [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat()
}

/// `length` zeros, compressed.
pub(crate) fn zeros(length: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let block = vec![0; 1 << 20];
    let mut left = length;
    while left > 0 {
        let part = left.min(block.len());
        encoder.write_all(&block[..part]).unwrap();
        left -= part;
    }
    encoder.finish().unwrap()
}

/// A card, decoded by another reader than wrote it.
pub(crate) struct Seen {
    pub(crate) width: usize,
    pub(crate) height: usize,
    rgb: Vec<u8>,
}

impl Seen {
    pub(crate) fn look(png: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut rgb).unwrap();
        assert_eq!((frame.color_type, frame.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        Self { width: frame.width as usize, height: frame.height as usize, rgb }
    }

    pub(crate) fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * self.width + x) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }

    /// What all QR codes in it say.
    pub(crate) fn qr(&self) -> Vec<String> {
        let grey = |x, y| (self.pixel(x, y).iter().map(|part| u16::from(*part)).sum::<u16>() / 3) as u8;
        let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(self.width, self.height, grey);
        prepared.detect_grids().iter().map(|grid| grid.decode().unwrap().1).collect()
    }

    /// Where it differs from another, all of it in the box of `field` or, as a
    /// letter may lean out of its place, up to three pixels beside it.
    pub(crate) fn changed_within(&self, other: &Self, field: &Field) -> usize {
        let changed = self.changed(other);
        for (x, y) in &changed {
            let (x, y) = (u32::try_from(*x).unwrap(), u32::try_from(*y).unwrap());
            let inside = (field.x - 3..field.x + field.width + 3).contains(&x);
            assert!(inside && (field.y..field.y + field.height).contains(&y), "{:?} at {x}, {y}", field.shows);
        }
        changed.len()
    }

    /// Where it differs from another.
    fn changed(&self, other: &Self) -> Vec<(usize, usize)> {
        let all = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        all.filter(|(x, y)| self.pixel(*x, *y) != other.pixel(*x, *y)).collect()
    }
}
