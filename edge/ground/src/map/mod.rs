//! `ground map`: one page with the archive's captions as points, on loopback; no tiles, scripts or fonts from anywhere else.

mod commanding;
mod pictures;

pub use commanding::Commanding;

use super::archive::{Archive, Archived, ArchivedCommand, ArchivedReport, Vehicle};
use super::error::{Error, Result, chain};
use axum::extract::{DefaultBodyLimit, FromRequest, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str =
    concat!(include_str!("page.js"), include_str!("marks.js"), include_str!("fleet.js"), include_str!("pictures.js"));
/// Captions in an answer; the page asks again until there are none.
const MAX_CAPTIONS: u32 = 2000;
/// Reports in an answer, the newest.
const MAX_REPORTS: u32 = 20;
/// Commands in an answer, the newest, and bytes of one that is given.
const MAX_COMMANDS: u32 = 20;
const MAX_COMMAND: usize = 1024;

struct Map {
    archive: Mutex<Archive>,
    /// The page listens on loopback only.
    is_private: bool,
    /// Nobody commands where there is none.
    commanding: Option<Commanding>,
}

/// What the page asks.
#[derive(Deserialize)]
struct Asked {
    /// The last caption that it has.
    #[serde(default)]
    after: i64,
}

/// Whose footprint it asks for.
#[derive(Deserialize)]
struct OfCaption {
    sender: String,
    vehicle: u16,
    sequence: u32,
}

/// The ring of corners, longitude and latitude, and the accuracy in metres.
type Outline = Option<([[f64; 2]; 5], f64)>;

/// What it gets.
#[derive(Serialize)]
struct Answer {
    captions: Vec<Shown>,
    /// The last one's row.
    last: i64,
    /// Runs of frames outside, the newest first.
    reports: Vec<ArchivedReport>,
}

/// A caption, by whose row its picture is asked for.
#[derive(Serialize)]
struct Shown {
    row: i64,
    #[serde(flatten)]
    caption: Archived,
}

/// How the vehicles are, and what they were told.
#[derive(Serialize)]
struct Fleet {
    vehicles: Vec<Vehicle>,
    /// The newest first.
    commands: Vec<ArchivedCommand>,
}

/// Serves the archive at an address until `stop` is done; `ready` is told the address, whose port is a free one where it was 0: an
/// error of its own, `E`, is given back and nothing is served.
pub fn serve<E: From<Error>>(
    archive: Archive,
    commanding: Option<Commanding>,
    listen: SocketAddr,
    stop: impl Future<Output = ()> + Send + 'static,
    ready: impl FnOnce(SocketAddr) -> Result<(), E>,
) -> Result<(), E> {
    let is_private = listen.ip().is_loopback();
    let map = Arc::new(Map { archive: Mutex::new(archive), is_private, commanding });
    // An archive on a server waits for the end of its connection, which may not be while the runtime is there.
    let _to_the_end = Arc::clone(&map);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Server)?;
    runtime.block_on(async {
        let unheard = |source| Error::Listen { address: listen, source };
        let listener = tokio::net::TcpListener::bind(listen).await.map_err(unheard)?;
        ready(listener.local_addr().map_err(Error::Server)?)?;
        Ok(axum::serve(listener, router(map)).with_graceful_shutdown(stop).await.map_err(Error::Server)?)
    })
}

fn router(map: Arc<Map>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/captions", get(captions))
        .route("/footprint", get(footprint))
        .route("/vehicles", get(vehicles))
        .route("/command", post(command))
        .route("/pictures", get(pictures::pictures))
        .route("/pictures/{id}", get(pictures::picture))
        .route("/ask", post(ask))
        .layer(DefaultBodyLimit::max(MAX_COMMAND))
        .layer(from_fn_with_state(Arc::clone(&map), guard))
        .with_state(map)
}

/// Pages of other sites get nothing: a name of theirs that leads here (DNS rebinding) is not this host's.
async fn guard(State(map): State<Arc<Map>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if map.is_private && !is_loopback(host) {
        return (StatusCode::FORBIDDEN, "this page is for this machine only\n").into_response();
    }
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, axum::http::HeaderValue::from_static(value));
    }
    response
}

