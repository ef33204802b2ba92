use serde_json::json;
use teloxide::types::{Update, UpdateKind};

use super::*;

const PERSON: &str = r#"{"id":42,"is_bot":false,"first_name":"Ada","username":"ada","language_code":"en"}"#;
const PRIVATE: &str = r#"{"id":42,"first_name":"Ada","username":"ada","type":"private"}"#;
const GROUP: &str = r#"{"id":-1001,"title":"VIP","type":"supergroup"}"#;

fn update(kind: &str, content: &str) -> Vec<u8> {
    format!(r#"{{"update_id":7,"{kind}":{content}}}"#).into_bytes()
}

fn message(chat: &str, rest: &str) -> String {
    format!(r#"{{"message_id":5,"from":{PERSON},"chat":{chat},"date":1700000000{rest}}}"#)
}

#[test]
fn a_private_text_is_read_whole() {
    let read = read(&update("message", &message(PRIVATE, r#","text":"/start SAVE10""#))).unwrap();
    assert_eq!((read.update_id, read.chat_id), (7, Some(42)));
    let Kind::PrivateText { from, text, message_id } = read.kind else { panic!("{:?}", read.kind) };
    assert_eq!((text.as_str(), message_id), ("/start SAVE10", 5));
    let expected = Sender {
        id: 42,
        first_name: "Ada".to_owned(),
        username: Some("ada".to_owned()),
        language_code: Some("en".to_owned()),
    };
    assert!(from == expected);
}

#[test]
fn a_person_may_have_no_username_and_no_language() {
    let content = r#"{"message_id":5,"from":{"id":42,"is_bot":false,"first_name":"Ada"},
        "chat":{"id":42,"first_name":"Ada","type":"private"},"date":1,"text":"hi"}"#;
    let read = read(&update("message", content)).unwrap();
    assert!(matches!(read.kind, Kind::PrivateText { from: Sender { username: None, .. }, .. }));
}

/// Each kind of update, with the chat it has to be put in order with.
fn kinds() -> Vec<(&'static str, String, Option<i64>)> {
    let member = format!(
        r#"{{"chat":{PRIVATE},"from":{PERSON},"date":1,
            "old_chat_member":{{"user":{PERSON},"status":"member"}},
            "new_chat_member":{{"user":{PERSON},"status":"kicked","until_date":0}}}}"#
    );
    let original = message(GROUP, r#","text":"x""#);
    vec![
        ("message", message(GROUP, r#","text":"hello all""#), Some(-1001)),
        ("message", message(PRIVATE, r#","photo":[]"#), Some(42)),
        ("edited_message", message(PRIVATE, r#","text":"x","edit_date":2"#), Some(42)),
        (
            "channel_post",
            r#"{"message_id":1,"chat":{"id":-1002,"title":"c","type":"channel"},"date":1,"text":"x"}"#.to_owned(),
            Some(-1002),
        ),
        (
            "callback_query",
            format!(r#"{{"id":"1","from":{PERSON},"chat_instance":"2","data":"d","message":{original}}}"#),
            Some(-1001),
        ),
        (
            "callback_query",
            format!(r#"{{"id":"1","from":{PERSON},"chat_instance":"2","inline_message_id":"3","data":"d"}}"#),
            Some(42),
        ),
        ("inline_query", format!(r#"{{"id":"1","from":{PERSON},"query":"q","offset":""}}"#), Some(42)),
        ("chosen_inline_result", format!(r#"{{"result_id":"1","from":{PERSON},"query":"q"}}"#), Some(42)),
        (
            "pre_checkout_query",
            format!(r#"{{"id":"1","from":{PERSON},"currency":"XTR","total_amount":1,"invoice_payload":"p"}}"#),
            Some(42),
        ),
        ("my_chat_member", member.replace(PRIVATE, GROUP), Some(-1001)),
        ("chat_member", member.replace(PRIVATE, GROUP), Some(-1001)),
        ("chat_join_request", format!(r#"{{"chat":{GROUP},"from":{PERSON},"user_chat_id":42,"date":1}}"#), Some(-1001)),
        (
            "message_reaction",
            format!(
                r#"{{"chat":{GROUP},"message_id":1,"user":{PERSON},"date":1,"old_reaction":[],"new_reaction":[]}}"#
            ),
            Some(-1001),
        ),
        ("poll_answer", format!(r#"{{"poll_id":"1","user":{PERSON},"option_ids":[0]}}"#), Some(42)),
        (
            "poll",
            r#"{"id":"1","question":"?","options":[],"total_voter_count":0,"is_closed":false,
                "is_anonymous":true,"type":"regular","allows_multiple_answers":false}"#
                .to_owned(),
            None,
        ),
        ("kind_of_the_year_2031", format!(r#"{{"chat":{PRIVATE},"wonder":[]}}"#), Some(42)),
        ("kind_that_is_no_object", "true".to_owned(), None),
    ]
}

#[test]
fn blocking_and_letting_in_again_are_read_in_private_chats() {
    let member = |status: &str| {
        format!(
            r#"{{"chat":{PRIVATE},"from":{PERSON},"date":1,
                "old_chat_member":{{"user":{PERSON},"status":"member"}},
                "new_chat_member":{{"user":{PERSON},"status":"{status}"}}}}"#
        )
    };
    for (status, wanted) in [("kicked", Some(true)), ("member", Some(false)), ("left", None)] {
        let read = read(&update("my_chat_member", &member(status))).unwrap();
        assert_eq!((read.update_id, read.chat_id), (7, Some(42)));
        let found = match read.kind {
            Kind::Membership { from, blocked } => (from.id == 42).then_some(blocked),
            _ => None,
        };
        assert_eq!(found, wanted, "{status}");
    }
}

/// A press of a button below this message.
fn press(message: &str, rest: &str) -> Vec<u8> {
    let query =
        format!(r#"{{"id":"4382bfdwdsb323b2d9","from":{PERSON},"message":{message},"chat_instance":"-3"{rest}}}"#);
    update("callback_query", &query)
}

#[test]
fn a_press_is_read_however_old_the_message_is() {
    let buttons = r#","text":"x","reply_markup":{"inline_keyboard":[[{"text":"Redeem","callback_data":"redeem:7"}]]}"#;
    let inaccessible = format!(r#"{{"chat":{PRIVATE},"message_id":5,"date":0}}"#);
    let nameless = format!(r#"{{"chat":{PRIVATE},"message_id":0,"date":0}}"#);
    for (message, wanted) in [(message(PRIVATE, buttons), Some(5)), (inaccessible, Some(5)), (nameless, None)] {
        let body = press(&message, r#","data":"redeem:\u00007""#);
        let read = read(&body).unwrap();
        assert_eq!((read.update_id, read.chat_id), (7, Some(42)));
        assert_eq!(format!("{read:?}"), "IncomingUpdate { update_id: 7, kind: Pressed { .. }, .. }");
        let Kind::Pressed { from, data, callback_id, message_id } = read.kind else { panic!("{:?}", read.kind) };
        assert_eq!((from.id, from.language_code.as_deref()), (42, Some("en")));
        assert_eq!((data.as_str(), callback_id.as_str(), message_id), ("redeem:7", "4382bfdwdsb323b2d9", wanted));
        let theirs: Update = serde_json::from_slice(&body).unwrap();
        assert!(matches!(theirs.kind, UpdateKind::CallbackQuery(_)), "{theirs:?}");
    }
}

#[test]
fn a_press_without_data_is_of_another_kind() {
    let body = press(&message(PRIVATE, r#","text":"x""#), r#","game_short_name":"g""#);
    assert_eq!(read(&body).unwrap().kind, Kind::Other { name: Some("callback_query".to_owned()) });
}

#[test]
fn every_kind_keeps_its_number_and_its_chat_and_those_that_are_not_read_their_name() {
    for (name, content, chat_id) in kinds() {
        let read = read(&update(name, &content)).unwrap();
        assert_eq!((read.update_id, read.chat_id), (7, chat_id), "{name}");
        let expected = match name {
            "my_chat_member" | "chat_member" | "chat_join_request" => {
                assert!(!matches!(read.kind, Kind::Other { .. }), "{name}");
                continue;
            }
            _ => Kind::Other { name: Some(name.to_owned()) },
        };
        assert_eq!(read.kind, expected);
    }
}

#[test]
fn we_agree_with_teloxide_on_the_chat_of_every_kind_it_knows() {
    for (name, content, chat_id) in kinds() {
        let theirs: Update = serde_json::from_slice(&update(name, &content)).unwrap();
        match theirs.kind {
            UpdateKind::Error(_) => {
                assert!(name.starts_with("kind_") || name == "message", "{name}")
            }
            _ => assert_eq!(
                theirs.chat().map(|chat| chat.id.0).or(theirs.from().map(|from| from.id.0 as i64)),
                chat_id,
                "{name}"
            ),
        }
    }
}

#[test]
fn an_entity_of_the_future_does_not_hide_the_text() {
    let entities = r#","text":"SAVE10","entities":[{"type":"hologram","offset":0,"length":6}]"#;
    let body = update("message", &message(PRIVATE, entities));
    assert!(matches!(read(&body).unwrap().kind, Kind::PrivateText { text, .. } if text == "SAVE10"));
    let theirs: Update = serde_json::from_slice(&body).unwrap();
    let UpdateKind::Message(theirs) = theirs.kind else { panic!("no message to teloxide") };
    assert_eq!(theirs.text(), None, "teloxide reads it now: reconsider reading with it");
}

#[test]
fn the_order_of_fields_does_not_matter() {
    let body = format!(r#"{{"message":{},"update_id":7}}"#, message(PRIVATE, r#","text":"x""#));
    assert!(matches!(read(body.as_bytes()).unwrap().kind, Kind::PrivateText { .. }));
}

#[test]
fn what_postgres_cannot_store_is_taken_out() {
    let body = update("message", &message(PRIVATE, r#","text":"SAVE\u000010\u0000""#));
    assert!(matches!(read(&body).unwrap().kind, Kind::PrivateText { text, .. } if text == "SAVE10"));
}

#[test]
fn a_text_is_a_text_whatever_it_holds() {
    for text in ["", "😀 ünïcode \u{202e}", "{\"update_id\": 9}", &"x".repeat(100_000)] {
        let content = message(PRIVATE, &format!(r#","text":{}"#, json!(text)));
        let kind = read(&update("message", &content)).unwrap().kind;
        assert!(matches!(kind, Kind::PrivateText { text: read, .. } if read == text));
    }
}

#[test]
fn numbers_up_to_64_bits_are_kept_and_larger_ones_refused() {
    let body = br#"{"update_id":9223372036854775807,"message":{"chat":{"id":-9223372036854775808}}}"#;
    let update = read(body).unwrap();
    assert_eq!((update.update_id, update.chat_id), (i64::MAX, Some(i64::MIN)));
    let body = br#"{"update_id":1,"message":{"chat":{"id":9223372036854775808}}}"#;
    assert_eq!(read(body).unwrap().chat_id, None);
    assert_eq!(read(br#"{"update_id":9223372036854775808}"#), Err(UpdateError::NoUpdateId));
}

#[test]
fn an_update_of_nothing_is_still_an_update() {
    let update = read(br#"{"update_id":7}"#).unwrap();
    assert_eq!((update.chat_id, update.kind), (None, Kind::Other { name: None }));
}

#[test]
fn what_is_no_update_is_refused_without_being_quoted() {
    for body in [
        &b""[..],
        b"null",
        b"[]",
        b"7",
        b"\"a secret\"",
        b"{\"update_id\":7",
        b"{} a secret",
        b"\xff\xfe",
        b"{\"update_id\":7,\"message\":}",
    ] {
        let error = read(body).unwrap_err();
        assert!(matches!(error, UpdateError::NotAnObject { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
    for body in
        [&b"{}"[..], br#"{"message":{}}"#, br#"{"update_id":"7"}"#, br#"{"update_id":7.5}"#, br#"{"update_id":null}"#]
    {
        assert_eq!(read(body), Err(UpdateError::NoUpdateId));
    }
    let deep = format!(r#"{{"update_id":7,"message":{}}}"#, "[".repeat(100_000));
    assert!(read(deep.as_bytes()).is_err());
}

#[test]
fn nothing_personal_is_shown() {
    let update = read(&update("message", &message(PRIVATE, r#","text":"my code""#))).unwrap();
    let shown = format!("{update:?}");
    for personal in ["42", "Ada", "ada", "my code"] {
        assert!(!shown.contains(personal), "{shown}");
    }
}

proptest::proptest! {
    #[test]
    fn no_body_breaks_it(body in ".{0,200}") {
        let _ = read(body.as_bytes());
    }

    #[test]
    fn every_text_comes_through(text in ".*") {
        let content = message(PRIVATE, &format!(r#","text":{}"#, json!(text)));
        let kind = read(&update("message", &content)).unwrap().kind;
        let stored = text.replace('\0', "");
        let same = matches!(kind, Kind::PrivateText { text, .. } if text == stored);
        proptest::prop_assert!(same);
    }
}
