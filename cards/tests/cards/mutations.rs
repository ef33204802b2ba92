//! No upload brings the reader down, and what it accepts is drawn.

use proptest::{collection::vec, prelude::*};

use crate::kit::{RENDERER, data_url, jpeg, png, read, svg, values};

/// Bytes to put somewhere: (where, as a share; what; how many bytes they replace).
type Edit = (prop::sample::Index, Vec<u8>, usize);

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    vec((any::<prop::sample::Index>(), vec(any::<u8>(), 0..6), 0_usize..6), 1..8)
}

fn edited(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for (place, new, old) in edits {
        let start = place.index(bytes.len() + 1);
        let end = (start + old).min(bytes.len());
        bytes.splice(start..end, new.iter().copied());
    }
    bytes
}

fn survives(bytes: &[u8]) {
    if let Ok(background) = read(bytes) {
        RENDERER.render(&background, &cards::Layout::default(), &values()).unwrap();
    }
}

/// The elements, attributes and numbers that drawings go wrong with.
fn drawing() -> impl Strategy<Value = String> {
    let number = || {
        prop::sample::select(vec![
            "0", "1", "-1", "300", "1e38", "-1e38", "1e-38", "3.4e39", "1e400", "NaN", "", "50%", "-50%", "2em",
            "1e9in",
        ])
    };
    let name = prop::sample::select(vec![
        "x",
        "y",
        "width",
        "height",
        "cx",
        "cy",
        "r",
        "rx",
        "ry",
        "x1",
        "x2",
        "y1",
        "y2",
        "fx",
        "fr",
        "offset",
        "opacity",
        "stroke-width",
        "stroke-dasharray",
        "stroke-dashoffset",
        "stroke-miterlimit",
        "font-size",
        "letter-spacing",
        "dx",
        "rotate",
        "textLength",
        "viewBox",
    ]);
    let numbers = (name, vec(number(), 1..5)).prop_map(|(name, values)| format!("{name}='{}'", values.join(" ")));
    let path = vec((prop::sample::select(vec!["M", "L", "C", "A", "Q", "z", "h"]), number(), number()), 1..8)
        .prop_map(|steps| steps.iter().map(|(step, x, y)| format!("{step} {x} {y} 1 0 1 {y} ")).collect::<String>())
        .prop_map(|steps| format!("d='M0 0 {steps}'"));
    let transform = (prop::sample::select(vec!["scale", "rotate", "skewX", "translate"]), number())
        .prop_map(|(kind, by)| format!("transform='{kind}({by})'"));
    let refers = (
        prop::sample::select(vec![
            "href='#A'",
            "fill='url(#A)'",
            "stroke='url(#A)'",
            "mask='url(#A)'",
            "clip-path='url(#A)'",
        ]),
        0_u8..4,
    )
        .prop_map(|(refers, id)| refers.replace('A', &format!("i{id}")));
    let look = prop::sample::select(vec![
        "fill='red'",
        "stroke='blue'",
        "style='mix-blend-mode:multiply;isolation:isolate'",
        "gradientUnits='userSpaceOnUse'",
        "maskUnits='userSpaceOnUse'",
        "clipPathUnits='objectBoundingBox'",
        "writing-mode='tb'",
        "display='none'",
        "spreadMethod='repeat'",
        "preserveAspectRatio='xMinYMin slice'",
    ])
    .prop_map(str::to_owned);
    let attributes = vec(prop_oneof![4 => numbers, 2 => path, 1 => transform, 2 => refers, 2 => look], 0..5);
    let element = prop::sample::select(vec![
        "g",
        "rect",
        "circle",
        "ellipse",
        "line",
        "path",
        "text",
        "tspan",
        "linearGradient",
        "radialGradient",
        "stop",
        "clipPath",
        "mask",
        "symbol",
        "use",
        "image",
    ]);
    let leaf = (element.clone(), attributes.clone(), 0_u8..4);
    let leaf = leaf.prop_map(|(name, attributes, id)| write(name, &attributes, id, "x שלום 🚀"));
    leaf.prop_recursive(4, 24, 4, move |inner| {
        (element.clone(), attributes.clone(), 0_u8..4, vec(inner, 0..4))
            .prop_map(|(name, attributes, id, inner)| write(name, &attributes, id, &inner.concat()))
    })
}

/// Each attribute once, or the parser would refuse it all.
fn write(name: &str, attributes: &[String], id: u8, inner: &str) -> String {
    let mut kept: Vec<&String> = Vec::new();
    for attribute in attributes {
        let key = attribute.split('=').next();
        if !kept.iter().any(|other| other.split('=').next() == key) && (name != "image" || key != Some("href")) {
            kept.push(attribute);
        }
    }
    let kept: Vec<_> = kept.into_iter().cloned().collect();
    format!("<{name} id='i{id}' {}>{inner}</{name}>", kept.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..400)) {
        survives(&bytes);
        survives(&[b"\x89PNG\r\n\x1a\n", &*bytes].concat());
        survives(&[b"\xff\xd8\xff", &*bytes].concat());
        survives(&[b"<svg", &*bytes].concat());
    }

    #[test]
    fn broken_pictures_are_survived(edits in edits()) {
        survives(&edited(png(200, 200), &edits));
        survives(&edited(jpeg(200, 200, false), &edits));
        survives(&edited(jpeg(200, 200, true), &edits));
    }

    #[test]
    fn broken_drawings_are_survived(edits in edits()) {
        let body = format!(
            "<style>.a{{fill:red}}</style><defs><clipPath id='c'><rect width='9' height='9'/></clipPath></defs>\
             <g clip-path='url(#c)'><use href='#r'/></g><rect id='r' class='a' width='40' height='30'/>\
             <text x='5' y='50' font-size='20'>a<tspan>b</tspan></text><image href='{}'/>",
            data_url("image/png", &png(3, 3))
        );
        survives(&edited(svg(&body).into_bytes(), &edits));
    }

    #[test]
    fn strange_drawings_are_survived(body in vec(drawing(), 1..4)) {
        survives(svg(&body.concat()).as_bytes());
    }

    #[test]
    fn any_name_is_drawn(name in any::<String>()) {
        let values = cards::Values { holder_name: Some(name), ..values() };
        let background = read(svg("").as_bytes()).unwrap();
        let mut layout = cards::Layout::ticket();
        layout.fields.retain(|field| field.shows == cards::Content::HolderName);
        (layout.fields[0].x, layout.fields[0].y, layout.fields[0].width) = (10, 20, 380);
        RENDERER.render(&background, &layout, &values).unwrap();
    }
}
