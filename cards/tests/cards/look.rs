//! Cards as people get them.

use cards::{Align, Content, Face, Field, InvalidLayout, Layout, LayoutProblem, RenderError, deep_link};

use crate::kit::{RENDERER, Seen, TICKET, jpeg, png, read, svg, values};

fn field(shows: Content, [x, y, width, height]: [u32; 4]) -> Field {
    Field {
        shows,
        x,
        y,
        width,
        height,
        font_size: 40,
        colour: "#ffffff".to_owned(),
        align: Align::Left,
        face: Face::Sans,
        bold: false,
    }
}

#[test]
fn a_camera_reads_the_link_from_the_ticket() {
    let ticket = &*TICKET;
    for payload in ["x".to_owned(), "c-SUMMER26".to_owned(), "Z".repeat(64)] {
        let link = deep_link("a_bot_with_the_longest_name_ever", &payload).unwrap();
        let values = cards::Values { link: link.clone(), ..values() };
        let card = RENDERER.render(ticket, &Layout::ticket(), &values).unwrap();
        let seen = Seen::look(&card);
        assert_eq!((seen.width, seen.height), (1200, 630));
        assert_eq!(seen.qr(), [link]);
    }
}

#[test]
fn a_camera_reads_the_link_from_uploaded_backgrounds() {
    let dark = svg("<rect width='400' height='300' fill='#101010'/><circle cx='200' cy='150' r='140' fill='#552'/>");
    let link = deep_link("a_bot_with_the_longest_name_ever", &"-_aZ".repeat(16)).unwrap();
    let values = cards::Values { link: link.clone(), ..values() };
    for background in [png(400, 300), jpeg(400, 300, false), jpeg(400, 300, true), dark.into_bytes()] {
        let background = read(&background).unwrap();
        // Small and large, and in a box that is not quite square.
        for area in [[5, 7, 120, 120], [100, 0, 300, 300], [50, 40, 250, 210]] {
            let layout = Layout { fields: vec![field(Content::Qr, area)] };
            let card = RENDERER.render(&background, &layout, &values).unwrap();
            assert_eq!(Seen::look(&card).qr(), std::slice::from_ref(&link), "{area:?}");
        }
    }
}

#[test]
fn the_same_card_is_the_same_bytes() {
    let once = RENDERER.render(&TICKET, &Layout::ticket(), &values()).unwrap();
    let another = cards::Renderer::new();
    let again = another.render(&another.ticket(), &Layout::ticket(), &values()).unwrap();
    assert!(once == again, "another renderer draws another card");
}

#[test]
fn every_field_of_the_ticket_is_drawn_in_its_box_alone() {
    let (ticket, whole) = (&*TICKET, Layout::ticket());
    let card = Seen::look(&RENDERER.render(ticket, &whole, &values()).unwrap());
    for (index, field) in whole.fields.iter().enumerate() {
        let mut without = whole.clone();
        without.fields.remove(index);
        let changed = card.changed_within(&Seen::look(&RENDERER.render(ticket, &without, &values()).unwrap()), field);
        assert!(changed > 300, "{:?} has only {changed} pixels", field.shows);
    }
}

#[test]
fn what_nobody_has_is_left_out() {
    let ticket = &*TICKET;
    let nobody = cards::Values { holder_name: None, validity: None, ..values() };
    let without = Layout {
        fields: Layout::ticket()
            .fields
            .into_iter()
            .filter(|field| !matches!(field.shows, Content::HolderName | Content::Validity))
            .collect(),
    };
    let card = RENDERER.render(ticket, &Layout::ticket(), &nobody).unwrap();
    assert!(card == RENDERER.render(ticket, &without, &values()).unwrap());
}

