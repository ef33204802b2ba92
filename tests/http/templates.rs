//! Uploads that are no pictures, or worse; layouts that do not fit; and the card without its picture.

use projections::campaigns;
use promostack::{
    bots::texts,
    cards::{self, CardError, Lacking},
    integrations::{storage::Key, telegram::BotIdentity},
};
use serde_json::{Value, json};

use crate::{
    pictures::{Seen, jpeg, png, png_that_inflates, svg},
    world::{Answer, Send, World},
};

async fn upload(world: &World, query: &str, media_type: &str, picture: impl Into<reqwest::Body>) -> Answer {
    let request = world.admin("POST", &format!("/api/templates?{query}")).await;
    request.header("content-type", media_type).body(picture).answer().await
}

pub(crate) async fn uploaded(world: &World) -> Answer {
    let answer = upload(world, "name=Fine", "image/png", png(400, 300, [240, 240, 255])).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

#[tokio::test]
async fn what_is_no_harmless_picture_is_refused_and_says_why() {
    let world = World::new().await;
    let fine = png(400, 300, [9, 9, 9]);
    let entities = "<!DOCTYPE svg [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>\
                    <svg xmlns=\"http://www.w3.org/2000/svg\" width=\"400\" height=\"300\"><text>&b;</text></svg>";
    let outside = "<!DOCTYPE svg [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><svg xmlns=\"http://www.w3.org/2000/svg\" \
                   width=\"400\" height=\"300\"><text>&x;</text></svg>";
    let doubling: String =
        (0..40).map(|n| format!("<g id='g{}'><use href='#g{n}'/><use href='#g{n}'/></g>", n + 1)).collect();
    let drawings: Vec<(Vec<u8>, &str)> = vec![
        (svg("<script>alert(1)</script>"), "<script>"),
        (svg("<rect width='9' height='9' onload='alert(1)'/>"), "onload"),
        (svg("<image href='https://example.com/x.png' width='9' height='9'/>"), "reference in href"),
        (svg("<image href='file:///etc/passwd' width='9' height='9'/>"), "reference in href"),
        (svg("<image xlink:href='//example.com/x.png' width='9' height='9'/>"), "reference in"),
        (svg("<a href='javascript:alert(1)'><rect width='9' height='9'/></a>"), "not"),
        (svg("<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'/></foreignObject>"), "<foreignObject>"),
        (svg("<style>@import url(https://example.com/x.css);</style>"), "style"),
        (svg("<rect width='9' height='9' style='fill:url(https://example.com/x.svg#a)'/>"), "reference"),
        (entities.into(), "DOCTYPE"),
        (outside.into(), "DOCTYPE"),
        (svg(&format!("<g id='g0'><rect width='9' height='9'/></g>{doubling}<use href='#g40'/>")), "repetition"),
        (svg("<g><rect"), "well-formed"),
        (svg(&" ".repeat(1 << 20)), "at most 1048576"),
    ];
    let mut cases: Vec<(&str, Vec<u8>, &str)> =
        drawings.into_iter().map(|(drawing, reason)| ("image/svg+xml", drawing, reason)).collect();
    cases.extend([
        ("image/png", vec![], "only PNG, JPEG and SVG"),
        ("image/png", b"GIF89a\x01\x00\x01\x00".to_vec(), "only PNG, JPEG and SVG"),
        ("image/svg+xml", b"<html><script>alert(1)</script></html>".to_vec(), "only PNG, JPEG and SVG"),
        ("image/png", fine[..fine.len() / 2].to_vec(), "truncated or corrupt"),
        ("image/png", png(199, 300, [0; 3]), "199 x 300"),
        // Headers that promise more than may be, and data that are more than the header says.
        ("image/png", png_that_inflates(60_000, 60_000, 1 << 20), "60000 x 60000"),
        ("image/png", png_that_inflates(4096, 4096, 1 << 20), "at most 8388608"),
        ("image/jpeg", jpeg(400, 300, [0; 3])[..900].to_vec(), "truncated or corrupt"),
    ]);
    let begun = std::time::Instant::now();
    for (media_type, picture, reason) in cases {
        let what = format!("{media_type}, {} bytes, {reason}", picture.len());
        let answer = upload(&world, "name=Bad", media_type, picture).await;
        answer.expect(422, "invalid-picture");
        assert_eq!(answer.fields(), ["body"], "{what}");
        let said = answer.json["errors"][0]["reason"].as_str().unwrap();
        assert!(said.contains(reason), "{what}: {said}");
    }
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());

    // The type must be one of three, and true.
    for media_type in ["application/octet-stream", "image/gif", "text/html", "multipart/form-data; boundary=x", ""] {
        upload(&world, "name=Bad", media_type, fine.clone()).await.expect(415, "unsupported-media-type");
    }
    for (media_type, picture) in [
        ("image/jpeg", fine.clone()),
        ("image/svg+xml", fine.clone()),
        ("image/png", svg("<rect width='9' height='9'/>")),
    ] {
        let answer = upload(&world, "name=Bad", media_type, picture).await;
        answer.expect(422, "invalid-picture");
        assert_eq!(answer.fields(), ["Content-Type"], "{answer:?}");
    }
    for query in
        ["", "name=", "name=%20", "name=a%0Ab", "name=a%00b", "name=%C2%85", &format!("name={}", "x".repeat(121))]
    {
        let answer = upload(&world, query, "image/png", fine.clone()).await;
        answer.expect(400, "invalid-input");
        assert_eq!(answer.fields(), ["name"], "{query}");
    }
    let listed = world.get("/api/templates").await;
    assert_eq!(listed.json["items"], json!([]), "nothing is kept of what was refused");
    world.end().await;
}

