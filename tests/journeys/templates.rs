use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::Ordering,
};

use bytes::Bytes;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{
    Process, World,
    pictures::{Seen, jpeg, png, png_that_inflates, svg},
    s3::{ACCESS_KEY, BUCKET, S3, SECRET_KEY, Scratch},
};

async fn upload(process: &Process, name: &str, media_type: &str, picture: Vec<u8>) -> Value {
    let request = process.admin(Method::POST, &format!("/api/templates?name={name}")).await;
    let answer = request.header("content-type", media_type).body(picture).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, 201, "{text}");
    serde_json::from_str(&text).unwrap()
}

async fn put(process: &Process, path: &str, if_match: &str, body: &Value) -> Response {
    process.admin(Method::PUT, path).await.header("if-match", if_match).json(body).send().await.unwrap()
}

async fn choose(process: &Process, campaign: &str, template: &Value) -> Response {
    put(process, &format!("/api/campaigns/{campaign}/template"), "*", &json!({ "template": template })).await
}

async fn bytes(process: &Process, path: &str) -> Bytes {
    let answer = process.admin(Method::GET, path).await.send().await.unwrap();
    let status = answer.status();
    let bytes = answer.bytes().await.unwrap();
    assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&bytes));
    bytes
}

async fn card(process: &Process, path: &str) -> Seen {
    Seen::look(&bytes(process, path).await)
}

fn position(change: &Value) -> i64 {
    change["position"].as_i64().unwrap()
}

