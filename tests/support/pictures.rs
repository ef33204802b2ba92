//! Pictures to upload, and a camera to look at cards with.

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};

/// A picture of one colour.
pub fn png(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&plain(width, height, colour)).unwrap();
    bytes
}

/// A picture of one colour.
pub fn jpeg(width: u16, height: u16, colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    let pixels = plain(width.into(), height.into(), colour);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

/// A drawing of 600 × 400 pixels around `body`.
pub fn svg(body: &str) -> Vec<u8> {
    format!(r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="600" height="400">{body}</svg>"#)
        .into_bytes()
}

fn plain(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    colour.repeat((width * height) as usize)
}

/// A PNG whose header tells of `width` × `height` pixels and whose data inflate to `inflated` zeros.
pub fn png_that_inflates(width: u32, height: u32, inflated: usize) -> Vec<u8> {
    let mut zeros = ZlibEncoder::new(Vec::new(), Compression::best());
    let block = vec![0; 1 << 20];
    for _ in 0..inflated / block.len() {
        zeros.write_all(&block).unwrap();
    }
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", zeros.finish().unwrap()), (b"IEND", vec![])] {
        bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        let mut sum = flate2::Crc::new();
        for part in [kind.as_slice(), &data] {
            bytes.extend(part);
            sum.update(part);
        }
        bytes.extend(sum.sum().to_be_bytes());
    }
    bytes
}

/// A card as it is seen.
pub struct Seen {
    pub width: usize,
    pub height: usize,
    rgb: Vec<u8>,
}

impl Seen {
    pub fn look(png: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut rgb).unwrap();
        assert_eq!(frame.color_type, png::ColorType::Rgb);
        Self { width: frame.width as usize, height: frame.height as usize, rgb }
    }

    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * self.width + x) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }

    /// What its QR code says; there must be one.
    pub fn qr(&self) -> String {
        let grey = |x, y| (self.pixel(x, y).iter().map(|part| u16::from(*part)).sum::<u16>() / 3) as u8;
        let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(self.width, self.height, grey);
        let grids = prepared.detect_grids();
        assert_eq!(grids.len(), 1, "one QR code");
        grids[0].decode().unwrap().1
    }
}
