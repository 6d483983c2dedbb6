//! What both sides said in one attempt, for people: kept with the attempt, without the mail and without passwords.

/// The longest transcript that is kept, in octets.
const MAX_LENGTH: usize = 16 * 1024;
/// The longest line that is kept, in characters.
const MAX_LINE: usize = 500;

/// Lines with `=` (a step of ours), `>` (we said) or `<` (the peer said).
#[derive(Debug, Default)]
pub(super) struct Transcript(String);

impl Transcript {
    /// Notes a step of ours, such as a connection.
    pub(super) fn step(&mut self, text: &str) {
        self.line('=', text);
    }

    /// Notes a command.
    pub(super) fn said(&mut self, text: &str) {
        self.line('>', text);
    }

    /// Notes an answer.
    pub(super) fn heard(&mut self, text: &str) {
        self.line('<', text);
    }

    /// The whole text.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, mark: char, text: &str) {
        if self.0.len() >= MAX_LENGTH {
            return;
        }
        self.0.push(mark);
        self.0.push(' ');
        self.0.extend(text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_LINE));
        self.0.push('\n');
    }
}
