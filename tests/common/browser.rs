//! A page in Chromium, and what a script in it reports.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::Folder;

/// How long a page may take: on a busy machine of two cores the browser alone starts in some ten seconds.
const LIMIT: Duration = Duration::from_secs(90);

/// What a page reports with: a script for the beginning of its head.
pub const REPORT: &str = "<script>
    const report = (text) => location.assign('/report?' + encodeURIComponent(text));
    addEventListener('error', (event) => report('error: ' + event.message));
    addEventListener('unhandledrejection', (event) => report('error: ' + event.reason));
    </script>";

/// A browser, if this machine has one; with CATANET_JUDGE=required it must.
pub fn chromium() -> Option<String> {
    let named = std::env::var("CATANET_CHROMIUM").ok();
    let names = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
    let found = named.into_iter().chain(names).find(|name| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    });
    let required = std::env::var("CATANET_JUDGE").is_ok_and(|v| v == "required");
    assert!(
        found.is_some() || !required,
        "scripts/test-setup installs Chromium"
    );
    found
}

/// Opens `html` and waits until a script in it calls `report(text)`; errors of scripts are reported, too.
///
/// # Panics
/// When nothing is reported in time.
pub fn visit(chromium: &str, html: &str) -> String {
    let html = html.replacen("<head>", &format!("<head>{REPORT}"), 1);
    let files = |path: &str| (path == "/").then(|| html.clone().into_bytes());
    open(chromium, &["--disable-gpu"], LIMIT, &files)
}

/// Opens the page of `files`, of which it is `/`, with these further arguments, and waits until a script in it
/// reports. See [`REPORT`].
///
/// The page reports by going to another address: its policy may forbid all other requests. What Chromium prints
/// when it ends (`--dump-dom`) may be empty on a busy machine, where one of its processes gave up waiting for
/// another. For the same reason a browser that ends without a word is started again, twice at most.
///
/// # Panics
/// When nothing is reported within `limit`.
pub fn open(
    chromium: &str,
    arguments: &[&str],
    limit: Duration,
    files: &(dyn Fn(&str) -> Option<Vec<u8>> + Sync),
) -> String {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port of this machine");
    let address = server.local_addr().expect("it has one");
    server.set_nonblocking(true).expect("it can wait");
    let (sender, reports) = channel();
    thread::scope(|scope| {
        for _ in 0..3 {
            let home = Folder::new("browser");
            let browser = Command::new(chromium)
                .args(["--headless", "--no-sandbox", "--disable-dev-shm-usage"])
                .arg("--remote-debugging-port=0")
                .args(arguments)
                .arg(format!("--user-data-dir={}", home.display()))
                .arg(format!("http://{address}/"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let mut browser = Browser(browser.expect("it runs"));
            let started = Instant::now();
            while started.elapsed() < limit && browser.runs() {
                if let Ok(report) = reports.try_recv() {
                    return report;
                }
                match server.accept() {
                    Ok((stream, _)) => {
                        let sender = sender.clone();
                        scope.spawn(move || {
                            let report = answer(stream, files);
                            report.map(|report| sender.send(report))
                        });
                    }
                    Err(_) => thread::sleep(Duration::from_millis(20)),
                }
            }
        }
        panic!("the page reported nothing in {} s", limit.as_secs());
    })
}

/// A browser that does not outlive its test.
struct Browser(Child);

impl Browser {
    fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Answers one request; the text that was reported by it, if it is a report. A connection that breaks is one
/// that the browser opens again.
fn answer(stream: TcpStream, files: &dyn Fn(&str) -> Option<Vec<u8>>) -> Option<String> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut reader = BufReader::new(&stream);
    let mut request = String::new();
    reader.read_line(&mut request).ok()?;
    let mut header = String::new();
    while header != "\r\n" {
        header.clear();
        reader.read_line(&mut header).ok().filter(|&n| n > 0)?;
    }
    let address = request.split(' ').nth(1)?;
    let report = address.strip_prefix("/report?").map(decoded);
    let (status, content) = match files(address) {
        Some(content) => ("200 OK", content),
        None => ("404 Not Found", Vec::new()),
    };
    let kind = match address.rsplit_once('.') {
        Some((_, "js")) => "text/javascript",
        Some((_, "css")) => "text/css",
        Some((_, "wasm")) => "application/wasm",
        Some(_) => "application/octet-stream",
        None => "text/html; charset=utf-8",
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    );
    let mut writer = &stream;
    writer.write_all(head.as_bytes()).ok()?;
    writer.write_all(&content).ok()?;
    report
}

/// Undoes `encodeURIComponent`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let code = behind
            .get(..2)
            .and_then(|two| std::str::from_utf8(two).ok());
        let code = code.and_then(|two| u8::from_str_radix(two, 16).ok());
        (bytes, rest) = match (first, code) {
            (b'%', Some(code)) => ([bytes, vec![code]].concat(), &behind[2..]),
            _ => ([bytes, vec![*first]].concat(), behind),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
