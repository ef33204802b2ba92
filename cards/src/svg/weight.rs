//! Weighs an SVG with everything that is drawn more than once.
//!
//! `<use>` of a group of `<use>`s doubles with every line; so do masks of
//! masks. Here each element is weighed once, and what refers to it adds its
//! weight: the sum is known without repeating anything.

use std::collections::HashMap;

use resvg::usvg::roxmltree::{Document, Node, NodeId};

use super::{SvgError, css};

/// Heaviest document. An element weighs one, its attributes one for each 64
/// bytes, a text four for each letter and more in many pieces.
const HEAVIEST: u64 = 60_000;

/// Deepest nesting, with what is referred to in the place of the reference.
const DEEPEST: usize = 128;

#[derive(Clone, Copy, Default)]
struct Weight {
    sum: u64,
    depth: usize,
}

struct Scales<'a, 'input> {
    ids: HashMap<&'a str, Node<'a, 'input>>,
    weighed: HashMap<NodeId, Option<Weight>>,
}

/// # Errors
/// It is too heavy or refers to itself.
pub(super) fn check(document: &Document) -> Result<(), SvgError> {
    let mut ids = HashMap::new();
    for node in document.descendants() {
        if let Some(id) = node.attribute("id") {
            // The first one counts, as in the layout.
            ids.entry(id).or_insert(node);
        }
    }
    Scales { ids, weighed: HashMap::new() }.weigh(document.root_element(), 0).map(|_| ())
}

impl<'a, 'input> Scales<'a, 'input> {
    fn weigh(&mut self, node: Node<'a, 'input>, above: usize) -> Result<Weight, SvgError> {
        if above > DEEPEST {
            return Err(SvgError::Depth { most: DEEPEST });
        }
        let weight = match self.weighed.get(&node.id()) {
            Some(Some(weight)) => *weight,
            // Begun, not finished: it is one of those above.
            Some(None) => return Err(SvgError::Circle),
            None => {
                self.weighed.insert(node.id(), None);
                let weight = self.weigh_new(node, above)?;
                self.weighed.insert(node.id(), Some(weight));
                weight
            }
        };
        if weight.sum > HEAVIEST {
            return Err(SvgError::Repetition);
        }
        if above + weight.depth > DEEPEST {
            return Err(SvgError::Depth { most: DEEPEST });
        }
        Ok(weight)
    }

    fn weigh_new(&mut self, node: Node<'a, 'input>, above: usize) -> Result<Weight, SvgError> {
        // An image is priced by its pixels.
        let image = node.tag_name().name() == "image";
        let bytes = node.attributes().filter(|attribute| !(image && attribute.name() == "href"));
        let bytes: usize = bytes.map(|attribute| attribute.value().len()).sum();
        let mut weight = Weight { sum: 1 + bytes as u64 / 64 + letters(node), depth: 0 };
        let referred: Vec<_> = references(node).into_iter().filter_map(|id| self.ids.get(id).copied()).collect();
        for part in node.children().filter(Node::is_element).chain(referred) {
            let part = self.weigh(part, above + 1)?;
            weight.sum = weight.sum.saturating_add(part.sum);
            weight.depth = weight.depth.max(part.depth);
        }
        weight.depth += 1;
        Ok(weight)
    }
}

/// The ids that an element refers to.
fn references<'a>(node: Node<'a, '_>) -> Vec<&'a str> {
    let ids = node.attributes().flat_map(|attribute| match attribute.name() {
        "href" => attribute.value().trim().strip_prefix('#').into_iter().collect(),
        _ => css::fragments(attribute.value()).into_iter().flatten().collect::<Vec<_>>(),
    });
    ids.collect()
}

/// A text is shaped as a whole for each piece of it.
fn letters(node: Node) -> u64 {
    if node.tag_name().name() != "text" {
        return 0;
    }
    let texts = node.descendants().filter(Node::is_text).filter_map(|text| text.text());
    let letters: usize = texts.map(str::len).sum();
    let pieces = node.descendants().filter(Node::is_element).count();
    letters as u64 * (4 + pieces as u64 / 8)
}