/// Pictures of every kind are uploaded, laid out and chosen; coupons that are issued and redeemed are drawn on them,
/// by a process that never saw them before.
#[tokio::test(flavor = "multi_thread")]
async fn coupons_are_drawn_on_uploaded_templates_across_restarts() {
    const NIGHT: [u8; 3] = [16, 24, 56];
    let world = World::new().await;
    let home = Scratch::new("templates");
    let environment = [("PROMOSTACK_HOME", home.path().to_str().unwrap())];
    let process = world.process_with(&environment).await;
    // What cannot be read of it is left out, and must not be written into the log.
    let drawing = svg("<rect width='600' height='400' fill='#d02020'/><text x='20' y='60' font-size='40'>Gift</text>
         <rect width='forged&#10;ERROR line' height='40'/>");
    let pictures = [
        ("image/png", png(1200, 630, NIGHT), (1200, 630), NIGHT),
        ("image/jpeg", jpeg(640, 900, [200, 200, 200]), (640, 900), [200, 200, 200]),
        ("image/svg+xml", drawing, (600, 400), [0xd0, 0x20, 0x20]),
    ];
    let ends_at = "2099-12-31T12:00:00Z";
    let campaign = process.campaign(json!({"name": "Gold week", "code": "GOLD10", "ends_at": ends_at})).await;
    let link = "https://t.me/sandbox_4711_bot?start=GOLD10";
    let path = format!("/api/campaigns/{campaign}/card?holder_name=Anna%20M%C3%BCller");
    let ticket = bytes(&process, &path).await;
    let mut uploaded = vec![];
    for (media_type, picture, (width, height), colour) in pictures {
        let template = upload(&process, "Spring%20%F0%9F%8C%B7", media_type, picture.clone()).await;
        let own = format!("/api/templates/{}", template["id"].as_str().unwrap());
        let shown = process.get(&format!("{own}?min_position={}", position(&template))).await;
        assert_eq!((&shown["name"], &shown["media_type"]), (&json!("Spring 🌷"), &json!(media_type)));
        assert_eq!((&shown["width"], &shown["height"]), (&json!(width), &json!(height)));
        assert_eq!(shown["bytes"], picture.len());
        let answer = process.admin(Method::GET, &format!("{own}/image")).await.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], media_type);
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
        assert!(answer.bytes().await.unwrap() == picture, "the picture is as it was uploaded");

        let chosen: Value = choose(&process, &campaign, &template["id"]).await.json().await.unwrap();
        process.get(&format!("/api/campaigns/{campaign}?min_position={}", position(&chosen))).await;
        let seen = card(&process, &path).await;
        assert_eq!((seen.width, seen.height), (width as usize, height as usize));
        let near = seen.pixel(1, 1).iter().zip(colour).all(|(seen, wanted)| seen.abs_diff(wanted) < 4);
        assert!(near, "{media_type}: {:?} at the corner", seen.pixel(1, 1));
        assert_eq!(seen.qr(), link, "{media_type}");
        uploaded.push(template["id"].clone());
    }
    let said = process.output.lock().unwrap().clone();
    assert!(!said.contains("forged") && !said.contains("ERROR line"), "{said}");
    let listed = process.get("/api/templates?archived=false").await;
    let ids: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|template| &template["id"]).collect();
    assert_eq!(ids, uploaded.iter().rev().collect::<Vec<_>>(), "the newest first");

    // Another layout, saved on the version that was seen.
    let night = format!("/api/templates/{}", uploaded[0].as_str().unwrap());
    let layout = json!({ "fields": [
        { "shows": "qr", "x": 40, "y": 40, "width": 300, "height": 300 },
        { "shows": "code", "x": 400, "y": 40, "width": 700, "height": 100, "font_size": 80, "colour": "#ffffff", "face": "mono" },
        { "shows": "text", "text": "Show it at the till", "x": 400, "y": 200, "width": 700, "height": 60, "colour": "#FFCC00" },
    ] });
    let sample = json!({ "layout": layout, "code": "Z".repeat(64), "holder_name": null });
    let preview = process.post(&format!("{night}/preview"), &sample).await.bytes().await.unwrap();
    assert_eq!(Seen::look(&preview).qr(), format!("https://t.me/your_bot?start={}", "Z".repeat(64)));
    let saved = process.get(&night).await;
    assert_eq!(saved["layout"]["fields"][0]["shows"], "plate", "a preview keeps nothing");
    let stale = put(&process, &format!("{night}/layout"), "\"1\"", &layout).await;
    assert_eq!(stale.status(), 412);
    let placed = put(&process, &format!("{night}/layout"), "\"2\"", &layout).await;
    assert_eq!(placed.status(), 200);
    let placed: Value = placed.json().await.unwrap();
    let saved = process.get(&format!("{night}?min_position={}", position(&placed))).await;
    assert_eq!(saved["layout"]["fields"].as_array().unwrap().len(), 3);
    assert_eq!(saved["layout"]["fields"][1]["font_size"], 80);
    assert_eq!(choose(&process, &campaign, &uploaded[0]).await.status(), 200);
    world.balancer.to(&[&process.url]);
    world.telegram.say(7001, "GOLD10").await;
    world.settled().await;
    assert!(process.stop().await.success());

    let process = world.process_with(&environment).await;
    assert_eq!(process.get(&format!("/api/campaigns/{campaign}")).await["template"], uploaded[0]);
    let redemptions = process.get(&format!("/api/campaigns/{campaign}/redemptions")).await;
    let redemption = redemptions["items"][0]["id"].as_str().unwrap();
    let of_redemption = bytes(&process, &format!("/api/redemptions/{redemption}/card?holder_name=Anna")).await;
    let seen = Seen::look(&of_redemption);
    assert_eq!((seen.qr().as_str(), seen.pixel(1, 1), seen.pixel(1199, 629)), (link, NIGHT, NIGHT));
    assert!((400..1100).any(|x| seen.pixel(x, 90) == [255, 255, 255]), "the code is written where it was placed");
    assert!(of_redemption == bytes(&process, &path).await, "a layout without a holder's name has none");

    // What is put away is not chosen again, and stays with those who have it.
    let archived = process.post(&format!("{night}/archive"), &Value::Null).await;
    assert_eq!(archived.status(), 200);
    assert!(of_redemption == bytes(&process, &path).await);
    let other = process.campaign(json!({"name": "Other", "code": "OTHER"})).await;
    for (template, status, problem) in [
        (uploaded[0].clone(), 409, "template-archived"),
        (json!("01935c2e-7b4a-7c31-9f05-5d1a8e6204b7"), 404, "template-missing"),
        (json!("x"), 400, "invalid-input"),
    ] {
        let refused = choose(&process, &other, &template).await;
        assert_eq!(refused.status(), status);
        assert_eq!(refused.json::<Value>().await.unwrap()["type"], format!("/problems/{problem}"));
    }
    let back: Value = choose(&process, &campaign, &Value::Null).await.json().await.unwrap();
    let shown = process.get(&format!("/api/campaigns/{campaign}?min_position={}", position(&back))).await;
    assert_eq!(shown.get("template"), None);
    assert!(ticket == bytes(&process, &path).await, "our ticket again");
    world.audit().await;
}

