use super::*;

fn field(shows: Content) -> Field {
    Field {
        shows,
        x: 10,
        y: 20,
        width: 200,
        height: 200,
        font_size: 40,
        colour: "#0a0B0c".to_owned(),
        align: Align::Left,
        face: Face::Sans,
        bold: false,
    }
}

/// What `change` makes wrong in the third of three fields, on 800 × 600 pixels.
fn wrong(shows: Content, change: impl FnOnce(&mut Field)) -> String {
    let mut layout = Layout { fields: vec![field(Content::Code), field(Content::Qr), field(shows)] };
    layout.check(800, 600).unwrap();
    change(&mut layout.fields[2]);
    layout.check(800, 600).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_is_named() {
    let text = || Content::Text("Gift".to_owned());
    for (error, start) in [
        (wrong(Content::Code, |field| field.x = 800), "fields[2].x: the box must end within"),
        (wrong(Content::Code, |field| field.y = u32::MAX), "fields[2].y: the box must end within"),
        (wrong(Content::Code, |field| field.width = 791), "fields[2].width: the box must end within"),
        (wrong(Content::Code, |field| field.width = u32::MAX), "fields[2].width: the box must end within"),
        (wrong(Content::Code, |field| field.height = 581), "fields[2].height: the box must end within"),
        (wrong(Content::Code, |field| field.width = 0), "fields[2].width: must be at least 16 pixels"),
        (wrong(Content::Qr, |field| field.height = 119), "fields[2].height: must be at least 120 pixels"),
        (wrong(Content::Qr, |field| field.height = 251), "fields[2].height: must be like the width"),
        (wrong(Content::Code, |field| field.font_size = 9), "fields[2].font_size: must be 10 to 400"),
        (wrong(Content::Code, |field| field.font_size = 401), "fields[2].font_size: must be 10 to 400"),
        (wrong(Content::Code, |field| field.colour = "red".to_owned()), "fields[2].colour: must be a colour"),
        (wrong(Content::Code, |field| field.colour = "#12345".to_owned()), "fields[2].colour: must be a colour"),
        (wrong(Content::Code, |field| field.colour = "#é1234".to_owned()), "fields[2].colour: must be a colour"),
        (wrong(text(), |field| field.shows = Content::Text(" ".to_owned())), "fields[2].shows.text: must not be empty"),
        (
            wrong(text(), |field| field.shows = Content::Text("ж".repeat(201))),
            "fields[2].shows.text: must have at most 200",
        ),
        (
            wrong(text(), |field| field.shows = Content::Text("a\nb".to_owned())),
            "fields[2].shows.text: must not contain control",
        ),
    ] {
        assert!(error.starts_with(start), "{error}");
    }
}

#[test]
fn there_is_an_end_to_fields() {
    let layout = Layout { fields: vec![field(Content::Code); 33] };
    assert_eq!(layout.check(800, 600).unwrap_err().to_string(), "fields: must have at most 32 entries");
}

#[test]
fn a_layout_is_data() {
    let json = r##"{"fields":[
        {"shows":"qr","x":0,"y":0,"width":150,"height":150},
        {"shows":{"text":"Gift"},"x":0,"y":150,"width":150,"height":40,"font_size":20,"colour":"#ffffff","align":"centre","face":"mono"}
    ]}"##;
    let layout: Layout = serde_json::from_str(json).unwrap();
    layout.check(200, 200).unwrap();
    assert_eq!(layout.fields[1].shows, Content::Text("Gift".to_owned()));
    assert_eq!((layout.fields[1].align, layout.fields[1].face), (Align::Centre, Face::Mono));
    let again: Layout = serde_json::from_str(&serde_json::to_string(&layout).unwrap()).unwrap();
    assert_eq!(again, layout);
}
