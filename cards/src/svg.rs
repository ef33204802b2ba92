//! Draws an uploaded SVG, of which nothing is trusted.
//!
//! In this order, each step so that the next one is cheap: the text is scanned
//! for how much there is of it ([`scan`]), parsed without entities, held
//! against a list of what may be in it ([`rules`]), weighed with everything
//! that is drawn repeatedly ([`weight`]), laid out, priced by the pixels it
//! would paint ([`work`]), and drawn.

mod css;
mod rules;
mod scan;
mod weight;
mod work;

use std::panic::{AssertUnwindSafe, catch_unwind};

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{self, ImageHrefResolver, ImageKind, roxmltree},
};

use crate::{
    Background, UploadError,
    fonts::Fonts,
    raster::{Format, Limits},
};

/// Why an SVG is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SvgError {
    /// More than [`Background::MOST_SVG_BYTES`].
    #[error("the SVG has {bytes} bytes; at most {} are accepted", Background::MOST_SVG_BYTES)]
    Bytes {
        /// Its length.
        bytes: usize,
    },
    /// UTF-16 or something else.
    #[error("the SVG must be UTF-8")]
    Encoding,
    /// A document type, which may define entities.
    #[error("the SVG must not have a DOCTYPE or define entities")]
    Doctype,
    /// An instruction to somebody, as `<?xml-stylesheet?>`.
    #[error("the SVG must not have processing instructions such as <?{name}?>")]
    Instruction {
        /// To whom.
        name: String,
    },
    /// Elements within elements within elements.
    #[error("the SVG has elements nested more than {most} deep")]
    Depth {
        /// Deepest.
        most: usize,
    },
    /// Too many elements.
    #[error("the SVG has more than {most} elements")]
    Elements {
        /// Most.
        most: usize,
    },
    /// Too many attributes on one element.
    #[error("the SVG has an element with more than {most} attributes")]
    Attributes {
        /// Most.
        most: usize,
    },
    /// Not well-formed.
    #[error("the SVG is not well-formed: {0}")]
    Syntax(roxmltree::Error),
    /// An element that is not on the list of those that only draw.
    #[error("the SVG has an element <{name}>, which is not accepted")]
    Element {
        /// Its name.
        name: String,
    },
    /// A script in an attribute, as `onload`.
    #[error("the SVG has an event attribute {name}, which is not accepted")]
    EventAttribute {
        /// Its name.
        name: String,
    },
    /// An attribute that changes what others mean, or draws without end.
    #[error("the SVG has an attribute {name}, which is not accepted")]
    Attribute {
        /// Its name.
        name: String,
    },
    /// It refers to something outside of itself.
    #[error(
        "the SVG has a reference in {name} to something else than #id or, for <image>, a PNG or JPEG image as data: URL"
    )]
    Reference {
        /// The attribute, or `style`.
        name: String,
    },
    /// A style sheet with more than plain rules for plain selectors.
    #[error("the SVG has a style that is not accepted: {reason}")]
    Style {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An image within it is not accepted.
    #[error("the SVG has an image that is not accepted: {0}")]
    Image(Box<UploadError>),
    /// It draws itself within itself.
    #[error("the SVG refers to itself in a circle")]
    Circle,
    /// What is drawn repeatedly amounts to too much.
    #[error("the SVG draws too much by repetition")]
    Repetition,
    /// It has no width and height, or cannot be laid out.
    #[error("the SVG cannot be laid out: {0}")]
    LayOut(usvg::Error),
    /// Drawing it takes too long or too much memory.
    #[error("the SVG takes too much {0} to draw")]
    Work(&'static str),
    /// Drawing it failed.
    #[error("the SVG cannot be drawn")]
    Draw,
}

/// Most pixels of all images within it.
const IMAGES: Limits = Limits { sides: 1..=*Background::SIDES.end(), pixels: Background::MOST_PIXELS };

/// Whether somebody meant to upload an SVG. Then it gets a better answer than
/// "unknown".
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    // As UTF-16 or UTF-8 with a mark, or as plain text: the first letter is a bracket.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let head = &text[..text.len().min(4096)];
    let wide = [b"\xff\xfe<\0".as_slice(), b"\xfe\xff\0<", b"<\0", b"\0<"].iter().any(|start| bytes.starts_with(start));
    wide || head.starts_with(b"<")
        && (head.starts_with(b"<?xml") || head.windows(4).any(|word| word == b"<svg" || word == b":svg"))
}

/// Reads and draws an SVG at the size it has.
///
/// # Errors
/// It is not accepted.
pub(crate) fn draw(bytes: &[u8], limits: &Limits, fonts: &Fonts) -> Result<Pixmap, UploadError> {
    if bytes.len() > Background::MOST_SVG_BYTES {
        return Err(SvgError::Bytes { bytes: bytes.len() }.into());
    }
    // UTF-16 may be UTF-8 by chance, with a zero beside every letter.
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).ok_or(SvgError::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii_start();
    scan::scan(text)?;
    let options = roxmltree::ParsingOptions { allow_dtd: false, nodes_limit: scan::MOST_NODES, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(text, options).map_err(SvgError::Syntax)?;
    rules::check(&document, &IMAGES)?;
    weight::check(&document)?;
    // Checked or not, the layout and the drawing are other people's code at work on input of yet others.
    catch_unwind(AssertUnwindSafe(|| drawn(&document, limits, fonts))).unwrap_or(Err(SvgError::Draw.into()))
}

fn drawn(document: &roxmltree::Document, limits: &Limits, fonts: &Fonts) -> Result<Pixmap, UploadError> {
    let options = usvg::Options {
        font_family: "Ubuntu".to_owned(),
        fontdb: fonts.database.clone(),
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(|_, data, _| match Format::of(&data)? {
                Format::Png => Some(ImageKind::PNG(data)),
                Format::Jpeg => Some(ImageKind::JPEG(data)),
            }),
            // Never a file.
            resolve_string: Box::new(|_, _| None),
        },
        ..usvg::Options::default()
    };
    let tree = usvg::Tree::from_xmltree(document, &options).map_err(SvgError::LayOut)?;
    // A float beyond the range becomes the end of it, which is outside the limits.
    let (width, height) = (tree.size().width().round() as u32, tree.size().height().round() as u32);
    limits.check(width, height)?;
    work::check(&tree)?;
    let mut pixmap = Pixmap::new(width, height).ok_or(SvgError::Draw)?;
    resvg::render(&tree, Transform::identity(), &mut pixmap.as_mut());
    Ok(pixmap)
}
