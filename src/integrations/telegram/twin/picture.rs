//! Pictures that bots upload: what Telegram takes, and where people see it.

use bytes::Bytes;
use poem::http::header;
use poem::web::{Data, Path};
use poem::{IntoResponse, Response, handler};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{PgExecutor, Row};

use super::Twin;
use super::answer::Refusal;
use super::problem::{Problem, Result as Asked};

/// Bytes of a photo.
const LARGEST: usize = 10 * 1024 * 1024;
/// Width and height together, in pixels.
const LONGEST_SIDES: u64 = 10_000;
/// How many times as long as the other a side may be.
const LEANEST: u64 = 20;

/// A photo that came with the request.
pub(super) struct Picture {
    pub(super) bytes: Bytes,
    pub(super) file_id: String,
    pub(super) media_type: &'static str,
    pub(super) size: Size,
}

/// What Telegram tells of a photo beside its name.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) bytes: i64,
}

impl Picture {
    /// Judged as Telegram does, by its first bytes.
    pub(super) fn read(bot: i64, bytes: Bytes) -> Result<Self, Refusal> {
        if bytes.is_empty() {
            return Err(Refusal::bad_request("file must be non-empty"));
        }
        if bytes.len() > LARGEST {
            let size = bytes.len();
            return Err(Refusal::bad_request(format!(
                "file of size {size} bytes is too big for a photo; the maximum size is {LARGEST} bytes"
            )));
        }
        let (media_type, sides) = match png_sides(&bytes) {
            Some(sides) => ("image/png", Some(sides)),
            None => ("image/jpeg", jpeg_sides(&bytes)),
        };
        let (width, height) = sides.ok_or_else(|| Refusal::bad_request("IMAGE_PROCESS_FAILED"))?;
        let (short, long) = (u64::from(width.min(height)), u64::from(width.max(height)));
        if short == 0 || short + long > LONGEST_SIDES || long > short * LEANEST {
            return Err(Refusal::bad_request("PHOTO_INVALID_DIMENSIONS"));
        }
        let name = Sha256::new().chain_update(bot.to_be_bytes()).chain_update(&bytes).finalize();
        let size = Size {
            width: i32::try_from(width).unwrap_or(i32::MAX),
            height: i32::try_from(height).unwrap_or(i32::MAX),
            bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        };
        Ok(Self { file_id: format!("sandbox-{name:x}"), bytes, media_type, size })
    }
}

/// The photo of a message in Telegram's words. The twin knows nothing of one that it did
/// not get by upload.
pub(super) fn sizes(file_id: &str, size: Option<Size>) -> Value {
    let Size { width, height, bytes } = size.unwrap_or(Size { width: 90, height: 90, bytes: 1024 });
    json!([{ "file_id": file_id, "file_unique_id": file_id, "width": width, "height": height, "file_size": bytes }])
}

/// What is known of a photo by the name that it was sent with.
pub(super) async fn size(executor: impl PgExecutor<'_>, file_id: &str) -> sqlx::Result<Option<Size>> {
    let row =
        sqlx::query("select width, height, length(bytes)::bigint from sandbox.telegram_picture where file_id = $1")
            .bind(file_id)
            .fetch_optional(executor)
            .await?;
    row.map(|row| Ok(Size { width: row.try_get(0)?, height: row.try_get(1)?, bytes: row.try_get(2)? })).transpose()
}

/// Keeps a picture that came along.
pub(super) async fn keep(executor: impl PgExecutor<'_>, bot: i64, picture: &Picture) -> sqlx::Result<()> {
    sqlx::query(
        "insert into sandbox.telegram_picture (file_id, bot_id, media_type, width, height, bytes)
         values ($1, $2, $3, $4, $5, $6) on conflict (file_id) do nothing",
    )
    .bind(&picture.file_id)
    .bind(bot)
    .bind(picture.media_type)
    .bind(picture.size.width)
    .bind(picture.size.height)
    .bind(&picture.bytes[..])
    .execute(executor)
    .await?;
    Ok(())
}

/// `GET /pictures/{file_id}`
#[handler]
pub(super) async fn show(Data(twin): Data<&Twin>, Path(file_id): Path<String>) -> Asked<Response> {
    let row = sqlx::query("select media_type, bytes from sandbox.telegram_picture where file_id = $1")
        .bind(file_id)
        .fetch_optional(twin.pool())
        .await?
        .ok_or(Problem::Unknown("there is no such picture"))?;
    let media_type: String = row.try_get("media_type").map_err(Problem::Database)?;
    let bytes: Vec<u8> = row.try_get("bytes").map_err(Problem::Database)?;
    let response = bytes
        .with_content_type(media_type)
        .with_header("x-content-type-options", "nosniff")
        // Its name is made of its bytes.
        .with_header(header::CACHE_CONTROL, "private, max-age=31536000, immutable");
    Ok(response.into_response())
}

