//! The Bot API's wire protocol, spoken by others than our client.

use reqwest::Url;
use serde_json::{Value, json};
use teloxide::Bot;
use teloxide::payloads::{
    AnswerCallbackQuerySetters, EditMessageReplyMarkupSetters, EditMessageTextSetters, GetMyCommandsSetters,
    SendMessageSetters, SendPhotoSetters, SetMyCommandsSetters, SetWebhookSetters,
};
use teloxide::requests::Requester;
use teloxide::types::{
    BotCommand, BotCommandScope, CallbackQueryId, ChatId, InlineKeyboardButton, InlineKeyboardMarkup, InputFile,
    MessageId, ParseMode,
};
use teloxide::{ApiError, RequestError};
use tokio::task::JoinSet;

use super::super::twin::TwinLimits;
use super::world::{PNG, TOKEN, World, serve};

#[tokio::test]
async fn teloxide_itself_is_content_with_the_twin() {
    let world = World::new(TwinLimits::default()).await;
    let bot = Bot::with_client(TOKEN, world.http.clone()).set_api_url(world.address.clone());
    assert_eq!(bot.get_me().await.unwrap().username(), "sandbox_77_bot");

    // Sent as multipart.
    let url = Url::parse("http://127.0.0.1:1/hook").unwrap();
    bot.set_webhook(url.clone()).secret_token("abc").max_connections(7).await.unwrap();
    let info = bot.get_webhook_info().await.unwrap();
    assert_eq!((info.url, info.max_connections), (Some(url), Some(7)));
    bot.delete_webhook().await.unwrap();
    assert_eq!(bot.get_webhook_info().await.unwrap().url, None);

    world.say(5, "/start").await;
    let html = bot.send_message(ChatId(5), "<b>hi</b>").parse_mode(ParseMode::Html);
    let sent = html.await.unwrap();
    assert_eq!((sent.text(), sent.id.0, sent.entities().unwrap().len()), (Some("hi"), 2, 1));
    let error = bot.send_message(ChatId(5), "again").await.unwrap_err();
    assert!(matches!(error, RequestError::RetryAfter(seconds) if seconds.seconds() == 1), "{error:?}");
    world.post("chats/5/block", json!({})).await;
    let error = bot.send_message(ChatId(5), "x").await.unwrap_err();
    assert!(matches!(error, RequestError::Api(ApiError::BotBlocked)), "{error:?}");
    let error = bot.send_message(ChatId(6), "x").await.unwrap_err();
    assert!(matches!(error, RequestError::Api(ApiError::ChatNotFound)), "{error:?}");
}

#[tokio::test]
async fn teloxide_understands_pictures_edits_presses_and_commands() {
    let world = World::new(TwinLimits::NONE).await;
    let bot = Bot::with_client(TOKEN, world.http.clone()).set_api_url(world.address.clone());
    bot.get_me().await.unwrap();
    world.say(5, "/start").await;

    let keyboard = InlineKeyboardMarkup::new([[InlineKeyboardButton::callback("Redeem", "redeem:7")]]);
    let picture = InputFile::memory(PNG).file_name("card.png");
    let sent = bot.send_photo(ChatId(5), picture).caption("Your card").reply_markup(keyboard.clone()).await.unwrap();
    let photo = &sent.photo().unwrap()[0];
    assert_eq!((photo.width, photo.height, photo.file.size as usize), (3, 2, PNG.len()));
    assert_eq!((sent.caption(), sent.reply_markup()), (Some("Your card"), Some(&keyboard)));

    let sent = bot.send_message(ChatId(5), "one").reply_markup(keyboard.clone()).await.unwrap();
    let edited = bot.edit_message_text(ChatId(5), sent.id, "<i>two</i>").parse_mode(ParseMode::Html).await.unwrap();
    assert_eq!((edited.text(), edited.reply_markup(), edited.edit_date().is_some()), (Some("two"), None, true));
    let edited = bot.edit_message_reply_markup(ChatId(5), sent.id).reply_markup(keyboard.clone()).await.unwrap();
    assert_eq!((edited.text(), edited.reply_markup()), (Some("two"), Some(&keyboard)));
    let error = bot.edit_message_reply_markup(ChatId(5), sent.id).reply_markup(keyboard).await.unwrap_err();
    assert!(matches!(error, RequestError::Api(ApiError::MessageNotModified)), "{error:?}");
    let error = bot.edit_message_text(ChatId(5), MessageId(99), "x").await.unwrap_err();
    assert!(matches!(error, RequestError::Api(ApiError::MessageToEditNotFound)), "{error:?}");

    let id = world.press(5, "redeem:7").await["callback_query_id"].as_str().unwrap().to_owned();
    bot.answer_callback_query(CallbackQueryId(id.clone())).text("Noted").await.unwrap();
    let error = bot.answer_callback_query(CallbackQueryId(id)).await.unwrap_err();
    assert!(error.to_string().contains("query is too old"), "{error:?}");

    let commands = vec![BotCommand::new("redeem", "Redeem a code")];
    bot.set_my_commands(commands.clone()).scope(BotCommandScope::AllPrivateChats).await.unwrap();
    assert_eq!(bot.get_my_commands().scope(BotCommandScope::AllPrivateChats).await.unwrap(), commands);
    assert_eq!(bot.get_my_commands().await.unwrap(), []);
}

