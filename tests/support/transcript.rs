//! A chat as its person saw it, to be read by people.

use std::fmt::Write;

use serde_json::Value;

use super::World;

/// The person's messages and the bot's, oldest first, with buttons, pictures and
/// what was shown when a button was pressed.
pub async fn transcript(world: &World, user: i64) -> String {
    let mut text = String::new();
    for message in world.telegram.messages(user).await {
        let who = if message["from"] == "bot" { "Bot" } else { "Person" };
        let said = message["text"].as_str().unwrap_or_default().replace('\n', "\n     ");
        if !message["picture"].is_null() {
            writeln!(text, "{who}: (a picture)").unwrap();
        }
        writeln!(text, "{who}: {said}").unwrap();
        for row in message["reply_markup"]["inline_keyboard"].as_array().into_iter().flatten() {
            let buttons =
                row.as_array().unwrap().iter().map(|button| format!("[{}]", button["text"].as_str().unwrap()));
            writeln!(text, "     {}", buttons.collect::<Vec<_>>().join(" ")).unwrap();
        }
        for press in message["presses"].as_array().into_iter().flatten() {
            let data = press["data"].as_str().unwrap_or_default();
            let label = label(&message, data);
            match press["notice"].as_str() {
                Some(notice) => writeln!(text, "     Person presses [{label}] ({notice})").unwrap(),
                None => writeln!(text, "     Person presses [{label}]").unwrap(),
            }
        }
        text.push('\n');
    }
    text
}

fn label(message: &Value, data: &str) -> String {
    let buttons = message["reply_markup"]["inline_keyboard"].as_array().into_iter().flatten();
    let mut buttons = buttons.flat_map(|row| row.as_array().into_iter().flatten());
    let pressed = buttons.find(|button| button["callback_data"] == data);
    pressed.and_then(|button| button["text"].as_str()).unwrap_or("?").to_owned()
}

/// The data of the button with this text below the newest message that has one.
pub async fn button(world: &World, user: i64, text: &str) -> String {
    for message in world.telegram.messages(user).await.iter().rev() {
        for row in message["reply_markup"]["inline_keyboard"].as_array().into_iter().flatten() {
            for button in row.as_array().into_iter().flatten() {
                if button["text"] == text {
                    return button["callback_data"].as_str().unwrap().to_owned();
                }
            }
        }
    }
    panic!("{user} has no button {text:?}");
}

/// Presses it.
pub async fn press(world: &World, user: i64, text: &str) {
    let data = button(world, user, text).await;
    world.telegram.press(user, &data).await;
}
