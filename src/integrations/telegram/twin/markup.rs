//! The buttons below a message, as strictly as Telegram takes them.

use serde_json::{Value, json};

use super::super::PressData;
use super::super::text::cleaned;
use super::answer::Refusal;
use super::params::Params;

const MOST_BUTTONS: usize = 100;
const MOST_IN_A_ROW: usize = 8;

/// An inline keyboard of buttons with addresses and with data; the twin knows no others.
pub(super) fn read(params: &Params) -> Result<Option<Value>, Refusal> {
    let Some(markup) = params.structured("reply_markup")? else { return Ok(None) };
    let rows =
        markup["inline_keyboard"].as_array().ok_or_else(|| Refusal::bad_request("object expected as reply markup"))?;
    let mut keyboard = Vec::new();
    for row in rows {
        let row = row
            .as_array()
            .ok_or_else(|| Refusal::bad_request("field \"inline_keyboard\" must be an Array of Arrays"))?;
        if row.len() > MOST_IN_A_ROW {
            return Err(Refusal::bad_request("reply markup is too long"));
        }
        if !row.is_empty() {
            keyboard.push(row.iter().map(button).collect::<Result<Vec<Value>, Refusal>>()?);
        }
    }
    if keyboard.iter().map(Vec::len).sum::<usize>() > MOST_BUTTONS {
        return Err(Refusal::bad_request("reply markup is too long"));
    }
    Ok((!keyboard.is_empty()).then(|| json!({ "inline_keyboard": keyboard })))
}

/// The button with what Telegram knows of it, and nothing else.
fn button(button: &Value) -> Result<Value, Refusal> {
    let Some(text) = button["text"].as_str().map(cleaned) else {
        return Err(Refusal::bad_request("can't parse inline keyboard button: Field \"text\" must be of type String"));
    };
    if text.is_empty() {
        return Err(Refusal::bad_request("text buttons are unallowed in the inline keyboard"));
    }
    match (button["url"].as_str(), button["callback_data"].as_str()) {
        (Some(address), _) => {
            let url = reqwest::Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https" | "tg"));
            let wrong = || format!("inline keyboard button URL '{address}' is invalid: Wrong HTTP URL");
            let url = url.ok_or_else(|| Refusal::bad_request(wrong()))?;
            Ok(json!({ "text": text, "url": url.as_str() }))
        }
        (None, Some(data)) => {
            let data = PressData::new(data).map_err(|_| Refusal::bad_request("BUTTON_DATA_INVALID"))?;
            Ok(json!({ "text": text, "callback_data": data.as_str() }))
        }
        (None, None) => Err(Refusal::bad_request("text buttons are unallowed in the inline keyboard")),
    }
}
