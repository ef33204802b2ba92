//! SVG that does more than draw.

use std::time::{Duration, Instant};

use cards::{Layout, Renderer};

use crate::kit::{RENDERER, Seen, data_url, jpeg, png, png_header, png_of, read, svg, values, whole};

/// What is said about an SVG, which must not take long.
fn refusal(text: &str) -> String {
    let started = Instant::now();
    let error = match read(text.as_bytes()) {
        Ok(_) => panic!("accepted: {}", text.chars().take(300).collect::<String>()),
        Err(error) => whole(&error),
    };
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}: {error}", started.elapsed());
    error
}

#[test]
fn what_does_more_than_draw_is_refused_by_name() {
    for (body, error) in [
        ("<script>alert(1)</script>", "<script>"),
        ("<SCRIPT/>", "<SCRIPT>"),
        (r#"<x:script xmlns:x="http://www.w3.org/1999/xhtml"/>"#, "<script>"),
        (r#"<g><g><script href="data:,x"/></g></g>"#, "<script>"),
        ("<foreignObject><p/></foreignObject>", "<foreignObject>"),
        ("<a href='#x'/>", "<a>"),
        ("<animate attributeName='href'/>", "<animate>"),
        ("<set/>", "<set>"),
        ("<filter id='f'><feGaussianBlur stdDeviation='9999'/></filter>", "<filter>"),
        ("<pattern id='p' width='1e9' height='1e9'/>", "<pattern>"),
        ("<marker id='m'/>", "<marker>"),
        ("<textPath href='#p'/>", "<textPath>"),
        ("<switch/>", "<switch>"),
        ("<svg width='1e9' height='1e9'/>", "<svg>"),
        ("<iframe xmlns='http://www.w3.org/1999/xhtml'/>", "<iframe>"),
        (r#"<rect onclick="x()"/>"#, "event attribute onclick"),
        (r#"<g OnLoad="x()"/>"#, "event attribute OnLoad"),
        (r#"<g x:onload="x()" xmlns:x="http://www.w3.org/1999/xlink"/>"#, "event attribute onload"),
        (r#"<g xml:base="http://example.org/"/>"#, "attribute base"),
        (r#"<g filter="blur(900)"/>"#, "attribute filter"),
        (r#"<g style="filter: blur(900px)"/>"#, "filters are not accepted"),
        ("<style>g{filter:blur(900px)}</style>", "filters are not accepted"),
        (r#"<image href="https://example.org/a.png"/>"#, "reference in href"),
        (r#"<image xlink:href="file:///etc/passwd"/>"#, "reference in href"),
        (r#"<image href="/etc/passwd"/>"#, "reference in href"),
        (r#"<image href="a.png"/>"#, "reference in href"),
        (r##"<image href="#x"/>"##, "reference in href"),
        (r#"<image href="data:image/svg+xml,&lt;svg/&gt;"/>"#, "reference in href"),
        (r#"<image href="data:image/gif;base64,R0lGODlhAQABAAAAACw="/>"#, "reference in href"),
        (r#"<image href="data:text/plain;base64,R0lGODlhAQABAAAAACw="/>"#, "reference in href"),
        (r#"<use href="other.svg#x"/>"#, "reference in href"),
        (r#"<use xlink:href="javascript:alert(1)"/>"#, "reference in href"),
        (r#"<use href="data:image/svg+xml,x#x"/>"#, "reference in href"),
        ("<use href='#'/>", "reference in href"),
        (r#"<rect fill="url(http://example.org/#g)"/>"#, "reference in fill"),
        (r#"<rect fill="red url( 'other.svg#g' )"/>"#, "reference in fill"),
        (r#"<rect fill="URL (//example.org)"/>"#, "reference in fill"),
        (r#"<rect mask="url(data:image/svg+xml,x)"/>"#, "reference in mask"),
        (r#"<rect style="fill:url(http://example.org/)"/>"#, "reference in style"),
        (r#"<rect style="fill:\75rl(http://example.org/)"/>"#, "escapes"),
        ("<style>@import 'http://example.org/x.css';</style>", "style that is not accepted"),
        ("<style>@import url(http://example.org/x.css);</style>", "style that is not accepted"),
        ("<style>@/**/import url(x.css); a{}</style>", "style that is not accepted"),
        ("<style>@font-face{src:url(http://example.org/f)}</style>", "style that is not accepted"),
        ("<style>a{fill:url(http://example.org/)}</style>", "reference in style"),
        ("<style><![CDATA[a{fill:url(http://example.org/)}]]></style>", "reference in style"),
        ("<style>a{fill:ur\\6c(x)}</style>", "escapes"),
        ("<style>a{mask:url(#m)}</style>", "must be attributes"),
        ("<style>* * * * *{fill:red}</style>", "only selectors of an element, class or id"),
        ("<style>a{fill:red</style>", "a rule does not end"),
        ("<?xml-stylesheet href='x.css'?>", "<?xml-stylesheet?>"),
        ("<?php x ?>", "<?php?>"),
        ("<g>&unknown;</g>", "not well-formed"),
        ("<g>", "not well-formed"),
        ("<g a='1' a='2'/>", "not well-formed"),
    ] {
        let said = refusal(&svg(body));
        assert!(said.starts_with("the SVG ") && said.contains(error), "{body}\n{said}");
    }
}

#[test]
fn entities_are_refused_before_they_are_read() {
    let laughs: String =
        (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    for text in [
        format!("<?xml version=\"1.0\"?><!DOCTYPE svg [<!ENTITY l0 \"ha\">{laughs}]>{}", svg("<text>&l9;</text>")),
        format!("<!DOCTYPE svg [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>{}", svg("<text>&x;</text>")),
        format!("<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"http://www.w3.org/x.dtd\">{}", svg("")),
        format!("<!-- x --><!doctype svg>{}", svg("")),
    ] {
        assert!(refusal(&text).contains("must not have a DOCTYPE"), "{text}");
    }
    assert!(refusal(&format!("<?xml-stylesheet href='x.css'?>{}", svg(""))).contains("processing instructions"));
}

#[test]
fn only_utf8_is_read() {
    let text = svg("<rect width='400' height='300' fill='red'/>");
    let said = |bytes: &[u8]| whole(&read(bytes).unwrap_err());
    for (mark, wide) in [(0xfeff_u16, u16::to_le_bytes as fn(u16) -> [u8; 2]), (0xfeff, u16::to_be_bytes)] {
        let units = std::iter::once(mark).chain(text.encode_utf16());
        let bytes: Vec<u8> = units.flat_map(wide).collect();
        assert!(said(&bytes).contains("must be UTF-8"));
        assert!(said(&bytes[2..]).contains("must be UTF-8"), "without a mark");
    }
    assert!(said(format!("<?xml version='1.0' encoding='UTF-16'?>{text}").as_bytes()).contains("must be UTF-8"));
    assert!(said(&[text.as_bytes(), b"<!-- \xff -->"].concat()).contains("must be UTF-8"));
    for start in
        ["\u{feff}", "\u{feff}<?xml version='1.0' encoding='utf-8'?>\n", "<?xml version=\"1.0\"?>", " \n<!-- a > b -->"]
    {
        read(format!("{start}{text}").as_bytes()).unwrap();
    }
}

#[test]
fn what_explodes_is_refused_in_time() {
    let doubling = |line: &dyn Fn(usize) -> String| -> String { (1..25).map(line).collect() };
    let uses = doubling(&|n| format!("<g id='u{n}'><use href='#u{0}'/><use href='#u{0}'/></g>", n - 1));
    let masks = doubling(&|n| format!("<mask id='u{n}'><g mask='url(#u{0})'/><g mask='url(#u{0})'/></mask>", n - 1));
    let clips = doubling(&|n| {
        format!("<clipPath id='u{n}'><g style='clip-path:url(#u{0})'/><g clip-path='url(#u{0})'/></clipPath>", n - 1)
    });
    let layers = |count: usize| {
        format!("{}<rect width='4000' height='2000'/>{}", "<g opacity='.5'>".repeat(count), "</g>".repeat(count))
    };
    let large = |body: &str| svg(body).replace("width=\"400\" height=\"300\"", "width=\"4000\" height=\"2000\"");
    let letters = "x".repeat(5_000);
    let pieces = format!("<text>{letters}{}</text>", "<tspan>x</tspan>".repeat(5_000));
    let chain: String = (1..300).map(|n| format!("<g id='c{n}'><use href='#c{}'/></g>", n - 1)).collect();
    for (text, error) in [
        (svg(&format!("<rect id='u0'/>{uses}<use href='#u24'/>")), "too much by repetition"),
        (svg(&format!("<mask id='u0'/>{masks}<g mask='url(#u24)'/>")), "too much by repetition"),
        (svg(&format!("<clipPath id='u0'/>{clips}<g clip-path='url(#u24)'/>")), "too much by repetition"),
        (svg("<g id='a'><use href='#b'/></g><g id='b'><use href='#a'/></g>"), "in a circle"),
        (svg("<mask id='m'><rect mask='url(#m)'/></mask>"), "in a circle"),
        (svg(&format!("<g id='c0'/>{chain}<use href='#c299'/>")), "deep"),
        (svg(&format!("{}{}", "<g>".repeat(100_000), "</g>".repeat(100_000))), "nested more than 64 deep"),
        (svg(&"<g>".repeat(100_000)), "nested more than 64 deep"),
        (svg(&"<g/>".repeat(100_000)), "more than 10000 elements"),
        (
            svg(&format!("<g {}/>", (0..50_000).map(|n| format!("a{n}='' ")).collect::<String>())),
            "more than 100 attributes",
        ),
        (svg(&" ".repeat(1024 * 1024)), "at most 1048576 are accepted"),
        (svg(&format!("<style>{}</style>", "a{b:c}".repeat(20_000))), "16 KiB"),
        (svg(&format!("<style>{}</style>{}", "a,b{c:d}".repeat(1_000), "<g/>".repeat(9_000))), "too many selectors"),
        (svg(&pieces), "too much by repetition"),
        (large(&layers(20)), "too much memory"),
        (large(&"<rect width='4000' height='2000' fill-opacity='.5'/>".repeat(5_000)), "too much time"),
        (large(&"<g opacity='.5'><path d='M0 0H9e9V9e9'/></g>".repeat(1_000)), "too much memory"),
        (large("<path d='M0 0H4000' stroke='red' stroke-dasharray='.0001'/>"), "too much time"),
        (large(&format!("<path d='M0 0{}'/>", "V2000V0".repeat(80_000))), "too much time"),
    ] {
        let said = refusal(&text);
        assert!(said.contains(error), "{said}\n{}", text.chars().take(300).collect::<String>());
    }
}

#[test]
fn the_size_is_limited() {
    for (size, error) in [
        ("width='100' height='300'", "the image has 100 x 300 pixels"),
        ("width='4097' height='300'", "the image has 4097 x 300 pixels"),
        ("width='1e30' height='300'", "pixels; each side must have"),
        ("width='50in' height='300'", "the image has 4800 x 300 pixels"),
        ("viewBox='0 0 90 90'", "the image has 90 x 90 pixels"),
        ("width='4096' height='4096'", "at most 8388608 are accepted in all"),
        ("width='-400' height='300'", "cannot be laid out"),
        ("width='0' height='300'", "cannot be laid out"),
        ("", "each side must have 200"),
    ] {
        let said = refusal(&format!("<svg xmlns='http://www.w3.org/2000/svg' {size}/>"));
        assert!(said.contains(error), "{size}: {said}");
    }
    for size in ["viewBox='0 0 400 300'", "width='4in' height='300pt'", "width='400px' height='300' viewBox='0 0 4 3'"]
    {
        read(format!("<svg xmlns='http://www.w3.org/2000/svg' {size}/>").as_bytes()).unwrap();
    }
}

#[test]
fn images_within_are_judged_like_uploads() {
    let image = |url: &str| svg(&format!("<image width='400' height='300' href='{url}'/>"));
    let bomb = png_of(&[(b"IHDR", png_header(60_000, 60_000)), (b"IDAT", vec![])]);
    assert!(refusal(&image(&data_url("image/png", &bomb))).contains("the image has 60000 x 60000 pixels"));
    let part = &png(300, 300)[..500];
    assert!(refusal(&image(&data_url("image/png", part))).contains("the PNG image is truncated or corrupt"));
    // The kind is what the bytes say.
    read(image(&data_url("image/png", &jpeg(200, 100, false))).as_bytes()).unwrap();
    // Small ones, drawn large, again and again, or many large ones.
    let many = format!("<defs><image id='i' href='{}'/></defs>", data_url("image/png", &png(20, 20)));
    read(svg(&format!("{many}{}", "<use href='#i'/>".repeat(20))).as_bytes()).unwrap();
    let large = png_of(&[
        (b"IHDR", png_header(4000, 2000)),
        (b"IDAT", crate::kit::zeros(2000 * (1 + 4 * 4000))),
        (b"IEND", vec![]),
    ]);
    let large = format!("<image id='i' href='{}'/>", data_url("image/png", &large));
    assert!(refusal(&svg(&large.repeat(2))).contains("too much memory"));
    assert!(refusal(&svg(&format!("{large}{}", "<use href='#i'/>".repeat(50)))).contains("too much time"));
}

/// The library that draws gives up on this one by panicking.
#[test]
fn what_cannot_be_drawn_is_an_error() {
    let far = "<clipPath id='c'/><ellipse rx='1e9in' clip-path='url(#none)'/>";
    assert_eq!(refusal(&svg(far)), "the SVG cannot be drawn");
}

/// What drawing programs write, and what it looks like.
#[test]
fn an_honest_drawing_is_drawn() {
    let body = format!(
        r##"<title>Card</title><metadata><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></metadata>
        <n:namedview xmlns:n="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd" id="view"/>
        <style>/* a note */ .sky, #sun {{ fill: #0000ff; stroke: none }} rect {{ fill: url(#none) }}</style>
        <defs><linearGradient id="g"><stop offset="0" stop-color="#f00"/><stop offset="1" stop-color="#f00"/></linearGradient>
        <clipPath id="left"><rect width="200" height="300"/></clipPath>
        <mask id="m"><circle cx="350" cy="250" r="40" fill="#fff"/></mask><symbol id="s"><path d="M300 0h50v50h-50z"/></symbol></defs>
        <path class="sky" d="M0 0H400V300H0Z"/>
        <g clip-path="url(#left)"><path d="M0 0H400V300H0Z" fill="url(#g)"/></g>
        <use href="#s" fill="#00ff00"/><path d="M300 200H400V300H300Z" style="fill:#ffff00" mask="url(#m)"/>
        <image x="220" y="100" width="50" height="50" href="{}"/>
        <text x="10" y="100" font-size="80" fill="#fff" stroke="#fff">Текст</text>"##,
        data_url("image/jpeg", &jpeg(50, 50, false))
    );
    let background = read(svg(&body).as_bytes()).unwrap();
    let seen = Seen::look(&RENDERER.render(&background, &Layout::default(), &values()).unwrap());
    assert_eq!(seen.pixel(5, 5), [255, 0, 0], "clipped gradient");
    assert_eq!(seen.pixel(210, 280), [0, 0, 255], "class from a style sheet");
    assert_eq!(seen.pixel(325, 25), [0, 255, 0], "symbol");
    assert_eq!(seen.pixel(350, 250), [255, 255, 0], "mask");
    assert!(seen.pixel(245, 125)[0] < 60 && seen.pixel(245, 125)[2] < 90, "image, {:?}", seen.pixel(245, 125));
    let white = (0..200).flat_map(|x| (30..110).map(move |y| (x, y))).filter(|(x, y)| seen.pixel(*x, *y) == [255; 3]);
    assert!(white.count() > 500, "text in the fonts of the binary");
    // What is transparent is white.
    let empty = Renderer::new().background(svg("").as_bytes()).unwrap();
    let seen = Seen::look(&RENDERER.render(&empty, &Layout::default(), &values()).unwrap());
    assert_eq!((seen.width, seen.height, seen.pixel(200, 150)), (400, 300, [255; 3]));
}