/// Whether a Host header names this machine: `localhost` or a loopback address, with or without a port.
fn is_loopback(host: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name == "localhost" || address.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

async fn page() -> Result<(HeaderMap, Html<String>), StatusCode> {
    let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let mut headers = HeaderMap::new();
    let policy = policy.parse().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok((headers, Html(PAGE.replace("/*STYLE*/", STYLE).replace("/*SCRIPT*/", SCRIPT))))
}

async fn captions(State(map): State<Arc<Map>>, Query(asked): Query<Asked>) -> Result<Json<Answer>, StatusCode> {
    asking(map, move |archive| {
        let found = archive.after(asked.after, MAX_CAPTIONS)?;
        let reports = archive.reports(MAX_REPORTS)?;
        let last = found.last().map_or(asked.after, |(row, _)| *row);
        Ok(Answer { captions: found.into_iter().map(|(row, caption)| Shown { row, caption }).collect(), last, reports })
    })
    .await
}

async fn footprint(State(map): State<Arc<Map>>, Query(of): Query<OfCaption>) -> Result<Json<Outline>, StatusCode> {
    asking(map, move |archive| {
        let found = archive.footprint(&of.sender, of.vehicle, of.sequence)?;
        Ok(found.map(|found| (found.ring, found.accuracy)))
    })
    .await
}

async fn vehicles(State(map): State<Arc<Map>>) -> Result<Json<Fleet>, StatusCode> {
    asking(map, |archive| {
        Ok(Fleet { vehicles: archive.vehicles(cssa::clock::now())?, commands: archive.commands(MAX_COMMANDS)? })
    })
    .await
}

/// What the archive says, which may take its time: a server may be far.
async fn asking<T: Send + 'static>(
    map: Arc<Map>,
    ask: impl FnOnce(&Archive) -> Result<T> + Send + 'static,
) -> Result<Json<T>, StatusCode> {
    let asked = tokio::task::spawn_blocking(move || ask(&map.archive.lock().unwrap_or_else(PoisonError::into_inner)));
    let said = asked.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    said.map(Json).map_err(|error| {
        tracing::error!("{}", chain(&error));
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

async fn command(State(map): State<Arc<Map>>, request: Request) -> Response {
    given(map, request, Commanding::give).await
}

async fn ask(State(map): State<Arc<Map>>, request: Request) -> Response {
    given(map, request, Commanding::ask).await
}

/// Puts into the archive what the page gives; who may is looked at before anything of it is read.
async fn given<T: DeserializeOwned + Send + 'static>(
    map: Arc<Map>,
    request: Request,
    give: fn(&Commanding, T) -> Result<i64>,
) -> Response {
    if !map.commanding.as_ref().is_some_and(|commanding| commanding.is_allowed(request.headers())) {
        return (StatusCode::FORBIDDEN, "the token that ground map printed is missing\n").into_response();
    }
    let given = match Json::<T>::from_request(request, &()).await {
        Err(unread) => return unread.into_response(),
        Ok(Json(given)) => given,
    };
    let given = tokio::task::spawn_blocking(move || map.commanding.as_ref().map(|way| give(way, given)));
    match given.await {
        Ok(Some(Ok(row))) => Json(row).into_response(),
        Ok(Some(Err(error @ (Error::Packet(_) | Error::NoCaption { .. })))) => {
            (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
        }
        Ok(Some(Err(error))) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", chain(&error))).into_response(),
        Ok(None) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_names_are_taken() {
        let taken = ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:80", "[::1]", "127.0.0.1", "127.0.0.2:80"];
        let refused =
            ["", "example.org", "localhost.example.org:80", "127.0.0.1.example.org", "10.0.0.1:80", "[::2]:80"];
        assert!(taken.iter().all(|host| is_loopback(host)));
        assert!(!refused.iter().any(|host| is_loopback(host)));
    }
}
