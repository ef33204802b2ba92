//! The client against answers of the service's shape, over sockets.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, Utc};
use poem::{
    EndpointExt, IntoResponse, Request, Response, Route, Server, get, handler,
    http::StatusCode,
    listener::TcpAcceptor,
    web::{Data, Query},
};
use reqwest::Url;
use tokio::{net::TcpListener, task::JoinSet};

use super::*;
use crate::{clock::Clock, integrations::http_client, secrets::Secret};

const KEY: &str = "a-key-of-the-tests";

/// What is answered next: status, credits left, body; "hang" never answers.
type Said = (u16, &'static str, String);
/// The key and the parameters of a request.
type Asked = (String, HashMap<String, String>);

#[derive(Clone, Default)]
struct Service {
    answers: Arc<Mutex<VecDeque<Said>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// Dropping it stops the service.
struct World {
    service: Service,
    address: Url,
    client: TwelveData,
    _tasks: JoinSet<()>,
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[handler]
async fn answer(
    Data(service): Data<&Service>,
    request: &Request,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let path = format!("{} {}", request.uri().path(), request.header("authorization").unwrap_or("nobody"));
    service.asked.lock().unwrap().push((path, query));
    let said = service.answers.lock().unwrap().pop_front();
    let (status, left, body) = said.expect("somebody asked once too often");
    if body == "hang" {
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    body.with_status(StatusCode::from_u16(status).unwrap()).with_header("api-credits-left", left).into_response()
}

impl World {
    async fn new(answers: &[(u16, &'static str, &str)]) -> Self {
        let service = Service::default();
        service
            .answers
            .lock()
            .unwrap()
            .extend(answers.iter().map(|(status, left, body)| (*status, *left, (*body).to_owned())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Url::parse(&format!("http://{}/under/", listener.local_addr().unwrap())).unwrap();
        let routes = Route::new().at("/*path", get(answer)).data(service.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap()).run(routes).await.unwrap();
        });
        let client = client(&address);
        Self { service, address, client, _tasks: tasks }
    }

    async fn series(&self) -> Result<Series, TwelveDataError> {
        self.client.time_series("XAU/USD", at("2026-05-28T10:00:00Z"), at("2026-05-28T10:05:00Z")).await
    }

    fn asked(&self) -> usize {
        self.service.asked.lock().unwrap().len()
    }
}

fn client(address: &Url) -> TwelveData {
    let clock = Clock::fixed(at("2026-05-28T10:05:20Z"));
    TwelveData::new(&Secret::new(KEY.to_owned()), Some(address.clone()), http_client().unwrap(), clock)
}

/// All that an error says, and its causes.
fn shown(error: &TwelveDataError) -> String {
    let mut text = format!("{error:?}: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

const GOOD: &str = r#"{"meta":{"symbol":"XAU/USD","interval":"1min","currency_base":"Gold Spot","currency_quote":"US Dollar","type":"Physical Currency"},
 "values":[{"datetime":"2026-05-28 10:00:00","open":"4012.35000","high":"4013.1","low":"4012","close":"4012.99"},
           {"datetime":"2026-05-28 10:02:00","open":"4012.99","high":"4012.99","low":"4011.5","close":"4011.73"}],"status":"ok"}"#;

#[tokio::test]
async fn candles_are_asked_for_and_read() {
    let world = World::new(&[(200, "7", GOOD)]).await;
    let series = world.series().await.unwrap();
    assert!(series.refused.is_empty());
    let shown: Vec<_> =
        series.candles.iter().map(|c| format!("{} {} {} {} {}", c.opened_at, c.open, c.high, c.low, c.close)).collect();
    assert_eq!(
        shown,
        [
            "2026-05-28 10:00:00 UTC 4012.35 4013.1 4012 4012.99",
            "2026-05-28 10:02:00 UTC 4012.99 4012.99 4011.5 4011.73"
        ]
    );
    let asked = world.service.asked.lock().unwrap().clone();
    assert_eq!(asked[0].0, format!("/under/time_series apikey {KEY}"));
    let query = |name: &str| asked[0].1[name].as_str();
    assert_eq!(
        [query("symbol"), query("interval"), query("timezone"), query("order")],
        ["XAU/USD", "1min", "UTC", "ASC"]
    );
    assert_eq!([query("start_date"), query("end_date")], ["2026-05-28 10:00:00", "2026-05-28 10:05:00"]);
    assert!(!asked[0].1.values().any(|value| value.contains(KEY)), "the key is in no address");
    assert!(!format!("{:?}", world.client).contains(KEY));
}

#[tokio::test]
async fn candles_that_cannot_be_are_named_and_the_others_taken() {
    let body = r#"{"values":[
        {"datetime":"2026-05-28 10:04:00","open":"1","high":"1","low":"1","close":"1"},
        {"datetime":"2026-05-28 10:03:00","open":"2","high":"1","low":"1","close":"1"},
        {"datetime":"2026-05-28 10:02:00","open":"1","high":"1","low":"1","close":null},
        {"datetime":"2026-05-28 10:01:30","open":"1","high":"1","low":"1","close":"1"},
        {"datetime":"2026-05-28 10:00:00","open":"1","high":"1","low":"1","close":"NaN"},
        {"datetime":"2026-05-28 10:00:00","open":"1","high":"1","low":"1","close":"1"},
        {"datetime":"2026-05-28 10:05:00","open":"1","high":"1","low":"1","close":"1"},
        {"datetime":"2026-05-28 09:59:00","open":"1","high":"1","low":"1","close":"x"}],"status":"ok"}"#;
    let world = World::new(&[(200, "7", body)]).await;
    let series = world.series().await.unwrap();
    let minutes: Vec<_> = series.candles.iter().map(|candle| candle.opened_at.format("%H:%M").to_string()).collect();
    assert_eq!(minutes, ["10:00", "10:04"], "in order, and none that was not asked for");
    let refused: Vec<_> = series
        .refused
        .iter()
        .map(|refused| (refused.opened_at.map(|at| at.format("%H:%M").to_string()), refused.reason.as_str()))
        .collect();
    let minute = |text: &str| Some(text.to_owned());
    assert_eq!(
        refused,
        [
            (minute("10:03"), "high 1 is below open 2"),
            (minute("10:02"), "close is missing or is no text"),
            (None, "datetime is not as in 2026-05-28 10:00:00"),
            (minute("10:00"), "close: \"NaN\" is not a decimal number"),
        ]
    );
}

#[tokio::test]
async fn errors_say_what_to_do_about_them() {
    let error = |code: u16, message: &str| format!(r#"{{"code":{code},"message":"{message}","status":"error"}}"#);
    // It says them with 200, too.
    let cases = [
        (200, error(401, "**apikey** parameter is incorrect"), "the key is not accepted (code 401)"),
        (403, error(403, "Upgrade"), "the key is not accepted (code 403)"),
        (
            404,
            error(404, "**symbol** is missing or invalid"),
            "rejected with code 404: **symbol** is missing or invalid",
        ),
        (400, "{}".to_owned(), "rejected with code 400: no reason given"),
        (200, r#"{"status":"ok"}"#.to_owned(), "values is missing"),
    ];
    for (status, body, words) in cases {
        let world = World::new(&[(status, "5", body.as_str())]).await;
        let error = world.series().await.unwrap_err();
        assert!(shown(&error).contains(words), "{}", shown(&error));
        assert!(!error.is_transient() && !shown(&error).contains(KEY));
        assert_eq!(world.asked(), 1);
    }
    // That nothing was traded is no error.
    let nothing = error(400, "No data is available on the specified dates. Try setting different start/end dates.");
    let world = World::new(&[(200, "5", nothing.as_str())]).await;
    assert_eq!(world.series().await.unwrap(), Series::default());
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let world = World::new(&[(500, "5", "<html>"), (200, "5", "not json"), (200, "5", GOOD)]).await;
    assert_eq!(world.series().await.unwrap().candles.len(), 2);
    // Three times at the most.
    let broken = r#"{"code":500,"message":"oops","status":"error"}"#;
    let world = World::new(&[(500, "5", broken), (502, "5", ""), (503, "5", "")]).await;
    let error = world.series().await.unwrap_err();
    assert!(matches!(error, TwelveDataError::Unavailable { source: Outage::Status(503), .. }), "{error:?}");
    assert!(error.is_transient());
    assert_eq!(world.asked(), 3);
    // One that does not answer in time.
    let world = World::new(&[(200, "5", "hang"), (200, "5", GOOD)]).await;
    let client = client(&world.address).with_patience(Duration::from_millis(300));
    let series = client.time_series("XAU/USD", at("2026-05-28T10:00:00Z"), at("2026-05-28T10:05:00Z")).await;
    assert_eq!(series.unwrap().candles.len(), 2);
    // Nobody there.
    let client = self::client(&Url::parse("http://127.0.0.1:9/").unwrap());
    let series = client.time_series("XAU/USD", at("2026-05-28T10:00:00Z"), at("2026-05-28T10:05:00Z")).await;
    let error = series.unwrap_err();
    assert!(matches!(error, TwelveDataError::Unavailable { source: Outage::Network(_), .. }), "{error:?}");
    assert!(!shown(&error).contains(KEY));
}

#[tokio::test]
async fn without_credits_nobody_is_asked_until_the_next_minute() {
    let spent = r#"{"code":429,"message":"You have run out of API credits for the current minute.","status":"error"}"#;
    for answers in [[(429, "0", spent)], [(200, "0", GOOD)], [(429, "0", "<html>")]] {
        let world = World::new(&answers).await;
        let _ = world.series().await;
        // It is 20 seconds past the minute.
        let client = world.client.clone();
        let again = client.time_series("XAU/USD", at("2026-05-28T10:00:00Z"), at("2026-05-28T10:05:00Z")).await;
        let error = again.unwrap_err();
        let TwelveDataError::OutOfCredits { after, .. } = &error else { panic!("{error:?}") };
        assert!((38..=41).contains(&after.as_secs()), "{after:?}");
        assert!(error.is_transient());
        assert_eq!(world.asked(), 1, "clones keep one pace");
    }
    let day = r#"{"code":429,"message":"You have run out of API credits for the day.","status":"error"}"#;
    let world = World::new(&[(200, "3", day)]).await;
    let error = world.series().await.unwrap_err();
    assert!(matches!(&error, TwelveDataError::OutOfCredits { after, .. } if after.as_secs() > 600), "{error:?}");
}
