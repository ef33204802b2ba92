//! Object storage in a folder, and in a bucket of an S3 that is not ours.

use std::{
    collections::BTreeSet,
    error::Error,
    fs::File,
    os::unix::fs::PermissionsExt,
    sync::atomic::Ordering,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use poem::{Server, listener::TcpAcceptor};
use promostack::{
    config::{Bucket, Objects},
    integrations::{
        http_client,
        storage::{Answer, Cause, Keeper, Key, MOST_BYTES, Storage, StorageError},
    },
    secrets::Secret,
};
use reqwest::{StatusCode, Url, header::CONTENT_TYPE};
use tokio::{net::TcpListener, task::JoinSet};

use crate::support::{
    eventually,
    s3::{ACCESS_KEY, BUCKET, DOMAIN, S3, SECRET_KEY, Scratch},
};

const PNG: &str = "image/png";

fn open(objects: &Objects) -> Storage {
    Storage::open(objects, http_client().unwrap()).unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// All that is logged of an error.
fn in_words(error: &StorageError) -> String {
    let sources = std::iter::successors(error.source(), |&error| error.source()).map(ToString::to_string);
    std::iter::once(error.to_string()).chain(sources).collect::<Vec<_>>().join(": ")
}

fn answer(error: &StorageError) -> &Answer {
    match error {
        StorageError::Refused { source: Cause::Answer(answer), .. }
        | StorageError::Failed { source: Cause::Answer(answer), .. }
        | StorageError::Unavailable { source: Cause::Answer(answer), .. } => answer,
        other => panic!("{other:?}"),
    }
}

/// What holds of every store.
async fn keeps_objects(storage: &Storage) {
    let card = key("templates/0192f0c4-7a3b-7000-8000-000000000001");
    assert_eq!(storage.get(&card).await.unwrap(), None);
    assert_eq!(storage.size(&card).await.unwrap(), None);
    storage.put(&card, Bytes::from_static(b"first"), PNG).await.unwrap();
    assert_eq!(storage.get(&card).await.unwrap().unwrap(), "first");
    storage.put(&card, Bytes::from_static(b"the second"), PNG).await.unwrap();
    assert_eq!(storage.get(&card).await.unwrap().unwrap(), "the second");
    assert_eq!(storage.size(&card).await.unwrap(), Some(10));
    storage.put(&card, Bytes::new(), PNG).await.unwrap();
    assert_eq!(storage.get(&card).await.unwrap().unwrap(), "");
    assert!(storage.exists(&card).await.unwrap());
    storage.delete(&card).await.unwrap();
    assert!(!storage.exists(&card).await.unwrap());
    storage.delete(&card).await.unwrap();
    assert_eq!(storage.get(&card).await.unwrap(), None);

    // Every character a key may have.
    let wide = key("abcdefghijklmnopqrstuvwxyz/0123456789/-_./.a/a..b/-/_");
    storage.put(&wide, Bytes::from_static(b"wide"), "text/plain; charset=utf-8").await.unwrap();
    assert_eq!(storage.get(&wide).await.unwrap().unwrap(), "wide");

    // A large one, of bytes that do not repeat in step with anything.
    let large: Bytes = (0..6 * 1024 * 1024_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let by_content = Key::of_content("rendered", &large).unwrap();
    for _ in 0..2 {
        storage.put(&by_content, large.clone(), PNG).await.unwrap();
    }
    assert_eq!(storage.size(&by_content).await.unwrap(), Some(large.len() as u64));
    assert!(storage.get(&by_content).await.unwrap().unwrap() == large);

    let too_large = storage.put(&card, vec![0; 1 + MOST_BYTES as usize].into(), PNG).await.unwrap_err();
    assert!(matches!(too_large, StorageError::TooLarge { most: MOST_BYTES, .. }), "{too_large:?}");
    let no_type = storage.put(&card, Bytes::new(), "png\r\nx-amz-acl: public-read").await.unwrap_err();
    assert!(matches!(no_type, StorageError::ContentType { .. }), "{no_type:?}");
    assert!(!storage.exists(&card).await.unwrap());

    storage.check().await.unwrap();
    assert!(storage.is_well().await);
}

#[tokio::test]
async fn a_folder_keeps_objects() {
    let scratch = Scratch::new("objects");
    // Neither it nor the one above is there, as at the first start.
    let root = scratch.path().join("home/objects");
    let storage = open(&Objects::Folder(root.clone()));
    assert_eq!(storage.keeper(), Keeper::Folder);
    assert_eq!(storage.get(&key("a/b")).await.unwrap(), None);
    storage.delete(&key("a/b")).await.unwrap();
    assert!(!root.exists(), "nothing is made before it is needed");
    keeps_objects(&storage).await;
    assert_eq!(storage.presigned_get(&key("a/b"), Duration::from_secs(60)).await.unwrap(), None);
    let mode = std::fs::metadata(&root).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "others may enter: {mode:o}");
    assert_eq!(std::fs::read_dir(root.join("#aside")).unwrap().count(), 0, "nothing is left aside");

    // The longest key; the other store's own files have longer names than a file system takes.
    let long = key(&format!("long/{}", "x".repeat(Key::MOST_BYTES - 5)));
    storage.put(&long, Bytes::from_static(b"long"), PNG).await.unwrap();
    assert_eq!(storage.get(&long).await.unwrap().unwrap(), "long");

    // Somebody else's huge file is not read.
    File::create(root.join("huge")).unwrap().set_len(MOST_BYTES + 1).unwrap();
    let error = storage.get(&key("huge")).await.unwrap_err();
    assert!(matches!(error, StorageError::TooLarge { bytes, .. } if bytes == MOST_BYTES + 1), "{error:?}");

    // An object and a folder cannot have one name.
    for taken in ["huge/below", "rendered"] {
        let error = storage.put(&key(taken), Bytes::new(), PNG).await.unwrap_err();
        assert!(matches!(error, StorageError::Failed { source: Cause::Disk(_), .. }), "{taken}: {error:?}");
        assert!(!storage.exists(&key(taken)).await.unwrap());
        storage.delete(&key(taken)).await.unwrap();
    }
    assert!(storage.exists(&key("huge")).await.unwrap());
}

/// While an object is written again and again, whoever reads it sees one version or another, whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_is_never_seen_half_written() {
    let scratch = Scratch::new("objects");
    let storage = open(&Objects::Folder(scratch.path().to_owned()));
    let shared = key("templates/shared");
    let version = |number: u8| Bytes::from(vec![number; 300_000 + usize::from(number)]);
    storage.put(&shared, version(0), PNG).await.unwrap();
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let (storage, shared) = (storage.clone(), shared.clone());
            tokio::spawn(async move {
                for number in 0..40 {
                    storage.put(&shared, version(2 * number + writer), PNG).await.unwrap();
                }
            })
        })
        .collect();
    let mut seen = BTreeSet::new();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let bytes = storage.get(&shared).await.unwrap().unwrap();
        assert!(bytes == version(bytes[0]), "a mixture of {} bytes", bytes.len());
        seen.insert(bytes[0]);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(seen.len() > 1, "nothing was read in between");
}