#[tokio::test]
async fn an_upload_takes_effect_once() {
    let world = World::new().await;
    let picture = png(300, 300, [1, 2, 3]);
    let send = async |name: &str, picture: Vec<u8>| {
        let request = world.admin("POST", &format!("/api/templates?name={name}")).await;
        request.header("idempotency-key", "k-1").header("content-type", "image/png").body(picture).answer().await
    };
    let first = send("Once", picture.clone()).await;
    let again = send("Once", picture.clone()).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!(first.json, again.json);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.header("location"), format!("/api/templates/{}", first.json["id"].as_str().unwrap()));
    assert_eq!(first.json["events"], json!(["Uploaded", "LayoutPlaced"]));
    send("Twice", picture).await.expect(422, "idempotency-key-reused");
    send("Once", png(300, 300, [3, 2, 1])).await.expect(422, "idempotency-key-reused");
    world.end().await;
}

#[tokio::test]
async fn a_layout_that_does_not_fit_is_refused_by_field() {
    let world = World::new().await;
    let template = uploaded(&world).await;
    let own = format!("/api/templates/{}", template.json["id"].as_str().unwrap());
    let place = async |path: &str, method: &str, body: &Value| {
        world.admin(method, path).await.header("if-match", "*").json(body).answer().await
    };
    let field = |name: &str, value: Value| {
        let mut field = json!({ "shows": "code", "x": 10, "y": 10, "width": 100, "height": 50 });
        field[name] = value;
        json!({ "fields": [{ "shows": "qr", "x": 0, "y": 0, "width": 120, "height": 120 }, field] })
    };
    for (layout, problem, at) in [
        (field("x", json!(400)), (422, "invalid-layout"), "fields[1].x"),
        (field("width", json!(391)), (422, "invalid-layout"), "fields[1].width"),
        (field("height", json!(1)), (422, "invalid-layout"), "fields[1].height"),
        (field("font_size", json!(401)), (422, "invalid-layout"), "fields[1].font_size"),
        (field("colour", json!("red")), (422, "invalid-layout"), "fields[1].colour"),
        (field("shows", json!("qr")), (422, "invalid-layout"), "fields[1].width"),
        (field("x", json!(-1)), (400, "invalid-input"), "fields[1].x"),
        (field("y", json!(1.5)), (400, "invalid-input"), "fields[1].y"),
        (field("width", Value::Null), (400, "invalid-input"), "fields[1].width"),
        (field("shows", json!("secret")), (400, "invalid-input"), "fields[1].shows"),
        (field("shows", json!("text")), (400, "invalid-input"), "fields[1].text"),
        (field("text", json!("x")), (400, "invalid-input"), "fields[1].text"),
        (field("align", json!("middle")), (400, "invalid-input"), "fields[1].align"),
        (field("face", json!("Comic Sans")), (400, "invalid-input"), "fields[1].face"),
        (field("bold", json!("yes")), (400, "invalid-input"), "fields[1].bold"),
        (field("href", json!("x")), (400, "invalid-input"), "fields[1].href"),
        (json!({ "fields": [1] }), (400, "invalid-input"), "fields[0]"),
        (json!({ "fields": {} }), (400, "invalid-input"), "fields"),
        (json!({ "fields": vec![json!({}); 33] }), (400, "invalid-input"), "fields"),
        (json!({}), (400, "invalid-input"), "fields"),
    ] {
        let answer = place(&format!("{own}/layout"), "PUT", &layout).await;
        answer.expect(problem.0, problem.1);
        assert_eq!(answer.fields(), [at], "{layout}: {answer:?}");
        let answer = place(&format!("{own}/preview"), "POST", &json!({ "layout": layout })).await;
        answer.expect(problem.0, problem.1);
        assert_eq!(answer.fields(), [format!("layout.{at}")], "{layout}: {answer:?}");
    }
    for text in ["", "  ", "a\nb", &"x".repeat(201)] {
        let mut layout = field("shows", json!("text"));
        layout["fields"][1]["text"] = json!(text);
        let answer = place(&format!("{own}/layout"), "PUT", &layout).await;
        answer.expect(422, "invalid-layout");
        assert_eq!(answer.fields(), ["fields[1].text"], "{answer:?}");
    }
    for (name, value) in [
        ("code", json!("a b")),
        ("code", json!("")),
        ("code", json!("x".repeat(65))),
        ("holder_name", json!("a\nb")),
        ("validity", json!("x".repeat(201))),
        ("link", json!("https://example.com")),
    ] {
        let answer = place(&format!("{own}/preview"), "POST", &json!({ name: value })).await;
        answer.expect(400, "invalid-input");
        assert_eq!(answer.fields(), [name], "{answer:?}");
    }
    let without = world.admin("PUT", &format!("{own}/layout")).await.json(&json!({ "fields": [] })).answer().await;
    without.expect(428, "precondition-required");
    place("/api/templates/01935c2e-7b4a-7c31-9f05-5d1a8e6204b7/layout", "PUT", &json!({ "fields": [] }))
        .await
        .expect(404, "template-missing");

    let renamed = place(&own, "PATCH", &json!({ "name": "Other" })).await;
    assert_eq!((renamed.status.as_u16(), renamed.header("etag")), (200, "\"3\""));
    assert_eq!(world.post(&format!("{own}/archive"), json!(null)).await.status, 200);
    place(&own, "PATCH", &json!({ "name": "Third" })).await.expect(409, "template-archived");
    place(&format!("{own}/layout"), "PUT", &json!({ "fields": [] })).await.expect(409, "template-archived");
    let restored = world.post(&format!("{own}/restore"), json!(null)).await;
    assert_eq!(restored.json["events"], json!(["Restored"]));
    let shown = world.get(&format!("{own}?min_position={}", restored.json["position"])).await;
    assert_eq!((&shown.json["name"], shown.json.get("archived_at")), (&json!("Other"), None));
    world.end().await;
}

