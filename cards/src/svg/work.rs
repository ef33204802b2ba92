//! Prices the drawing of an SVG before it is drawn.

use resvg::{
    tiny_skia::{Path, PathSegment, Point, Rect, Transform},
    usvg::{Group, ImageKind, Node, Stroke, Tree},
};

use super::SvgError;
use crate::{
    Background,
    raster::{self, Format},
};

/// Most work, about one for each pixel painted once; a second or two.
const MOST_WORK: f64 = 300e6;

/// The work of following an edge along one row of pixels: four finer rows, in
/// each of which it is moved and sorted among the others.
const EDGE_ROW: f64 = 64.0;

/// Edges that a segment of a stroked line has, corners included.
const STROKE_EDGES: f64 = 4.0;

/// Most pixels of layers held at a time: groups with opacity, clips and masks
/// are drawn apart, and may be nested.
const MOST_LAYERS: f64 = 4.0 * Background::MOST_PIXELS as f64;

/// Most dashes of all lines.
const MOST_DASHES: f64 = 100_000.0;

struct Price {
    canvas: Rect,
    work: f64,
    dashes: f64,
}

/// # Errors
/// Drawing would take too long or too much memory.
pub(super) fn check(tree: &Tree) -> Result<(), SvgError> {
    let (width, height) = (tree.size().width(), tree.size().height());
    let canvas = Rect::from_xywh(0.0, 0.0, width, height).ok_or(SvgError::Draw)?;
    Price { canvas, work: 0.0, dashes: 0.0 }.group(tree.root(), 0.0)
}