/// What a process left that died while writing is in nobody's way, and goes one day.
#[tokio::test]
async fn what_was_left_half_written_is_tidied_up() {
    let scratch = Scratch::new("objects");
    let aside = scratch.path().join("#aside");
    std::fs::create_dir(&aside).unwrap();
    let names: Vec<_> = (0..3).map(|number| aside.join(format!("{}-{number}", std::process::id()))).collect();
    for name in &names {
        std::fs::write(name, "half").unwrap();
    }
    let long_ago = SystemTime::now() - Duration::from_secs(48 * 3600);
    File::options().write(true).open(&names[2]).unwrap().set_modified(long_ago).unwrap();
    let storage = open(&Objects::Folder(scratch.path().to_owned()));
    storage.check().await.unwrap();
    assert!(names[0].exists() && names[1].exists(), "somebody may be writing them");
    assert!(!names[2].exists());
}

#[tokio::test]
async fn a_bucket_keeps_objects() {
    let s3 = S3::serve().await;
    let storage = open(&s3.objects());
    assert_eq!(storage.keeper(), Keeper::S3);
    keeps_objects(&storage).await;
    assert!(s3.bucket().join("health/probe").exists());

    File::create(s3.bucket().join("huge")).unwrap().set_len(MOST_BYTES + 1).unwrap();
    let error = storage.get(&key("huge")).await.unwrap_err();
    assert!(matches!(error, StorageError::TooLarge { bytes, .. } if bytes == MOST_BYTES + 1), "{error:?}");
    assert_eq!(storage.size(&key("huge")).await.unwrap(), Some(MOST_BYTES + 1));
}

