//! What an action leaves behind: changes that commit with the end of the job, and failures.
use crate::base::{Arn, EmailAddress};
use crate::mail::receiving::accept::RuleName;
use crate::mail::receiving::handed::Task;
use crate::workers::Reason;

/// A change that commits with the end of the job.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Publish a notification.
    Publish {
        /// The topic.
        topic: Arn,
        /// The notification.
        message: String,
    },
    /// Send a bounce.
    Bounce(Box<Bounce>),
    /// Send a message to a queue.
    Send {
        /// The queue.
        queue: Arn,
        /// The body.
        message: String,
        /// Whose order a FIFO queue keeps.
        group: String,
        /// What a FIFO queue knows it by.
        id: String,
    },
    /// Leave a piece of work of a rule to a later job.
    Hand(Task, RuleName),
    /// Send the mail on.
    Forward(Box<Forward>),
}

/// An action that did not do its work.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why, for the queue.
    pub reason: Reason,
    /// Why, for people.
    pub text: String,
    /// Whether another attempt may do better.
    pub temporary: bool,
}

/// A bounce that is ready to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// Who it comes from, as its `From` says; the reverse path is null.
    pub sender: EmailAddress,
    /// Who it goes to: the reverse path of the mail that bounces.
    pub recipient: EmailAddress,
    /// The complete message; Date and Message-ID are stamped when it is queued.
    pub message: Vec<u8>,
    /// The right side of its Message-ID.
    pub hostname: String,
}

/// A mail that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Who received it.
    pub from: EmailAddress,
    /// Whether its reverse path is null.
    pub null: bool,
    /// Who gets it.
    pub to: Vec<EmailAddress>,
    /// Who is told when it does not arrive; `None` for nobody.
    pub told: Option<EmailAddress>,
    /// The complete message.
    pub message: Vec<u8>,
}
