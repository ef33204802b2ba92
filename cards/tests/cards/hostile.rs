//! Files that are no picture, a broken one, or one that explodes.

use std::time::{Duration, Instant};

use crate::kit::{jpeg, png, png_header, png_of, read, whole, zeros};

/// What is said about bytes, which must not take long.
fn refusal(bytes: &[u8]) -> String {
    let started = Instant::now();
    let error = whole(&read(bytes).unwrap_err());
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}: {error}", started.elapsed());
    error
}

#[test]
fn only_pictures_are_taken_whatever_they_are_called() {
    for bytes in [
        b"".as_slice(),
        b" \n",
        b"GIF89a\x01\x00\x01\x00\x80\x00\x00",
        b"RIFF\x24\x00\x00\x00WEBPVP8 ",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        b"PK\x03\x04\x14\x00\x00\x00",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
        b"BM\x36\x00\x00\x00",
        b"\x00\x00\x00\x1cftypavif",
        b"II*\x00",
        b"\x89PNG",
        b"<html><body>picture.png</body></html>",
        b"picture.svg",
        b"{\"svg\":1}",
    ] {
        assert_eq!(refusal(bytes), "only PNG, JPEG and SVG images are accepted", "{bytes:?}");
    }
}

#[test]
fn sizes_are_limited_by_the_header_alone() {
    // None of these has a picture: the header is enough to refuse it.
    let header = |width, height| png_of(&[(b"IHDR", png_header(width, height)), (b"IDAT", vec![])]);
    assert!(
        refusal(&header(60_000, 60_000)).starts_with("the image has 60000 x 60000 pixels; each side must have 200")
    );
    assert!(refusal(&header(199, 400)).contains("199 x 400"));
    assert!(refusal(&header(400, 4097)).contains("400 x 4097"));
    assert!(refusal(&header(4096, 4096)).ends_with("at most 8388608 are accepted in all"));
    assert!(refusal(&header(u32::MAX, u32::MAX)).contains("each side must have 200"));

    let mut large = jpeg(400, 300, false);
    let frame = large.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    large[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    assert!(refusal(&large).starts_with("the image has 65535 x 65535 pixels"));
    assert!(refusal(&jpeg(150, 300, false)).starts_with("the image has 150 x 300 pixels"));

    let long = vec![0; cards::Background::MOST_BYTES + 1];
    assert_eq!(refusal(&long), "the file has 10485761 bytes; at most 10485760 are accepted");
}

#[test]
fn a_truncated_picture_is_found_out_at_once() {
    for (name, whole_file) in [("PNG", png(400, 300)), ("JPEG", jpeg(400, 300, false)), ("JPEG", jpeg(400, 300, true))]
    {
        read(&whole_file).unwrap();
        for share in [2, 10, 30, 50, 70, 90, 99] {
            let part = &whole_file[..whole_file.len() * share / 100];
            let error = refusal(part);
            assert!(error.contains(&format!("the {name} image is truncated or corrupt")), "{share} %: {error}");
        }
        let error = refusal(&whole_file[..whole_file.len() - 2]);
        assert!(error.contains("truncated or corrupt"), "{error}");
    }
}

#[test]
fn a_corrupt_picture_is_found_out_at_once() {
    let mut flipped = png(400, 300);
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    assert!(refusal(&flipped).contains("the PNG image is truncated or corrupt"));

    let mut none = jpeg(400, 300, false);
    none.truncate(2);
    none.extend([0xff, 0xd9]);
    assert!(refusal(&none).contains("it has 0 pictures instead of one"));
}

#[test]
fn a_small_png_that_inflates_to_gigabytes_costs_little() {
    let bomb = zeros(300 << 20);
    assert!(bomb.len() < cards::Background::MOST_BYTES);
    // More picture than the header says.
    let more = png_of(&[(b"IHDR", png_header(200, 200)), (b"IDAT", bomb.clone()), (b"IEND", vec![])]);
    // In what is not drawn: a colour profile, a text.
    let picture = zeros(200 * (1 + 4 * 200));
    let beside = |kind, name: &[u8]| {
        let bomb = [name, &bomb].concat();
        png_of(&[(b"IHDR", png_header(200, 200)), (kind, bomb), (b"IDAT", picture.clone()), (b"IEND", vec![])])
    };
    for file in [more, beside(b"iCCP", b"x\0\0"), beside(b"zTXt", b"x\0\0")] {
        let started = Instant::now();
        // Taken or not, it is done with soon.
        let _ = read(&file);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
    // The largest picture there may be, of nothing.
    let largest = zeros(2048 * (1 + 4 * 4096));
    let file = png_of(&[(b"IHDR", png_header(4096, 2048)), (b"IDAT", largest), (b"IEND", vec![])]);
    assert_eq!(read(&file).unwrap().width(), 4096);
}

#[test]
fn a_jpeg_of_endless_scans_is_refused() {
    let whole_file = jpeg(400, 300, true);
    let scan = whole_file.windows(2).rposition(|pair| pair == [0xff, 0xda]).unwrap();
    let end = whole_file.len() - 2;
    let mut endless = whole_file[..end].to_vec();
    for _ in 0..1000 {
        endless.extend(&whole_file[scan..end]);
    }
    endless.extend([0xff, 0xd9]);
    assert!(refusal(&endless).contains("it has more than 64 scans"));
}

#[test]
fn every_kind_of_png_is_read() {
    for colour in [png::ColorType::Grayscale, png::ColorType::GrayscaleAlpha, png::ColorType::Rgb, png::ColorType::Rgba]
    {
        for depth in [png::BitDepth::Eight, png::BitDepth::Sixteen] {
            let mut bytes = Vec::new();
            let mut encoder = png::Encoder::new(&mut bytes, 200, 200);
            encoder.set_color(colour);
            encoder.set_depth(depth);
            let length = 200 * 200 * colour.samples() * if depth == png::BitDepth::Eight { 1 } else { 2 };
            encoder.write_header().unwrap().write_image_data(&vec![0x80; length]).unwrap();
            assert_eq!(read(&bytes).unwrap().height(), 200, "{colour:?} {depth:?}");
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 200, 200);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_palette(vec![0, 0, 0, 255, 0, 0]);
    encoder.write_header().unwrap().write_image_data(&[0xaa; 200 * 25]).unwrap();
    read(&bytes).unwrap();
}