/// As with DigitalOcean: the host names the bucket, the path the object alone.
#[tokio::test]
async fn a_bucket_in_the_host_keeps_objects() {
    let s3 = S3::serve().await;
    let host = format!("{BUCKET}.{DOMAIN}");
    let endpoint = format!("http://{host}:{}", s3.address.port()).parse().unwrap();
    let objects = Objects::Bucket(Bucket { endpoint, in_host: true, ..s3.settings() });
    let http = reqwest::Client::builder().resolve(&host, s3.address).build().unwrap();
    let storage = Storage::open(&objects, http.clone()).unwrap();
    keeps_objects(&storage).await;
    assert!(s3.bucket().join("health/probe").exists());

    let probe = storage.presigned_get(&key("health/probe"), Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(http.get(probe.reveal()).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn wrong_keys_are_refused_and_not_shown() {
    let s3 = S3::serve().await;
    let object = key("templates/a");
    open(&s3.objects()).put(&object, Bytes::from_static(b"here"), PNG).await.unwrap();
    let wrong = [
        Bucket { secret_key: Secret::new("another-secret".to_owned()), ..s3.settings() },
        Bucket { access_key: Secret::new("another-access-key".to_owned()), ..s3.settings() },
    ];
    for settings in wrong {
        let storage = open(&Objects::Bucket(settings.clone()));
        let errors = [
            storage.put(&object, Bytes::from_static(b"gone"), PNG).await.unwrap_err(),
            storage.get(&object).await.unwrap_err(),
            storage.size(&object).await.unwrap_err(),
            storage.delete(&object).await.unwrap_err(),
            storage.check().await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, StorageError::Refused { .. }) && !error.is_transient(), "{error:?}");
            assert_eq!(answer(&error).status, 403, "{error:?}");
            let shown = format!("{error:?} {}", in_words(&error));
            for secret in [&settings.access_key, &settings.secret_key] {
                assert!(!shown.contains(secret.reveal()), "{shown}");
            }
        }
        assert!(!storage.is_well().await);
        assert!(!format!("{storage:?} {storage}").contains("another"), "{storage}");
    }
    assert_eq!(open(&s3.objects()).get(&object).await.unwrap().unwrap(), "here");
}

/// A store that answers every request in the same words.
async fn says(status: StatusCode, body: &'static str) -> (Storage, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let answer = poem::endpoint::make_sync(move |_| poem::Response::builder().status(status).body(body));
        Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap()).run(answer).await.unwrap();
    });
    let settings = Bucket {
        name: "promo".to_owned(),
        region: "nyc3".to_owned(),
        endpoint: url.parse().unwrap(),
        in_host: false,
        access_key: Secret::new(ACCESS_KEY.to_owned()),
        secret_key: Secret::new(SECRET_KEY.to_owned()),
    };
    (open(&Objects::Bucket(settings)), tasks)
}

/// A bucket that is not there is a mistake, not an empty bucket; nor is what is no S3 at all.
#[tokio::test]
async fn only_a_missing_object_is_missing() {
    let (said, _serving) =
        says(StatusCode::NOT_FOUND, "<?xml version='1.0'?><Error><Code>NoSuchBucket</Code></Error>").await;
    for error in [
        said.put(&key("a"), Bytes::new(), PNG).await.unwrap_err(),
        said.check().await.unwrap_err(),
        said.get(&key("a")).await.unwrap_err(),
        said.delete(&key("a")).await.unwrap_err(),
    ] {
        assert!(matches!(error, StorageError::Failed { .. }) && !error.is_transient(), "{error:?}");
        assert_eq!(answer(&error), &Answer { status: 404, code: Some("NoSuchBucket".to_owned()) });
    }
    let (said, _serving) = says(StatusCode::NOT_FOUND, "<html><code>not found</code></html>").await;
    let error = said.get(&key("a")).await.unwrap_err();
    assert!(matches!(error, StorageError::Failed { .. }), "{error:?}");
    assert_eq!(answer(&error), &Answer { status: 404, code: None });
}

