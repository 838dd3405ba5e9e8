//! A static host that remembers what it was asked, and a trap for everything
//! that is asked of anybody else.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Serves a folder under a path of a free port of this machine.
pub struct Site {
    port: u16,
    prefix: String,
    state: Arc<State>,
}

struct State {
    folder: PathBuf,
    prefix: String,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    paths: Vec<String>,
    missing: Vec<String>,
    /// Files whose names end so are answered with an error, or with this.
    broken: Option<(String, Option<&'static str>)>,
}

impl Site {
    /// `prefix` begins and ends with a slash.
    pub async fn serve(folder: &Path, prefix: &str) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            folder: folder.to_owned(),
            prefix: prefix.to_owned(),
            log: Mutex::default(),
        });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, shared.clone()));
            }
        });
        Site {
            port,
            prefix: prefix.to_owned(),
            state,
        }
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where the page is.
    pub fn url(&self) -> String {
        self.origin() + &self.prefix
    }

    /// Answers requests for names that end so with an error, or none.
    pub fn break_files(&self, suffix: Option<&str>) {
        self.log().broken = suffix.map(|suffix| (suffix.to_owned(), None));
    }

    /// Answers requests for names that end so with this instead.
    pub fn replace_files(&self, suffix: &str, body: &'static str) {
        self.log().broken = Some((suffix.to_owned(), Some(body)));
    }

    /// Every path that was asked for.
    pub fn paths(&self) -> Vec<String> {
        self.log().paths.clone()
    }

    /// What was asked for and is not there.
    pub fn missing(&self) -> Vec<String> {
        self.log().missing.clone()
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.state.log.lock().expect("no thread has panicked")
    }
}

/// Reads a request's head; gives its first line's words.
async fn read_request(stream: &mut TcpStream) -> Option<Vec<String>> {
    let mut head = Vec::new();
    let mut chunk = [0; 4_096];
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 && head.len() < 65_536 => head.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
    let head = String::from_utf8_lossy(&head);
    let line = head.lines().next()?;
    Some(line.split(' ').map(str::to_owned).collect())
}

async fn respond(stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // A browser may hang up at any time; that is its own affair.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
    let _ = stream.shutdown().await;
}

async fn answer(mut stream: TcpStream, state: Arc<State>) {
    let Some(words) = read_request(&mut stream).await else {
        return;
    };
    let target = words.get(1).cloned().unwrap_or_default();
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let broken = {
        let mut log = state.log.lock().expect("no thread has panicked");
        log.paths.push(path.to_owned());
        let broken = log.broken.as_ref().filter(|b| path.ends_with(&b.0));
        broken.map(|b| b.1)
    };
    let name = match path.strip_prefix(&state.prefix) {
        Some("") => Some("index.html"),
        Some(name) if !name.split('/').any(|part| part == "..") => Some(name),
        _ => None,
    };
    match broken {
        Some(Some(body)) => {
            return respond(&mut stream, "200 OK", media_type(name), body.as_bytes()).await;
        }
        Some(None) => {
            let status = "503 Service Unavailable";
            return respond(&mut stream, status, "text/plain", b"broken").await;
        }
        None => {}
    }
    let bytes = match name {
        Some(name) => tokio::fs::read(state.folder.join(name)).await.ok(),
        None => None,
    };
    match bytes {
        Some(bytes) => respond(&mut stream, "200 OK", media_type(name), &bytes).await,
        None => {
            let note = |mut log: std::sync::MutexGuard<'_, Log>| log.missing.push(path.to_owned());
            note(state.log.lock().expect("no thread has panicked"));
            respond(&mut stream, "404 Not Found", "text/plain", b"not here").await;
        }
    }
}

fn media_type(name: Option<&str>) -> &'static str {
    match name.and_then(|n| n.rsplit_once('.')).map(|(_, e)| e) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript",
        Some("wasm") => "application/wasm",
        Some("css") => "text/css",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ogg") => "audio/ogg",
        Some("wav") => "audio/wav",
        _ => "application/octet-stream",
    }
}

/// A proxy that lets nothing through and remembers who was meant. The browser
/// is told to use it for everything but this machine.
pub struct Trap {
    port: u16,
    caught: Arc<Mutex<Vec<String>>>,
}

impl Trap {
    /// Listens on a free port.
    pub async fn set() -> Trap {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let caught = Arc::new(Mutex::new(Vec::new()));
        let shared = caught.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let caught = shared.clone();
                tokio::spawn(async move {
                    if let Some(words) = read_request(&mut stream).await {
                        caught
                            .lock()
                            .expect("no thread has panicked")
                            .push(words.join(" "));
                        respond(&mut stream, "403 Forbidden", "text/plain", b"trapped").await;
                    }
                });
            }
        });
        Trap { port, caught }
    }

    /// Host and port, as a browser's proxy flag wants it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The first lines of the requests that were caught.
    pub fn caught(&self) -> Vec<String> {
        self.caught.lock().expect("no thread has panicked").clone()
    }
}
