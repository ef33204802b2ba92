//! What may be in an SVG.

use data_url::DataUrl;
use resvg::usvg::roxmltree::{Document, Node};

use super::{SvgError, css};
use crate::raster::{self, Format, Limits};

const SVG: &str = "http://www.w3.org/2000/svg";

/// The elements that only draw, and those that only describe.
const ELEMENTS: [&str; 24] = [
    "g",
    "defs",
    "symbol",
    "use",
    "path",
    "rect",
    "circle",
    "ellipse",
    "line",
    "polyline",
    "polygon",
    "text",
    "tspan",
    "linearGradient",
    "radialGradient",
    "stop",
    "clipPath",
    "mask",
    "image",
    "style",
    "title",
    "desc",
    "metadata",
    "svg",
];

/// What drawing programs note down for themselves; it is not drawn.
const NOTES: [&str; 6] = [
    "http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd",
    "http://www.inkscape.org/namespaces/inkscape",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "http://creativecommons.org/ns#",
    "http://web.resource.org/cc/",
    "http://purl.org/dc/elements/1.1/",
];

/// Checks every element and attribute against the list of what is allowed.
///
/// # Errors
/// The first that is not.
pub(super) fn check(document: &Document, images: &Limits) -> Result<(), SvgError> {
    let (mut elements, mut sheets, mut selectors, mut pixels) = (0, 0, 0, 0);
    for node in document.descendants() {
        if node.is_pi() {
            return Err(SvgError::Instruction { name: quoted(node.pi().map_or("", |pi| pi.target)) });
        }
        if !node.is_element() {
            continue;
        }
        elements += 1;
        check_element(node, document)?;
        for attribute in node.attributes() {
            let name = attribute.name();
            let value = attribute.value();
            if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("on")) {
                return Err(SvgError::EventAttribute { name: quoted(name) });
            }
            let refers = SvgError::Reference { name: quoted(name) };
            match name {
                "href" if node.tag_name().name() == "image" => {
                    pixels += image(value, images)?.ok_or(refers)?;
                    images.check_all(pixels)?;
                }
                "href" if value.trim().len() > 1 && value.trim().starts_with('#') => {}
                "href" | "src" => return Err(refers),
                "base" => return Err(SvgError::Attribute { name: quoted(name) }),
                "filter" if value.trim() != "none" => return Err(SvgError::Attribute { name: quoted(name) }),
                "style" => {
                    css::check_declarations(value)?;
                }
                _ if css::check_urls(value) => {}
                _ => return Err(refers),
            }
        }
        if node.tag_name().name() == "style" {
            // Parts of a style sheet that comments split would read differently together.
            let sheet: String = node.descendants().filter(Node::is_text).filter_map(|text| text.text()).collect();
            sheets += sheet.len();
            if sheets > css::LONGEST || node.children().any(|child| !child.is_text()) {
                return Err(SvgError::Style { reason: "only plain text of at most 16 KiB is accepted" });
            }
            selectors += css::check_sheet(&sheet)?;
        }
    }
    if selectors * elements > css::MOST_MATCHES {
        return Err(SvgError::Style { reason: "there are too many selectors for so many elements" });
    }
    Ok(())
}

fn check_element(node: Node, document: &Document) -> Result<(), SvgError> {
    let (name, root) = (node.tag_name().name(), node == document.root_element());
    let allowed = match node.tag_name().namespace() {
        None | Some(SVG) if root => name == "svg",
        // One is enough; those within could be larger than the image.
        None | Some(SVG) => name != "svg" && ELEMENTS.contains(&name),
        // Only within the root, or it would be all there is.
        Some(other) => !root && NOTES.contains(&other),
    };
    if allowed { Ok(()) } else { Err(SvgError::Element { name: quoted(name) }) }
}

/// The pixels of an image in a data URL; none if it is something else.
fn image(url: &str, limits: &Limits) -> Result<Option<u64>, SvgError> {
    let Ok(url) = DataUrl::process(url) else { return Ok(None) };
    let mime = url.mime_type();
    if !mime.type_.eq_ignore_ascii_case("image") || !["png", "jpeg", "jpg"].contains(&&*mime.subtype) {
        return Ok(None);
    }
    let Ok((bytes, _)) = url.decode_to_vec() else { return Ok(None) };
    let Some(format) = Format::of(&bytes) else { return Ok(None) };
    let drawn = raster::decode(format, &bytes, limits).map_err(|error| SvgError::Image(Box::new(error)))?;
    Ok(Some(u64::from(drawn.width()) * u64::from(drawn.height())))
}

impl Limits {
    /// Checks all images together.
    fn check_all(&self, pixels: u64) -> Result<(), SvgError> {
        if pixels > u64::from(self.pixels) { Err(SvgError::Work("memory")) } else { Ok(()) }
    }
}

/// A name from the file, short enough to be shown.
pub(super) fn quoted(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}
