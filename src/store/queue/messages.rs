//! The door to messages, the rows of the one queue engine, for other floors. SQS queues and the system's queues claim them by the
//! same queries. The rooms of the store go to each other directly.
pub use crate::store::queue::adding::{NewMessage, insert, insert_in_order};
pub use crate::store::queue::backlog::{Counts, counts, expire, in_flight, next_visible_at, peek, purge};
pub use crate::store::queue::claim_ends::{
    delete, drop_claimed, keep_spent, move_dead, move_to, release, release_held, renew, set_visible_at,
};
pub use crate::store::queue::claimed::Claimed;
pub use crate::store::queue::claiming::{claim, claim_few};
pub use crate::store::queue::claims::{Claim, Groups, Pace, Receipts};
pub use crate::store::queue::groups::{close_empty, delete_all as delete_groups, let_go, rest_until};
pub use crate::store::queue::handles::{
    DeletedInOrder, delete_in_order, delete_received, find_received, hide_received,
};
pub use crate::store::queue::ordered::{
    hold_free, hold_groups_of, move_to as move_in_order, redelay, remove as remove_in_order,
};
pub use crate::store::queue::spread::insert_each;