/// A deletion is refused within an answer that is 200.
#[tokio::test]
async fn a_deletion_that_failed_is_no_success() {
    for (body, code) in [
        (
            "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>",
            "AccessDenied",
        ),
        ("<DeleteResult><Error><Key>another</Key><Code>AccessDenied</Code></Error></DeleteResult>", "AccessDenied"),
        ("<DeleteResult><Error><Key>a</Key><Code>InternalError</Code></Error></DeleteResult>", "InternalError"),
    ] {
        let (said, _serving) = says(StatusCode::OK, body).await;
        let error = said.delete(&key("a")).await.unwrap_err();
        assert_eq!(answer(&error), &Answer { status: 200, code: Some(code.to_owned()) });
        assert_eq!(error.is_transient(), code == "InternalError", "{error:?}");
        assert_eq!(matches!(error, StorageError::Refused { .. }), code == "AccessDenied", "{error:?}");
    }
    let (said, _serving) = says(StatusCode::OK, "<html>hello</html>").await;
    let error = said.delete(&key("a")).await.unwrap_err();
    assert!(matches!(error, StorageError::Failed { source: Cause::Request(_), .. }), "{error:?}");
}

/// A refusal repeats what it was sent; none of that is for the log.
#[tokio::test]
async fn a_refusal_is_not_quoted() {
    let body = "<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>DO00TESTACCESSKEY</AWSAccessKeyId>\
                <SignatureProvided>f00d</SignatureProvided></Error>";
    let (said, _serving) = says(StatusCode::FORBIDDEN, body).await;
    let error = said.put(&key("a"), Bytes::new(), PNG).await.unwrap_err();
    assert!(matches!(error, StorageError::Refused { .. }), "{error:?}");
    assert_eq!(in_words(&error), "object storage, put: refused: the store answered 403 (SignatureDoesNotMatch)");
    let shown = format!("{error:?}");
    assert!(!shown.contains(ACCESS_KEY) && !shown.contains("f00d"), "{shown}");
}

