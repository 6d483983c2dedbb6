//! The kept tables that several rooms of identities write.
use crate::store::engine::kept_table::KeptTable;

pub(in crate::store) const IDENTITIES: KeptTable = KeptTable::new("identities");
pub(in crate::store) const IDENTITY_POLICIES: KeptTable = KeptTable::new("identity_policies");
pub(in crate::store) const DKIM_KEYS: KeptTable = KeptTable::new("dkim_keys");
