//! A receiver for outgoing mail: takes everything, and counts what came and what came twice.
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::Failure;

/// What all connections add to.
#[derive(Default)]
struct Count {
    mails: Cell<usize>,
    ids: RefCell<HashSet<String>>,
    first: Cell<Option<Instant>>,
    connections: Cell<usize>,
    open_max: Cell<usize>,
    open: Cell<usize>,
    some: Notify,
}

/// Listens until so many different mails have come, and prints one line. Each answer waits for `delay`.
pub async fn run(address: &str, expected: usize, delay: Duration) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let count = Rc::new(Count::default());
    loop {
        tokio::select! {
            taken = listener.accept() => {
                let (stream, _) = taken?;
                stream.set_nodelay(true)?;
                let count = count.clone();
                tokio::task::spawn_local(async move {
                    count.connections.set(count.connections.get() + 1);
                    count.open.set(count.open.get() + 1);
                    count.open_max.set(count.open_max.get().max(count.open.get()));
                    // A sender that hangs up is no failure of the sink.
                    let _ = serve(stream, &count, delay).await;
                    count.open.set(count.open.get() - 1);
                });
            }
            () = count.some.notified() => {
                if count.ids.borrow().len() >= expected {
                    let seconds = count.first.get().map_or(0.0, |first| first.elapsed().as_secs_f64());
                    println!(
                        "{} mails, {} twice, {seconds:.3} s since the first, {} connections, {} at once",
                        count.mails.get(),
                        count.mails.get() - count.ids.borrow().len(),
                        count.connections.get(),
                        count.open_max.get(),
                    );
                    return Ok(());
                }
            }
        }
    }
}

async fn serve(mut stream: TcpStream, count: &Count, delay: Duration) -> Result<(), Failure> {
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read);
    write.write_all(b"220 sink.test ESMTP\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if (&mut read).take(4_096).read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let answer: &[u8] = match verb.as_str() {
            "EHLO" => b"250-sink.test\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250 8BITMIME\r\n",
            "DATA" => {
                write.write_all(b"354 Go ahead\r\n").await?;
                let id = data(&mut read).await?;
                if !delay.is_zero() {
                    tokio::time::sleep(delay).await;
                }
                if count.first.get().is_none() {
                    count.first.set(Some(Instant::now()));
                }
                count.mails.set(count.mails.get() + 1);
                count.ids.borrow_mut().insert(id);
                count.some.notify_one();
                b"250 Taken\r\n"
            }
            "QUIT" => {
                write.write_all(b"221 Bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 Ok\r\n",
        };
        write.write_all(answer).await?;
    }
}

/// Reads message data to its end; gives what tells it from other mails: its trace and its Message-ID.
async fn data(read: &mut (impl AsyncBufReadExt + Unpin)) -> Result<String, Failure> {
    let (mut id, mut line) = (String::new(), Vec::new());
    let (mut header, mut within) = (true, false);
    loop {
        line.clear();
        if read.read_until(b'\n', &mut line).await? == 0 {
            return Err("the connection ended within a message".into());
        }
        if line == b".\r\n" {
            return Ok(id);
        }
        header = header && line != b"\r\n";
        if header {
            let starts = |name: &[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
            let folded = line.first().is_some_and(|octet| matches!(octet, b' ' | b'\t'));
            within = starts(b"message-id:") || starts(b"received:") || (within && folded);
            if within {
                id.push_str(&String::from_utf8_lossy(&line));
            }
        }
    }
}