#[tokio::test]
async fn a_presigned_address_is_for_one_object_and_a_while() {
    let s3 = S3::serve().await;
    let storage = open(&s3.objects());
    let (object, other) = (key("templates/a.png"), key("templates/b.png"));
    storage.put(&object, Bytes::from_static(b"a picture"), PNG).await.unwrap();
    storage.put(&other, Bytes::from_static(b"not for you"), PNG).await.unwrap();
    let http = http_client().unwrap();
    let presigned = async |seconds| -> Url {
        let address = storage.presigned_get(&object, Duration::from_secs(seconds)).await.unwrap().unwrap();
        assert!(!address.reveal().contains(SECRET_KEY));
        address.reveal().parse().unwrap()
    };
    let status = async |url: Url| http.get(url).send().await.unwrap().status();

    let good = presigned(600).await;
    let read = http.get(good.clone()).send().await.unwrap();
    assert_eq!((read.status(), &read.headers()[CONTENT_TYPE]), (StatusCode::OK, &PNG.parse().unwrap()));
    assert_eq!(read.bytes().await.unwrap(), "a picture");

    // The same for another object, for longer, for another action, with another signature, unsigned.
    let mut tampered = vec![good.clone(); 4];
    tampered[0].set_path(&good.path().replace(object.as_str(), other.as_str()));
    tampered[1].set_query(Some(&good.query().unwrap().replace("X-Amz-Expires=600", "X-Amz-Expires=6000")));
    let (rest, last) = good.as_str().split_at(good.as_str().len() - 1);
    tampered[2] = format!("{rest}{}", if last == "0" { "1" } else { "0" }).parse().unwrap();
    tampered[3].set_query(None);
    for url in tampered {
        assert_ne!(url, good);
        assert_eq!(status(url.clone()).await, StatusCode::FORBIDDEN, "{url}");
    }
    assert_eq!(http.delete(good.clone()).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(status(good).await, StatusCode::OK);

    let short = presigned(1).await;
    eventually("the address to expire", async || {
        let answer = http.get(short.clone()).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        if status == StatusCode::OK {
            return None;
        }
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(text.contains("expired"), "{text}");
        Some(())
    })
    .await;

    for lifetime in [Duration::from_millis(999), Duration::from_secs(7 * 24 * 3600 + 1)] {
        let error = storage.presigned_get(&object, lifetime).await.unwrap_err();
        assert!(matches!(error, StorageError::Lifetime { .. }), "{error:?}");
    }
}

/// No network: the address says how the bucket is named.
#[tokio::test]
async fn a_bucket_is_named_in_the_host_or_in_the_path() {
    let s3 = S3::serve().await;
    for (endpoint, in_host, address) in [
        ("https://promo.nyc3.digitaloceanspaces.com", true, "https://promo.nyc3.digitaloceanspaces.com/a/b.png"),
        ("https://nyc3.digitaloceanspaces.com/", false, "https://nyc3.digitaloceanspaces.com/promo/a/b.png"),
        ("http://127.0.0.1:9000/minio/", false, "http://127.0.0.1:9000/minio/promo/a/b.png"),
    ] {
        let settings =
            Bucket { name: "promo".to_owned(), endpoint: endpoint.parse().unwrap(), in_host, ..s3.settings() };
        let storage = open(&Objects::Bucket(settings));
        let presigned = storage.presigned_get(&key("a/b.png"), Duration::from_secs(60)).await.unwrap().unwrap();
        assert_eq!(presigned.reveal().split('?').next(), Some(address));
    }
}

#[tokio::test]
async fn a_busy_store_is_tried_again_but_not_for_ever() {
    let s3 = S3::serve().await;
    let storage = open(&s3.objects());
    let object = key("templates/a");
    let requests = || s3.mood.seen.swap(0, Ordering::SeqCst);
    s3.mood.busy.store(2, Ordering::SeqCst);
    storage.put(&object, Bytes::from_static(b"at last"), PNG).await.unwrap();
    assert_eq!(requests(), 3);
    s3.mood.busy.store(3, Ordering::SeqCst);
    assert_eq!(storage.get(&object).await.unwrap().unwrap(), "at last");
    s3.mood.busy.store(1, Ordering::SeqCst);
    storage.delete(&object).await.unwrap();

    requests();
    s3.mood.busy.store(u32::MAX, Ordering::SeqCst);
    let error = storage.put(&object, Bytes::new(), PNG).await.unwrap_err();
    assert!(matches!(error, StorageError::Unavailable { .. }) && error.is_transient(), "{error:?}");
    assert_eq!(answer(&error), &Answer { status: 503, code: Some("SlowDown".to_owned()) });
    assert_eq!(requests(), 4);
}

#[tokio::test]
async fn a_store_that_is_down_is_an_outage() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let s3 = S3::serve().await;
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let storage = open(&Objects::Bucket(Bucket { endpoint: gone.parse().unwrap(), ..s3.settings() }));
    let began = Instant::now();
    let error = storage.put(&key("a"), Bytes::from_static(b"a"), PNG).await.unwrap_err();
    assert!(matches!(error, StorageError::Unavailable { source: Cause::Request(_), .. }), "{error:?}");
    assert!(error.is_transient());
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(!in_words(&error).contains(ACCESS_KEY), "{}", in_words(&error));
    assert!(!storage.is_well().await);
}

#[tokio::test]
async fn a_store_that_hangs_is_not_waited_for() {
    let s3 = S3::serve().await;
    let patience = Duration::from_millis(300);
    let patient = open(&s3.objects());
    let storage = patient.clone().with_patience(patience);
    let object = key("templates/a");
    patient.put(&object, Bytes::from_static(b"here"), PNG).await.unwrap();
    s3.mood.stuck.store(u32::MAX, Ordering::SeqCst);
    for operation in 0..3 {
        let began = Instant::now();
        let error = match operation {
            0 => storage.put(&object, Bytes::from_static(b"lost"), PNG).await.unwrap_err(),
            1 => storage.get(&object).await.unwrap_err(),
            _ => storage.delete(&object).await.unwrap_err(),
        };
        assert!(matches!(error, StorageError::TimedOut { patience: p, .. } if p == patience), "{error:?}");
        assert!(error.is_transient());
        assert!(began.elapsed() >= patience);
    }
    s3.mood.stuck.store(0, Ordering::SeqCst);
    assert_eq!(patient.get(&object).await.unwrap().unwrap(), "here");
}