/// Width and height as the header of a PNG gives them (PNG specification, 11.2.1). The
/// end has to be there, too: half a picture is none.
fn png_sides(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")?;
    let width = u32::from_be_bytes(header.get(..4)?.try_into().ok()?);
    let height = u32::from_be_bytes(header.get(4..8)?.try_into().ok()?);
    header.ends_with(b"IEND\xaeB`\x82").then_some((width, height))
}

/// Width and height as the first frame header of a JPEG gives them (ITU-T T.81, B.2.2).
fn jpeg_sides(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        let (marker, after) = match rest {
            // Any number of 0xff may come before a marker.
            [0xff, 0xff, ..] => {
                rest = &rest[1..];
                continue;
            }
            [0xff, marker, after @ ..] => (*marker, after),
            _ => return None,
        };
        let length = usize::from(u16::from_be_bytes([*after.first()?, *after.get(1)?]));
        // All of 0xc0 to 0xcf but three tell of a frame.
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            let side = |at: usize| Some(u32::from(u16::from_be_bytes([*after.get(at)?, *after.get(at + 1)?])));
            return Some((side(5)?, side(3)?));
        }
        // Behind the start of the scan come no more headers.
        if marker == 0xda {
            return None;
        }
        rest = after.get(length.max(2)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
        [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &sides, b"\x08\x02\0\0\0....\0\0\0\0IEND\xaeB`\x82"].concat()
    }

    /// With a comment before the frame, and one 0xff too many.
    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let sides = [height.to_be_bytes(), width.to_be_bytes()].concat();
        [&b"\xff\xd8\xff\xfe\0\x04hi\xff\xff\xc2\0\x11\x08"[..], &sides, b"\x03......"].concat()
    }

    fn judged(bytes: Vec<u8>) -> Result<(&'static str, i32, i32), String> {
        let picture = Picture::read(77, bytes.into()).map_err(|refusal| refusal.description)?;
        Ok((picture.media_type, picture.size.width, picture.size.height))
    }

    #[test]
    fn pictures_are_known_by_their_first_bytes() {
        assert_eq!(judged(png(1080, 566)), Ok(("image/png", 1080, 566)));
        assert_eq!(judged(jpeg(1080, 566)), Ok(("image/jpeg", 1080, 566)));
        let whole = png(2, 2);
        for wrong in [&b"GIF89a"[..], b"\x89PNG", b"\xff\xd8\xff\xda\0\x02", b"<svg/>", &whole[..whole.len() - 1]] {
            assert_eq!(judged(wrong.to_vec()), Err("Bad Request: IMAGE_PROCESS_FAILED".to_owned()));
        }
        let cut = jpeg(1080, 566);
        for end in 0..12 {
            assert!(judged(cut[..end].to_vec()).is_err(), "{end}");
        }
    }

    #[test]
    fn size_and_shape_are_limited_as_by_telegram() {
        let wrong = Err("Bad Request: PHOTO_INVALID_DIMENSIONS".to_owned());
        for (width, height, good) in
            [(9_000, 1_000, true), (9_001, 1_000, false), (20, 1, true), (21, 1, false), (0, 5, false)]
        {
            let judged = judged(png(width, height));
            assert_eq!(judged.is_ok(), good, "{width}×{height}: {judged:?}");
            assert!(good || judged == wrong);
        }
        assert_eq!(judged(png(u32::MAX, u32::MAX)), wrong);
        let mut large = png(100, 100);
        large.splice(24..24, vec![0; LARGEST]);
        assert!(judged(large).unwrap_err().contains("is too big for a photo"));
        assert_eq!(judged(vec![]), Err("Bad Request: file must be non-empty".to_owned()));
    }

    #[test]
    fn the_same_picture_has_one_name_for_each_bot() {
        let name = |bot, bytes: Vec<u8>| Picture::read(bot, bytes.into()).unwrap().file_id;
        assert_eq!(name(77, png(2, 2)), name(77, png(2, 2)));
        assert_ne!(name(77, png(2, 2)), name(88, png(2, 2)));
        assert_ne!(name(77, png(2, 2)), name(77, png(2, 3)));
    }
}