/// With keys of a bucket, pictures are there; a card without its picture is a problem that says so, and no other.
#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_kept_in_a_bucket() {
    let world = World::new().await;
    let s3 = S3::serve().await;
    let endpoint = format!("http://{}", s3.address);
    let environment = [
        ("SPACES_ACCESS_KEY", ACCESS_KEY),
        ("SPACES_SECRET_KEY", SECRET_KEY),
        ("SPACES_BUCKET", BUCKET),
        ("SPACES_ENDPOINT", &endpoint),
    ];
    let process = world.process_with(&environment).await;
    let picture = png(800, 500, [250, 250, 240]);
    let template = upload(&process, "Bucket", "image/png", picture.clone()).await;
    let objects: Vec<_> =
        std::fs::read_dir(s3.bucket().join("templates")).unwrap().map(|entry| entry.unwrap()).collect();
    let object = objects.iter().find(|entry| entry.metadata().unwrap().len() == picture.len() as u64).unwrap().path();
    assert!(std::fs::read(&object).unwrap() == picture);
    let campaign = process.campaign(json!({"name": "Bucket", "code": "BUCKET"})).await;
    let chosen: Value = choose(&process, &campaign, &template["id"]).await.json().await.unwrap();
    process.get(&format!("/api/campaigns/{campaign}?min_position={}", position(&chosen))).await;
    let path = format!("/api/campaigns/{campaign}/card");
    assert_eq!(card(&process, &path).await.qr(), "https://t.me/sandbox_4711_bot?start=BUCKET");
    let fetched = s3.mood.seen.load(Ordering::SeqCst);
    card(&process, &path).await;
    assert_eq!(s3.mood.seen.load(Ordering::SeqCst), fetched, "the second card needs no store");
    assert!(process.stop().await.success());

    // The same bucket, and a process that keeps nothing yet.
    let process = world.process_with(&environment).await;
    let away = object.with_extension("away");
    std::fs::rename(&object, &away).unwrap();
    let says = async |what: &str| {
        for path in [path.clone(), format!("/api/templates/{}/image", template["id"].as_str().unwrap())] {
            let answer = process.admin(Method::GET, &path).await.send().await.unwrap();
            let (status, retry) = (answer.status(), answer.headers().get("retry-after").cloned());
            let problem: Value = answer.json().await.unwrap();
            assert_eq!(
                (status.as_u16(), &problem["type"]),
                (503, &json!("/problems/storage-unavailable")),
                "{problem}"
            );
            assert!(retry.is_some() && problem["detail"].as_str().unwrap().contains(what), "{problem}");
        }
    };
    says("is not in the object storage as it was uploaded").await;
    std::fs::rename(&away, &object).unwrap();
    assert_eq!(card(&process, &path).await.qr(), "https://t.me/sandbox_4711_bot?start=BUCKET");
    assert!(process.stop().await.success());
    let process = world.process_with(&environment).await;
    drop(s3);
    let answer = process.admin(Method::GET, &path).await.send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let request = process.admin(Method::POST, "/api/templates?name=Late").await.header("content-type", "image/png");
    let answer = request.body(picture).send().await.unwrap();
    assert_eq!(answer.status(), 503, "what cannot be stored is not acknowledged");
    assert_eq!(process.get("/api/templates").await["items"].as_array().unwrap().len(), 1);
    let other = process.campaign(json!({"name": "Ticket", "code": "TICKET"})).await;
    card(&process, &format!("/api/campaigns/{other}/card")).await;
}

