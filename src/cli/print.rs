//! What the program prints: what was asked for on standard output, and everything else on standard error.
use std::io::Write;
use std::process::ExitCode;

/// Prints. Who reads only the beginning (`| head`) has what was wanted.
pub(crate) fn say(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match wanted(out.write_all(text.as_bytes()).and_then(|()| out.flush())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format!("cannot write to standard output: {error}")),
    }
}

/// What was written, but for what nobody reads any more.
pub(crate) fn wanted(written: std::io::Result<()>) -> std::io::Result<()> {
    written.or_else(|error| if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

/// Says on standard error why the program ends, and gives its exit code.
pub(crate) fn fail(code: u8, line: &str) -> ExitCode {
    note(line);
    ExitCode::from(code)
}

/// A line beside what is printed. Nobody may be there to read it.
pub(crate) fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "postrider: {line}");
}