#[test]
fn a_text_is_where_and_in_the_colour_that_the_field_says() {
    let background = read(svg("<rect width='400' height='300'/>").as_bytes()).unwrap();
    let ink = |align, text: &str| {
        let text =
            Field { align, colour: "#00ff00".to_owned(), ..field(Content::Text(text.to_owned()), [50, 100, 300, 60]) };
        let card = Seen::look(&RENDERER.render(&background, &Layout { fields: vec![text] }, &values()).unwrap());
        let all = (0..400).flat_map(|x| (0..300).map(move |y| (x, y)));
        let ink: Vec<(usize, usize)> = all.filter(|(x, y)| card.pixel(*x, *y)[1] > 128).collect();
        assert!(ink.iter().all(|(x, y)| card.pixel(*x, *y)[0] == 0), "another colour");
        let (columns, rows) = (ink.iter().map(|(x, _)| *x), ink.iter().map(|(_, y)| *y));
        [columns.clone().min().unwrap(), columns.max().unwrap(), rows.clone().min().unwrap(), rows.max().unwrap()]
    };
    let [left, right, top, bottom] = ink(Align::Left, "HELLO");
    assert!((50..58).contains(&left) && right < 200, "left: {left} to {right}");
    assert!((top + bottom).abs_diff(2 * 130) <= 4, "in the middle: {top} to {bottom}");
    let [left, right, ..] = ink(Align::Right, "HELLO");
    assert!((342..350).contains(&right) && left > 200, "right: {left} to {right}");
    let [left, right, ..] = ink(Align::Centre, "HELLO");
    assert!((left + right).abs_diff(2 * 200) <= 4, "centre: {left} to {right}");
    // A long one shrinks, and is cut: it fills the width, and never leaves it.
    let [left, right, ..] = ink(Align::Left, &"LONG WORDS ".repeat(15));
    assert!((50..58).contains(&left) && (300..350).contains(&right), "long: {left} to {right}");
    let [left, right, ..] = ink(Align::Left, &"W".repeat(200));
    assert!((50..58).contains(&left) && (330..350).contains(&right), "endless: {left} to {right}");
}

#[test]
fn a_layout_for_a_larger_background_is_refused() {
    let background = read(&png(400, 300)).unwrap();
    let error = RENDERER.render(&background, &Layout::ticket(), &values()).unwrap_err();
    let RenderError::Layout(InvalidLayout { field, problem }) = error else { panic!("{error}") };
    assert_eq!((&*field, problem), ("fields[0].width", LayoutProblem::Outside { edge: 400 }));
}

#[test]
fn a_link_too_long_for_its_code_is_refused() {
    let background = read(&png(400, 300)).unwrap();
    let layout = Layout { fields: vec![field(Content::Qr, [0, 0, 120, 120])] };
    for bytes in [300, 10_000] {
        let values = cards::Values { link: "x".repeat(bytes), ..values() };
        let error = RENDERER.render(&background, &layout, &values).unwrap_err();
        assert_eq!(error.to_string(), format!("a link of {bytes} bytes is too long for a QR code of 120 pixels"));
    }
}

/// With the layout of a fresh upload, a camera reads the code and an eye the texts, whatever they are on.
#[test]
fn the_usual_layout_is_legible_on_any_background() {
    let link = deep_link("a_bot_with_the_longest_name_ever", &"Z".repeat(64)).unwrap();
    let longest = cards::Values { link: link.clone(), code: "W".repeat(32), ..values() };
    for (width, height) in [(200, 200), (400, 300), (300, 400), (1200, 630), (1080, 1920), (4096, 200), (200, 4096)] {
        for paint in ["#000", "#fff", "#808080", "#c02020"] {
            let drawing = format!(
                "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'><rect width='{width}' height='{height}' fill='{paint}'/></svg>"
            );
            let background = read(drawing.as_bytes()).unwrap();
            let whole = Layout::usual(width, height);
            let card = Seen::look(&RENDERER.render(&background, &whole, &longest).unwrap());
            assert_eq!(card.qr(), std::slice::from_ref(&link), "{width} x {height} on {paint}");
            for (index, field) in whole.fields.iter().enumerate().skip(2) {
                let mut without = whole.clone();
                without.fields.remove(index);
                let blank = Seen::look(&RENDERER.render(&background, &without, &longest).unwrap());
                let inked = card.changed_within(&blank, field);
                assert!(inked > 100, "{width} x {height} on {paint}: {:?} has only {inked} pixels", field.shows);
            }
        }
    }
}