#[tokio::test]
async fn a_card_without_its_picture_is_told_from_one_without_a_bot() {
    let world = World::new().await;
    let template = uploaded(&world).await;
    let campaign = world.draft("LOST").await;
    let id = campaign.json["id"].as_str().unwrap();
    let body = json!({ "template": template.json["id"] });
    let chosen = world.admin("PUT", &format!("/api/campaigns/{id}/template")).await.json(&body).answer().await;
    let path = format!("/api/campaigns/{id}?min_position={}", chosen.json["position"]);
    assert_eq!(world.get(&path).await.json["template"], template.json["id"]);
    world.get(&format!("/api/campaigns/{id}/card")).await.expect(503, "telegram-unavailable");

    world.app.bot.set(BotIdentity { id: 1, username: "promo_bot".to_owned() }).unwrap();
    let row = campaigns::find(&world.app.pool, id.parse().unwrap()).await.unwrap().unwrap();
    let draw = |lacking| {
        let holder = Some("Anna".to_owned());
        let (template, terms) = (row.template, &row.terms.0);
        cards::coupon(&world.app, template, terms, "LOST".to_owned(), holder, texts::in_language(None), lacking)
    };
    // The picture is taken away before any card needed it.
    let key: String = sqlx::query_scalar("select object from templates").fetch_one(&world.app.pool).await.unwrap();
    let key = Key::new(key).unwrap();
    let picture = world.app.storage.get(&key).await.unwrap().unwrap();
    world.app.storage.delete(&key).await.unwrap();
    let error = draw(Lacking::Refuse).await.unwrap_err();
    assert!(matches!(error, CardError::Missing(_)) && error.is_of_picture(), "{error:?}");
    let ticket = Seen::look(&draw(Lacking::Ticket).await.unwrap());
    assert_eq!((ticket.width, ticket.qr().as_str()), (1200, "https://t.me/promo_bot?start=LOST"));
    let other = png(400, 300, [0, 0, 0]);
    world.app.storage.put(&key, other.into(), "image/png").await.unwrap();
    assert!(matches!(draw(Lacking::Refuse).await.unwrap_err(), CardError::Changed(_)), "nobody else's picture");
    world.app.storage.put(&key, picture, "image/png").await.unwrap();
    let own = Seen::look(&draw(Lacking::Refuse).await.unwrap());
    assert_eq!((own.width, own.pixel(1, 1)), (400, [240, 240, 255]));
    world.end().await;
}