#[tokio::test]
async fn buttons_are_taken_as_strictly_as_by_telegram() {
    let world = World::new(TwinLimits::NONE).await;
    world.client_known_to(&[5]).await;
    let sent = async |button: Value| {
        let markup = json!({ "inline_keyboard": [[button]] });
        world.call("sendMessage", json!({ "chat_id": 5, "text": "x", "reply_markup": markup })).await
    };
    for (button, expected) in [
        (json!({ "text": "a", "callback_data": "" }), "BUTTON_DATA_INVALID"),
        (json!({ "text": "a", "callback_data": "x".repeat(65) }), "BUTTON_DATA_INVALID"),
        (json!({ "text": "a", "callback_data": "é".repeat(33) }), "BUTTON_DATA_INVALID"),
        (json!({ "text": "a", "callback_data": "\0" }), "BUTTON_DATA_INVALID"),
        (json!({ "text": " ", "callback_data": "x" }), "text buttons are unallowed"),
        (json!({ "text": "a" }), "text buttons are unallowed"),
        (json!({ "text": "a", "callback_data": 7 }), "text buttons are unallowed"),
    ] {
        let (status, answer) = sent(button).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer["description"].as_str().unwrap().contains(expected), "{answer}");
    }
    let (status, answer) = sent(json!({ "text": "a\0", "callback_data": "é".repeat(32), "colour": null })).await;
    assert_eq!(status, 200, "{answer}");
    let button = json!({ "text": "a", "callback_data": "é".repeat(32) });
    assert_eq!(answer["result"]["reply_markup"]["inline_keyboard"], json!([[button]]));
}

#[tokio::test]
async fn parameters_come_in_any_of_the_four_ways() {
    let world = World::new(TwinLimits::NONE).await;
    world.client_known_to(&[5]).await;
    let url = world.url(&format!("bot{TOKEN}/sendMessage"));
    let form = ("content-type", "application/x-www-form-urlencoded");
    let parts = "--b\r\ncontent-disposition: form-data; name=\"chat_id\"\r\n\r\n5\r\n\
                 --b\r\ncontent-disposition: form-data; name=\"text\"\r\n\r\nd & e\r\n--b--\r\n";
    for (request, text) in [
        (world.http.get(format!("{url}?chat_id=5&text=a%20b+c")), "a b c"),
        (world.http.post(&url).json(&json!({ "chat_id": "5", "text": "json" })), "json"),
        (world.http.post(&url).header(form.0, form.1).body("chat_id=5&text=%C3%A9+%26"), "é &"),
        (world.http.post(&url).header(form.0, "multipart/form-data; boundary=b").body(parts), "d & e"),
    ] {
        let (status, answer) = world.answer(request).await;
        assert_eq!((status, &answer["result"]["text"]), (200, &json!(text)), "{answer}");
    }
    assert_eq!(world.bot_texts(5).await.len(), 4);
}

#[tokio::test]
async fn methods_are_found_in_any_case_and_unknown_ones_are_not() {
    let world = World::new(TwinLimits::NONE).await;
    for method in ["getMe", "GetMe", "getme", "GETME"] {
        let url = world.url(&format!("bot{TOKEN}/{method}"));
        assert_eq!(world.answer(world.http.post(url)).await.0, 200, "{method}");
    }
    let not_found = json!({ "ok": false, "error_code": 404, "description": "Not Found" });
    for path in [format!("bot{TOKEN}/flyAway"), "botnonsense/getMe".to_owned(), "bot:/getMe".to_owned()] {
        let answer = world.answer(world.http.get(world.url(&path))).await;
        assert_eq!(answer, (404, not_found.clone()), "{path}");
    }
}

#[tokio::test]
async fn nonsense_is_refused_in_telegrams_own_shape() {
    let world = World::new(TwinLimits::NONE).await;
    world.client_known_to(&[5]).await;
    let url = world.url(&format!("bot{TOKEN}/sendMessage"));
    for body in [
        json!({}),
        json!({ "chat_id": "@channel", "text": "x" }),
        json!({ "chat_id": 5 }),
        json!({ "chat_id": 5, "text": "\u{0}" }),
        json!({ "chat_id": 5, "text": "x", "parse_mode": "Markdown" }),
        json!({ "chat_id": 5, "text": "x", "reply_parameters": { "message_id": 99 } }),
        json!([1]),
    ] {
        let (status, answer) = world.answer(world.http.post(&url).json(&body)).await;
        assert_eq!((status, &answer["error_code"]), (400, &json!(400)), "{body} {answer}");
        assert!(answer["description"].as_str().unwrap().starts_with("Bad Request: "), "{answer}");
    }
    let webhook = world.url(&format!("bot{TOKEN}/setWebhook"));
    for (body, status) in [
        (json!({ "url": "not an address" }), 400),
        (json!({ "url": "ftp://example.com/" }), 400),
        (json!({ "url": "http://example.com/", "allowed_updates": "message" }), 400),
        (json!({ "url": "http://example.com/\u{0}", "allowed_updates": ["\u{0}"] }), 200),
        (json!({ "url": "" }), 200),
    ] {
        let answer = world.answer(world.http.post(&webhook).json(&body)).await;
        assert_eq!(answer.0, status, "{body} {answer:?}");
    }
    let huge = json!({ "chat_id": 5, "text": "x".repeat(2_000_000) });
    let (status, answer) = world.answer(world.http.post(&url).json(&huge)).await;
    assert_eq!((status, &answer["ok"]), (413, &Value::Bool(false)));
}

#[tokio::test]
async fn it_can_be_mounted_at_the_root_too() {
    let world = World::new(TwinLimits::NONE).await;
    let mut tasks = JoinSet::new();
    let root = serve(&mut tasks, world.twin.routes()).await;
    let bot = super::super::Telegram::new(TOKEN, Some(root.clone()), world.http.clone());
    assert_eq!(bot.identity().await.unwrap().id, 77);
    let page = world.http.get(root).send().await.unwrap();
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
}
