use super::{Answer, Key, KeyError, is_content_type};

#[test]
fn a_key_says_what_is_wrong_with_it() {
    let too_long = "a".repeat(Key::MOST_BYTES + 1);
    for (text, error) in [
        ("", KeyError::Empty),
        (&too_long, KeyError::TooLong { bytes: 201 }),
        ("/a", KeyError::EmptyPart),
        ("a/", KeyError::EmptyPart),
        ("a//b", KeyError::EmptyPart),
        ("/", KeyError::EmptyPart),
        ("..", KeyError::Dots),
        ("a/../b", KeyError::Dots),
        ("a/.", KeyError::Dots),
        ("a/B", KeyError::Character { character: 'B', at: 2 }),
        ("a b", KeyError::Character { character: ' ', at: 1 }),
        ("a\\b", KeyError::Character { character: '\\', at: 1 }),
        ("a%2e", KeyError::Character { character: '%', at: 1 }),
        ("#aside/1", KeyError::Character { character: '#', at: 0 }),
        ("a\0", KeyError::Character { character: '\0', at: 1 }),
        ("ä", KeyError::Character { character: 'ä', at: 0 }),
    ] {
        assert_eq!(Key::new(text), Err(error), "{text:?}");
    }
    assert_eq!(Key::new("a".repeat(200)).map(String::from), Ok("a".repeat(200)));
    assert_eq!(Key::new(Key::probe().as_str()), Ok(Key::probe()));
}

#[test]
fn a_stored_key_is_checked_when_it_is_read() {
    assert_eq!(serde_json::from_str::<Key>(r#""templates/a""#).unwrap(), Key::new("templates/a").unwrap());
    assert!(serde_json::from_str::<Key>(r#""../etc/passwd""#).unwrap_err().to_string().contains("no parts"));
    assert_eq!(serde_json::to_string(&Key::new("a/b").unwrap()).unwrap(), r#""a/b""#);
}

/// The example of FIPS 180-4: the message "abc".
#[test]
fn the_same_content_has_the_same_key() {
    let key = Key::of_content("templates", b"abc").unwrap();
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(key.as_str(), format!("templates/{hash}"));
    assert_ne!(Key::of_content("templates", b"abd").unwrap(), key);
    assert_eq!(Key::of_content("../x", b"abc"), Err(KeyError::Dots));
}

#[test]
fn a_content_type_fits_into_a_header() {
    for fine in ["image/png", "image/svg+xml", "text/plain; charset=utf-8", "application/vnd.a-b.c"] {
        assert!(is_content_type(fine), "{fine}");
    }
    for wrong in ["", "png", "image/", "/png", "image/png\r\nx: y", "image/png; x=\n", "image/p ng", "bild/jpög"] {
        assert!(!is_content_type(wrong), "{wrong}");
    }
}

#[test]
fn an_answer_says_whether_to_try_again() {
    let answer = |status, code: &str| Answer { status, code: (!code.is_empty()).then(|| code.to_owned()) };
    for again in [answer(500, ""), answer(503, "SlowDown"), answer(429, ""), answer(200, "InternalError")] {
        assert!(again.is_transient() && !again.is_refusal(), "{again}");
    }
    for refused in [answer(403, ""), answer(401, ""), answer(200, "AccessDenied")] {
        assert!(refused.is_refusal() && !refused.is_transient(), "{refused}");
    }
    for wrong in [answer(400, "InvalidRequest"), answer(404, "NoSuchBucket"), answer(301, ""), answer(501, "")] {
        assert!(!wrong.is_refusal() && !wrong.is_transient(), "{wrong}");
    }
}