/// What a process has had in memory at the most, in MiB.
fn most_memory(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Sends a head and as much of a body as is taken; answers what comes back.
fn send(process: &Process, head: &str, piece: &[u8], times: usize) -> String {
    let address = process.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut reading = stream.try_clone().unwrap();
    let answer = std::thread::spawn(move || {
        let mut answer = vec![];
        let mut buffer = [0; 4096];
        while !answer.windows(4).any(|end| end == b"}\r\n" as &[u8] || end == b"es\"}") {
            match reading.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(length) => answer.extend_from_slice(&buffer[..length]),
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    });
    for _ in 0..times {
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Write);
    answer.join().unwrap()
}

/// A body that is too long is refused before it is in memory, whether or not it tells its length; and what is read is
/// read a few at a time.
#[tokio::test(flavor = "multi_thread")]
async fn many_large_uploads_cost_little_memory() {
    let world = World::new().await;
    let home = Scratch::new("memory");
    let process = world.process_with(&[("PROMOSTACK_HOME", home.path().to_str().unwrap())]).await;
    // What it takes anyway: fonts, a card.
    let template = upload(&process, "Small", "image/png", png(400, 300, [1, 2, 3])).await;
    let preview = format!("/api/templates/{}/preview", template["id"].as_str().unwrap());
    assert_eq!(process.post(&preview, &json!({})).await.status(), 200);
    let before = most_memory(&process);

    let token = process.token().await;
    let head = |length: &str| {
        format!(
            "POST /api/templates?name=Large HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
             content-type: image/png\r\n{length}\r\n\r\n"
        )
    };
    let mebibyte = vec![0x89; 1 << 20];
    let told = send(&process, &head("content-length: 104857600"), &mebibyte, 0);
    assert!(told.starts_with("HTTP/1.1 413 ") && told.contains("at most 10 MiB"), "{told}");
    let told = send(&process, &head("content-length: 104857600"), &mebibyte, 100);
    assert!(told.starts_with("HTTP/1.1 413 ") && told.contains("at most 10 MiB"), "{told}");
    let piece = [b"100000\r\n", mebibyte.as_slice(), b"\r\n"].concat();
    let told = send(&process, &head("transfer-encoding: chunked"), &piece, 100);
    assert!(told.starts_with("HTTP/1.1 413 ") && told.contains("at most 10 MiB"), "{told}");
    // What is small and explodes. Of the zeros, as many are read as the header says there are.
    let doubling: String =
        (0..40).map(|n| format!("<g id='g{}'><use href='#g{n}'/><use href='#g{n}'/></g>", n + 1)).collect();
    let entity: String = (0..20).map(|n| format!("<!ENTITY e{} \"&e{n};&e{n};&e{n};&e{n};\">", n + 1)).collect();
    for (media_type, picture, status) in [
        ("image/png", png_that_inflates(60_000, 60_000, 1 << 30), 422),
        ("image/png", png_that_inflates(400, 300, 1 << 30), 201),
        (
            "image/svg+xml",
            svg(&format!("<g id='g0'><rect width='9' height='9'/></g>{doubling}<use href='#g40'/>")),
            422,
        ),
        ("image/svg+xml", format!("<!DOCTYPE svg [{entity}]><svg><text>&e20;</text></svg>").into_bytes(), 422),
    ] {
        let request = process.admin(Method::POST, "/api/templates?name=Bomb").await.header("content-type", media_type);
        assert_eq!(request.body(picture).send().await.unwrap().status(), status, "{media_type}");
    }
    let refused = most_memory(&process);
    assert!(refused < before + 64, "{before} MiB before, {refused} MiB after what is too large");

    // Twelve of the largest pictures at once, each 32 MiB when it is decoded.
    let large = Bytes::from(png(4096, 2048, [10, 20, 30]));
    let mut uploads = tokio::task::JoinSet::new();
    for n in 0..12 {
        let request = process.admin(Method::POST, &format!("/api/templates?name=Large-{n}")).await;
        let request = request.header("content-type", "image/png").body(large.clone());
        uploads.spawn(async move { request.send().await.unwrap().status() });
    }
    while let Some(status) = uploads.join_next().await {
        assert_eq!(status.unwrap(), 201);
    }
    let after = most_memory(&process);
    println!("most memory: {before} MiB before, {refused} after the refusals, {after} after twelve at once");
    assert!(after < before + 300, "{before} MiB before, {after} MiB after twelve uploads at once");
}
