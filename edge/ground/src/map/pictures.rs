//! Pictures on the page, beside their captions.

use super::{Map, asking};
use crate::archive::ArchivedPicture;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use std::sync::Arc;

/// Pictures in an answer, the newest.
const MAX_PICTURES: u32 = 200;

/// How the pictures are that were asked for.
pub(super) async fn pictures(State(map): State<Arc<Map>>) -> Result<Json<Vec<ArchivedPicture>>, StatusCode> {
    asking(map, |archive| archive.pictures(MAX_PICTURES)).await
}

/// A picture that is here. What is no WebP is none: it came over a link.
pub(super) async fn picture(State(map): State<Arc<Map>>, Path(id): Path<i64>) -> Result<impl IntoResponse, StatusCode> {
    let Json(found) = asking(map, move |archive| archive.picture(id)).await?;
    let bytes = found.filter(|bytes| is_webp(bytes)).ok_or(StatusCode::NOT_FOUND)?;
    Ok(([(header::CONTENT_TYPE, "image/webp")], bytes))
}

fn is_webp(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP")
}
