//! Customers.

use std::collections::BTreeMap;

use aggregates::Personal;
use chrono::{DateTime, Utc};

use super::{Node, Object, ObjectError};

/// Who pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// `cus_…`.
    pub id: String,
    /// Whether it is no more. Then nothing else is known of it.
    pub deleted: bool,
    /// Where to write to.
    pub email: Option<Personal<String>>,
    /// What they are called.
    pub name: Option<Personal<String>>,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// What the seller noted.
    pub metadata: BTreeMap<String, String>,
    /// No test.
    pub livemode: bool,
}

impl Object for Customer {
    const NAME: &'static str = "customer";

    fn read(node: &Node<'_>) -> Result<Self, ObjectError> {
        Ok(Self {
            id: node.owned("id")?,
            deleted: node.flag_or_no("deleted")?,
            email: node.maybe_text("email")?.map(Personal::new),
            name: node.maybe_text("name")?.map(Personal::new),
            created: node.maybe_time("created")?,
            metadata: node.metadata(),
            livemode: node.flag_or_no("livemode")?,
        })
    }
}
