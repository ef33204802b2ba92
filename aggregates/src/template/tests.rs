use cqrs_es::test::TestFramework;
use serde_json::json;

use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn picture() -> Picture {
    let object = "templates/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
    Picture { object, media_type: MediaType::Png, width: 1200, height: 630, bytes: 40_000 }
}

fn upload(name: &str) -> Command {
    Command::Upload { name: name.to_owned(), picture: picture(), layout: json!({ "fields": [] }), at: at(0) }
}

fn uploaded() -> Vec<Event> {
    vec![
        Event::Uploaded { name: "Spring".to_owned(), picture: picture(), at: at(0) },
        Event::LayoutPlaced { layout: json!({ "fields": [] }), at: at(0) },
    ]
}

fn archived() -> Vec<Event> {
    [uploaded(), vec![Event::Archived { at: at(1) }]].concat()
}

fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Template> {
    TestFramework::with(()).given(events)
}

fn rename(name: &str) -> Command {
    Command::Rename { name: name.to_owned(), at: at(2) }
}

fn place(layout: Value) -> Command {
    Command::PlaceLayout { layout, at: at(2) }
}

#[test]
fn an_upload_has_a_layout_from_the_start() {
    given(vec![]).when(upload("Spring")).then_expect_events(uploaded());
    given(uploaded()).when(upload("Spring")).then_expect_error(Refusal::Exists);
    let mut template = Template::default();
    uploaded().into_iter().for_each(|event| template.apply(event));
    let design = Design { name: "Spring".to_owned(), picture: picture(), layout: json!({ "fields": [] }) };
    assert_eq!(template.choosable(), Ok(&design));
}

#[test]
fn what_changes_is_told_and_what_does_not_is_not() {
    given(uploaded())
        .when(rename("Summer"))
        .then_expect_events(vec![Event::Named { name: "Summer".to_owned(), at: at(2) }]);
    given(uploaded()).when(rename("Spring")).then_expect_events(vec![]);
    let layout = json!({ "fields": [{ "shows": "code" }] });
    given(uploaded()).when(place(layout.clone())).then_expect_events(vec![Event::LayoutPlaced { layout, at: at(2) }]);
    given(uploaded()).when(place(json!({ "fields": [] }))).then_expect_events(vec![]);
    for command in [rename("Summer"), place(json!({})), Command::Archive { at: at(2) }, Command::Restore { at: at(2) }]
    {
        given(vec![]).when(command).then_expect_error(Refusal::Missing);
    }
}

#[test]
fn what_is_put_away_stays_as_it_is_until_it_is_brought_back() {
    given(uploaded()).when(Command::Archive { at: at(1) }).then_expect_events(vec![Event::Archived { at: at(1) }]);
    given(archived()).when(Command::Archive { at: at(2) }).then_expect_events(vec![]);
    given(archived()).when(rename("Summer")).then_expect_error(Refusal::Archived);
    given(archived()).when(place(json!({}))).then_expect_error(Refusal::Archived);
    given(archived()).when(Command::Restore { at: at(2) }).then_expect_events(vec![Event::Restored { at: at(2) }]);
    given(uploaded()).when(Command::Restore { at: at(2) }).then_expect_events(vec![]);
    let mut template = Template::default();
    archived().into_iter().for_each(|event| template.apply(event));
    assert_eq!(template.choosable(), Err(Refusal::Archived));
    assert_eq!(template.design().map(|design| &*design.name), Some("Spring"), "it can still be drawn");
}

#[test]
fn a_name_is_one_line_of_some_length() {
    let longest = "ж".repeat(Template::NAME_LENGTH);
    for (name, reason) in [
        ("", "must not be empty"),
        (" \t", "must not be empty"),
        ("a\nb", "must not contain control characters"),
        ("a\u{85}b", "must not contain control characters"),
        (&format!("{longest}x"), "must have at most 120 characters"),
    ] {
        let refusal = Refusal::Name { reason: reason.to_owned() };
        given(vec![]).when(upload(name)).then_expect_error(refusal.clone());
        given(uploaded()).when(rename(name)).then_expect_error(refusal);
    }
    given(uploaded()).when(rename(&longest)).then_expect_events(vec![Event::Named { name: longest, at: at(2) }]);
}

#[test]
fn a_media_type_is_stored_as_it_is_registered() {
    for media_type in MediaType::ALL {
        assert_eq!(serde_json::to_value(media_type).unwrap(), media_type.as_str());
    }
}