impl Price {
    /// `held` pixels are in layers already.
    fn group(&mut self, group: &Group, mut held: f64) -> Result<(), SvgError> {
        if group.should_isolate() {
            let layer = self.layer(group.abs_layer_bounding_box().to_rect());
            held += layer;
            self.add(3.0 * layer)?;
            let (mut clip, mut mask) = (group.clip_path(), group.mask());
            while let Some(path) = clip {
                self.add(4.0 * layer)?;
                self.apart(path.root(), layer, held + layer)?;
                clip = path.clip_path();
            }
            while let Some(over) = mask {
                self.add(6.0 * layer)?;
                self.apart(over.root(), layer, held + layer)?;
                mask = over.mask();
            }
            if held > MOST_LAYERS {
                return Err(SvgError::Work("memory"));
            }
        }
        for node in group.children() {
            match node {
                Node::Group(group) => self.group(group, held)?,
                Node::Text(text) => self.group(text.flattened(), held)?,
                Node::Image(image) => self.image(image.kind(), self.seen(node.abs_bounding_box()))?,
                Node::Path(path) => {
                    let seen = self.seen(node.abs_stroke_bounding_box());
                    let transform = path.abs_transform();
                    self.add(seen * 2.0 + self.edges(path.data(), transform, 0.0))?;
                    if let Some(stroke) = path.stroke() {
                        let (x, y) = transform.get_scale();
                        let width = stroke.width().get() * x.max(y);
                        let dashes = self.dashes(path.data(), stroke)?;
                        let edges = self.edges(path.data(), transform, width) + dashes * self.edge(width);
                        self.add(seen * 2.0 + STROKE_EDGES * edges)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What a clip or mask is made of. Where it will be is not known here, so
    /// everything in it is taken to be as large as the layer.
    fn apart(&mut self, group: &Group, layer: f64, held: f64) -> Result<(), SvgError> {
        let layers = if group.should_isolate() { held + layer } else { held };
        if layers > MOST_LAYERS {
            return Err(SvgError::Work("memory"));
        }
        self.add(if group.should_isolate() { 3.0 * layer } else { 0.0 })?;
        let (mut clip, mut mask) = (group.clip_path(), group.mask());
        while let Some(path) = clip {
            self.add(4.0 * layer)?;
            self.apart(path.root(), layer, layers + layer)?;
            clip = path.clip_path();
        }
        while let Some(over) = mask {
            self.add(6.0 * layer)?;
            self.apart(over.root(), layer, layers + layer)?;
            mask = over.mask();
        }
        for node in group.children() {
            match node {
                Node::Group(group) => self.apart(group, layer, layers)?,
                Node::Text(text) => self.apart(text.flattened(), layer, layers)?,
                Node::Image(image) => self.image(image.kind(), layer)?,
                Node::Path(path) => {
                    let mut edges = path.data().verbs().len() as f64;
                    if let Some(stroke) = path.stroke() {
                        edges += STROKE_EDGES * (edges + self.dashes(path.data(), stroke)?);
                    }
                    // Each of them as high as a square layer.
                    self.add(4.0 * layer + edges * EDGE_ROW * layer.sqrt())?;
                }
            }
        }
        Ok(())
    }

    fn image(&mut self, kind: &ImageKind, seen: f64) -> Result<(), SvgError> {
        let (data, format) = match kind {
            ImageKind::PNG(data) => (data, Format::Png),
            ImageKind::JPEG(data) => (data, Format::Jpeg),
            _ => return Err(SvgError::Draw),
        };
        // It is decoded wherever it is drawn, and drawn with a bicubic filter.
        self.add(16.0 * seen + 8.0 * f64::from(raster::pixels(format, data).unwrap_or(Background::MOST_PIXELS)))
    }

    /// How many dashes a line has; none if it is whole.
    fn dashes(&mut self, path: &Path, stroke: &Stroke) -> Result<f64, SvgError> {
        let Some(dashes) = stroke.dasharray() else { return Ok(0.0) };
        let period = f64::from(dashes.iter().sum::<f32>()) / dashes.len().max(1) as f64;
        let length: f64 = steps(path, Transform::identity()).map(|(from, to)| f64::from(from.distance(to))).sum();
        let count = length / period.max(1e-9);
        self.dashes += count;
        // Not a number is too many.
        if self.dashes.is_nan() || self.dashes > MOST_DASHES {
            return Err(SvgError::Work("time"));
        }
        Ok(count)
    }

    /// Following all edges of a path from row to row, each `wider` by that many pixels.
    fn edges(&self, path: &Path, transform: Transform, wider: f32) -> f64 {
        steps(path, transform).map(|(from, to)| self.edge((from.y - to.y).abs() + wider)).sum()
    }

    /// Following an edge of so many rows, of which the canvas shows no more than it has.
    fn edge(&self, rows: f32) -> f64 {
        EDGE_ROW * (1.0 + f64::from(rows.min(self.canvas.height())))
    }

    /// Pixels of a box that are on the canvas.
    fn seen(&self, bounds: Rect) -> f64 {
        bounds.intersect(&self.canvas).map_or(1.0, |seen| f64::from(seen.width()) * f64::from(seen.height()) + 1.0)
    }

    /// Pixels of a layer: it may reach beyond the canvas by twice its size on each side.
    fn layer(&self, bounds: Rect) -> f64 {
        let (width, height) = (self.canvas.width(), self.canvas.height());
        let reach = Rect::from_ltrb(-2.0 * width, -2.0 * height, 3.0 * width, 3.0 * height);
        let kept = reach.and_then(|reach| bounds.intersect(&reach));
        kept.map_or(25.0, |kept| (f64::from(kept.width()) + 4.0) * (f64::from(kept.height()) + 4.0))
    }

    fn add(&mut self, work: f64) -> Result<(), SvgError> {
        self.work += work;
        // Not a number is too much.
        if self.work <= MOST_WORK { Ok(()) } else { Err(SvgError::Work("time")) }
    }
}

/// From where to where the segments of a path go, curves by way of their handles.
fn steps(path: &Path, transform: Transform) -> impl Iterator<Item = (Point, Point)> {
    let mut at = Point::zero();
    let mut start = at;
    path.segments().flat_map(move |segment| {
        let points = match segment {
            PathSegment::MoveTo(to) => {
                (at, start) = (to, to);
                vec![]
            }
            PathSegment::LineTo(to) => vec![to],
            PathSegment::QuadTo(handle, to) => vec![handle, to],
            PathSegment::CubicTo(first, second, to) => vec![first, second, to],
            PathSegment::Close => vec![start],
        };
        let steps: Vec<_> = points
            .into_iter()
            .map(|to| {
                let mut step = [at, to];
                at = to;
                transform.map_points(&mut step);
                (step[0], step[1])
            })
            .collect();
        steps
    })
}
